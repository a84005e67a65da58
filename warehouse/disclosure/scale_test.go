package disclosure_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/warehouse/disclosure"
)

// bigClinic has ten years of months, ten categories and twenty practitioners.
func bigClinic(things int) *clinic {
	chance := rand.New(rand.NewPCG(3, 3))
	c := &clinic{
		shape: []int{120, 10, 20, 5}, names: []string{"month", "category", "staff_member", "state"},
		group: disclosure.Group{
			Name: "things", Base: "things",
			Measures: []disclosure.Measure{{Name: "things", Unit: "count"}, {Name: "amount_cents", Unit: "cents"}},
		},
	}
	for _, dimensions := range [][]string{
		{}, {"month"}, {"category"}, {"staff_member"}, {"state"}, {"month", "category"}, {"month", "staff_member"}, {"category", "state"},
	} {
		name := "things"
		for _, d := range dimensions {
			name += "_" + d
		}
		c.group.Tables = append(c.group.Tables, disclosure.Table{Name: name, Dimensions: dimensions})
	}
	for range things {
		values := make([]int, len(c.shape))
		for d, n := range c.shape {
			values[d] = chance.IntN(n)
			if d > 0 {
				values[d] = min(values[d], chance.IntN(n))
			}
		}
		c.things = append(c.things, thing{patient: chance.IntN(20_000), values: values, cents: int64(chance.IntN(30_000))})
	}
	return c
}

// A clinic's night may take seconds for this. The limit is wide, since the machine may be busy; what it takes is logged.
func TestALargeClinicIsDoneInSeconds(t *testing.T) {
	const limit = 2 * time.Minute
	for _, things := range []int{6_000, 60_000} {
		c := bigClinic(things)
		start := time.Now()
		first, pattern := release(t, c, day, nil)
		second, _ := release(t, c.next(rand.New(rand.NewPCG(4, 4))), day.AddDays(1), pattern)
		took := time.Since(start)
		if took > limit {
			t.Errorf("two days of %d things took %v, more than %v", things, took, limit)
		}
		t.Logf("%d things: two days took %v", things, took)
		for _, released := range []*disclosure.Released{first, second} {
			for _, table := range released.Tables() {
				if table.Table.Name == "things" && table.Withheld > 0 {
					t.Error("the total of a large clinic is withheld")
				}
				t.Logf("%s as of %s: %d of %d cells withheld", table.Table.Name, table.AsOf, table.Withheld, len(table.Rows))
			}
		}
	}
}
