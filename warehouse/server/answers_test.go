package server

import (
	"bytes"
	"testing"
)

func TestAnswersStayWithinTheirBytes(t *testing.T) {
	kept := newAnswers(16 << 10)
	var keys []answerKey
	for i := range 100 {
		key, err := keyOf("harbour", i)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
		kept.put(key, &stored{body: bytes.Repeat([]byte{1}, 1000)})
		if kept.bytes() > 16<<10 {
			t.Fatalf("%d bytes are kept after %d answers", kept.bytes(), i+1)
		}
		if _, ok := kept.get(keys[0]); !ok {
			t.Fatalf("the answer that is asked for all the time went after %d others", i)
		}
	}
	if _, ok := kept.get(keys[1]); ok {
		t.Error("an answer nobody asked for outlived ninety newer ones")
	}
	if _, ok := kept.get(keys[99]); !ok {
		t.Error("the newest answer is gone")
	}
	before := kept.bytes()
	kept.put(keys[99], &stored{body: []byte("again")})
	if kept.bytes() != before {
		t.Error("an answer that is kept was counted again")
	}
	huge, err := keyOf("huge")
	if err != nil {
		t.Fatal(err)
	}
	kept.put(huge, &stored{body: make([]byte, 8<<10)})
	if _, ok := kept.get(huge); ok {
		t.Error("one answer took half of the place")
	}
}

func TestPartsOfAKeyDoNotRunTogether(t *testing.T) {
	a, err := keyOf("ab", "c")
	if err != nil {
		t.Fatal(err)
	}
	b, err := keyOf("a", "bc")
	if err != nil {
		t.Fatal(err)
	}
	if a == b {
		t.Error(`"ab", "c" and "a", "bc" have one key`)
	}
	one, _ := keyOf(map[string]any{"x": 1, "y": "2"})
	other, _ := keyOf(map[string]any{"y": "2", "x": 1})
	if one != other {
		t.Error("the order of parameters makes another answer")
	}
	text, _ := keyOf("1")
	number, _ := keyOf(1)
	if text == number {
		t.Error("a number and its text have one key")
	}
}
