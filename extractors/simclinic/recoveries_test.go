package simclinic

import "testing"

// TestRecoveriesAreWithinTheirLeaks holds what must be so of every recovery, whenever it is asked.
func TestRecoveriesAreWithinTheirLeaks(t *testing.T) {
	kinds := map[string]int{}
	for seed := uint64(1); seed <= 4; seed++ {
		d := DefaultDials()
		d.Seed = seed
		c := mustClinic(t, d)
		before := map[string]Recovery{}
		for _, by := range []int{-120, 0} {
			day := c.ReportDate().AddDays(by)
			for _, r := range c.Recoveries(day) {
				kinds[r.Category]++
				if r.RecoveredCents < 0 || r.RecoveredCents > r.LeakedCents || r.LeakedCents == 0 {
					t.Errorf("seed %d: %+v", seed, r)
				}
				if !r.FirstSeen.Before(r.FirstMoney) || r.LastMoney.Before(r.FirstMoney) || r.LastMoney.After(day) {
					t.Errorf("seed %d: days out of order by %s: %+v", seed, day, r)
				}
				// A number may vanish meanwhile; what is still there began when it did.
				if was, known := before[r.Category+r.SourceID]; known && was.FirstMoney != r.FirstMoney {
					t.Errorf("seed %d: first money on %s, earlier on %s: %+v", seed, r.FirstMoney, was.FirstMoney, r)
				}
				before[r.Category+r.SourceID] = r
			}
		}
	}
	for _, kind := range []string{
		"visit_not_closed", "arrived_no_charge", "no_show_fee", "late_cancel_fee", "over_policy_maximum", "claim_never_sent", "claim_rejected",
		"claim_underpaid", "insurer_balance_aged", "copay_missed", "patient_balance_aged",
	} {
		if kinds[kind] < 5 {
			t.Errorf("%d recoveries of %s: too few to tell anything", kinds[kind], kind)
		}
	}
}
