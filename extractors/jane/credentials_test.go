package jane

import "testing"

// TestCodes holds codes against appendix B of RFC 6238: its vectors have eight digits, of which six are the last.
func TestCodes(t *testing.T) {
	const secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" // 12345678901234567890
	for seconds, want := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		if got, err := codeAt(secret, seconds/30); err != nil || got != want {
			t.Errorf("at %d the code is %s (%v), want %s", seconds, got, err, want)
		}
	}
}
