package pipeline

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/transforms/contract"
)

// theDay is the day that the tests hold the logs of against each other, in UTC; oclock is a moment of it.
var theDay = time.Date(2026, 9, 14, 0, 0, 0, 0, time.UTC)

func oclock(text string) time.Time {
	at, err := time.Parse("15:04:05", text)
	if err != nil {
		panic(err)
	}
	return theDay.Add(at.Sub(at.Truncate(24 * time.Hour)))
}

func overAugust() *extractors.Window {
	return &extractors.Window{From: civil.Date{Year: 2026, Month: 8, Day: 1}, To: civil.Date{Year: 2026, Month: 8, Day: 31}}
}

func overSeptember() *extractors.Window {
	return &extractors.Window{From: civil.Date{Year: 2026, Month: 9, Day: 1}, To: civil.Date{Year: 2026, Month: 9, Day: 14}}
}

func overJuly() *extractors.Window {
	return &extractors.Window{From: civil.Date{Year: 2026, Month: 7, Day: 1}, To: civil.Date{Year: 2026, Month: 7, Day: 31}}
}

// aNight is what a run does that reads one report.
func aNight() []AccessedThing {
	return []AccessedThing{
		{At: oclock("03:00:00"), Action: contract.CodeAsked},
		{At: oclock("03:00:04"), Action: contract.SignedIn},
		{At: oclock("03:00:06"), Action: contract.Opened, Subject: contract.SubjectAccount},
		{At: oclock("03:00:08"), Action: contract.Ran, Subject: "sales", Window: overJuly()},
		{At: oclock("03:00:09"), Action: contract.Ran, Subject: "sales", Window: overAugust()},
		{At: oclock("03:00:10"), Action: contract.Exported, Subject: "sales", Window: overAugust()},
		{At: oclock("03:00:12"), Action: contract.Previewed, Subject: "sales", Window: overAugust()},
		{At: oclock("03:00:12"), Action: contract.Downloaded, Subject: "sales", Window: overAugust()},
		{At: oclock("03:00:14"), Action: contract.SignedOut},
	}
}

// shifted is a log as a clock shows it that is ahead, to the second.
func shifted(log []AccessedThing, ahead time.Duration) []AccessedThing {
	out := slices.Clone(log)
	for i := range out {
		out[i].At = out[i].At.Add(ahead).Truncate(time.Second)
		out[i].unanswered = false
	}
	return out
}

func TestReconcileByHand(t *testing.T) {
	t.Parallel()
	stolen := AccessedThing{At: oclock("11:30:00"), Action: contract.Opened, Subject: contract.SubjectSchedule}
	twice := AccessedThing{At: oclock("03:00:11"), Action: contract.Exported, Subject: "sales", Window: overAugust()}
	type left struct{ ours, theirs []string }
	for name, test := range map[string]struct {
		ahead        time.Duration
		ours, theirs func(log []AccessedThing) []AccessedThing
		taken        time.Time
		matched      int
		open         int
		left         left
	}{
		"the same":                {matched: 9},
		"a clock 3 minutes ahead": {ahead: 3 * time.Minute, matched: 9},
		"a clock 20 minutes late": {ahead: -20 * time.Minute, matched: 9},
		"an entry only theirs": {
			ahead: 3 * time.Minute, matched: 9, left: left{theirs: []string{"opened schedule"}},
			theirs: func(log []AccessedThing) []AccessedThing { return append(log, stolen) },
		},
		"an entry only ours": {
			matched: 8, left: left{ours: []string{"opened account"}},
			theirs: func(log []AccessedThing) []AccessedThing { return slices.Delete(log, 2, 3) },
		},
		"done twice, by us": {
			matched: 10, ours: func(log []AccessedThing) []AccessedThing { return append(log, twice) },
			theirs: func(log []AccessedThing) []AccessedThing { return append(log, twice) },
		},
		"done twice, once by somebody else": {
			ahead: 3 * time.Minute, matched: 9, left: left{theirs: []string{"exported sales"}},
			theirs: func(log []AccessedThing) []AccessedThing {
				again := twice
				again.At = again.At.Add(3 * time.Minute)
				return append(log, again)
			},
		},
		"another range than ours": {
			matched: 8, left: left{ours: []string{"exported sales"}, theirs: []string{"exported sales"}},
			theirs: func(log []AccessedThing) []AccessedThing { log[5].Window = overJuly(); return log },
		},
		"the same an hour and a half later": {
			matched: 9, left: left{theirs: []string{"signed_in"}},
			theirs: func(log []AccessedThing) []AccessedThing {
				return append(log, AccessedThing{At: oclock("04:30:00"), Action: contract.SignedIn})
			},
		},
		"lines of one second in another order": {
			matched: 9,
			theirs: func(log []AccessedThing) []AccessedThing {
				log[6], log[7] = log[7], log[6]
				return log
			},
		},
		"a range that we were not told": {
			matched: 9, ours: func(log []AccessedThing) []AccessedThing { log[3].Window = nil; return log },
		},
		"a refused sign-in": {
			matched: 10,
			ours: func(log []AccessedThing) []AccessedThing {
				return append(log, AccessedThing{At: oclock("02:59:50"), Action: contract.Refused})
			},
			theirs: func(log []AccessedThing) []AccessedThing {
				return append(log, AccessedThing{At: oclock("02:59:50"), Action: contract.Refused})
			},
		},
		"a sign-in without an answer, which was refused": {
			matched: 10,
			ours: func(log []AccessedThing) []AccessedThing {
				return append(log, AccessedThing{At: oclock("02:59:50"), Action: contract.SignedIn, unanswered: true})
			},
			theirs: func(log []AccessedThing) []AccessedThing {
				return append(log, AccessedThing{At: oclock("02:59:50"), Action: contract.Refused})
			},
		},
		"no answer, and not done": {
			matched: 9, open: 1,
			ours: func(log []AccessedThing) []AccessedThing {
				return append(log, AccessedThing{At: oclock("03:00:13"), Action: contract.Downloaded, Subject: "sales", unanswered: true})
			},
		},
		"after the log was taken": {
			taken: oclock("03:00:10"), matched: 5, open: 4,
			theirs: func(log []AccessedThing) []AccessedThing { return log[:5] },
		},
		"before the log was taken": {
			taken: oclock("03:00:10"), matched: 4, open: 4, left: left{ours: []string{"ran sales"}},
			theirs: func(log []AccessedThing) []AccessedThing { return log[:4] },
		},
		"a day on which clocks differ": {
			// Just before midnight by ours, just after by theirs: it belongs to the next theDay.
			ahead: 3 * time.Minute, matched: 9,
			ours: func(log []AccessedThing) []AccessedThing {
				return append(log, AccessedThing{At: oclock("23:58:00"), Action: contract.SignedIn})
			},
			theirs: func(log []AccessedThing) []AccessedThing {
				return append(log, AccessedThing{At: oclock("23:58:00").Add(3 * time.Minute), Action: contract.SignedIn})
			},
		},
		"nothing in their log": {
			left:   left{ours: []string{"code_asked", "signed_in", "opened account", "ran sales", "ran sales", "exported sales", "previewed sales", "downloaded sales", "signed_out"}},
			theirs: func([]AccessedThing) []AccessedThing { return nil },
		},
		"nothing in ours": {
			left: left{theirs: []string{"code_asked", "signed_in", "opened account", "ran sales", "ran sales", "exported sales", "previewed sales", "downloaded sales", "signed_out"}},
			ours: func([]AccessedThing) []AccessedThing { return nil },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ours, theirs := aNight(), shifted(aNight(), test.ahead)
			if test.ours != nil {
				ours = test.ours(ours)
			}
			if test.theirs != nil {
				theirs = test.theirs(theirs)
			}
			r := reconciling{ours: ours, theirs: theirs, from: theDay, until: theDay.AddDate(0, 0, 1), taken: test.taken}
			got := r.match()
			if got.Matched != test.matched || got.Open != test.open {
				t.Errorf("%d matched, %d open, want %d and %d", got.Matched, got.Open, test.matched, test.open)
			}
			if o, th := named(got.OnlyOurs), named(got.OnlyTheirs); !slices.Equal(o, test.left.ours) || !slices.Equal(th, test.left.theirs) {
				t.Errorf("only ours %q, only theirs %q, want %+v", o, th, test.left)
			}
			if got.Matched > 0 && (got.ClockDifference-test.ahead).Abs() > time.Second {
				t.Errorf("the clocks differ by %v, want %v", got.ClockDifference, test.ahead)
			}
			var alarm *AlarmError
			if rung := errors.As(got.Alarm(), &alarm); rung != (len(test.left.theirs) > 0) {
				t.Errorf("alarm: %v", got.Alarm())
			}
		})
	}
}

func named(things []AccessedThing) (out []string) {
	for _, t := range things {
		text := t.Action
		if t.Subject != "" {
			text += " " + t.Subject
		}
		out = append(out, text)
	}
	return out
}

// TestReconcileProperty holds a random log against itself, as another clock shows it, without some lines and with some that
// nobody made: exactly those are found.
func TestReconcileProperty(t *testing.T) {
	t.Parallel()
	subjects := []string{"sales", "claims", "shift"}
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 1))
		ahead := time.Duration(r.IntN(3600)-1800) * time.Second
		at := theDay.Add(2 * time.Hour)
		var ours, theirs []AccessedThing
		removed, added := 0, 0
		for range 40 + r.IntN(60) {
			at = at.Add(time.Duration(r.IntN(9000)) * time.Millisecond)
			line := AccessedThing{
				At: at, Action: []string{contract.Ran, contract.Exported, contract.Previewed}[r.IntN(3)], Subject: subjects[r.IntN(3)],
				Window: []*extractors.Window{overJuly(), overAugust()}[r.IntN(2)],
			}
			ours = append(ours, line)
			theirs = append(theirs, shifted([]AccessedThing{line}, ahead+time.Duration(r.IntN(900))*time.Millisecond)...)
		}
		lines := len(ours)
		for range r.IntN(4) { // not in their log, and of a kind that occurs once
			removed++
			ours = append(ours, AccessedThing{At: theDay.Add(3*time.Hour + time.Duration(r.IntN(3600))*time.Second), Action: contract.Downloaded, Subject: "sales"})
		}
		for range r.IntN(4) { // by somebody else, hours later, as we do it or not
			added++
			theirs = append(theirs, AccessedThing{At: theDay.Add(12*time.Hour + time.Duration(r.IntN(3600))*time.Second), Action: contract.Exported, Subject: subjects[r.IntN(3)], Window: overJuly()})
		}
		r.Shuffle(len(theirs), func(i, j int) { theirs[i], theirs[j] = theirs[j], theirs[i] })
		got := (&reconciling{ours: ours, theirs: theirs, from: theDay, until: theDay.AddDate(0, 0, 1)}).match()
		if got.Matched != lines || len(got.OnlyOurs) != removed || len(got.OnlyTheirs) != added {
			t.Errorf("seed %d: %d matched, %d only ours, %d only theirs, want %d, %d, %d; the clocks differ by %v, found %v",
				seed, got.Matched, len(got.OnlyOurs), len(got.OnlyTheirs), lines, removed, added, ahead, got.ClockDifference)
		}
	}
}

// TestReconcileAfterAKill: what a killed run had begun is its, and no alarm; what somebody else does at the same time is one.
func TestReconcileAfterAKill(t *testing.T) {
	t.Parallel()
	const ahead = 3 * time.Minute
	at := func(clock, action, subject string, w *extractors.Window) AccessedThing {
		return AccessedThing{At: oclock(clock), Action: action, Subject: subject, Window: w}
	}
	// The night before has told how far the clocks are apart. The killed run began sales at 04:00:00 and was dead by 04:01:00.
	begun := []AccessedThing{
		at("04:00:01", contract.SignedIn, "", nil), at("04:00:03", contract.Opened, contract.SubjectAccount, nil),
		// The range that was remembered, the portal's own, and the one that was asked for.
		at("04:00:05", contract.Ran, "sales", overJuly()), at("04:00:06", contract.Ran, "sales", overSeptember()),
		at("04:00:07", contract.Ran, "sales", overAugust()), at("04:00:09", contract.Exported, "sales", overAugust()),
	}
	killed := intent{Since: oclock("04:00:00"), Until: oclock("04:01:00"), Report: "sales", Window: *overAugust(), Tries: 1, SignIns: 1}
	for name, test := range map[string]struct {
		also   []AccessedThing
		change func(*intent)
		theirs []string
	}{
		"nobody else":             {},
		"another report":          {also: []AccessedThing{at("04:00:10", contract.Ran, "claims", overAugust())}, theirs: []string{"ran claims"}},
		"another filter":          {also: []AccessedThing{at("04:00:10", contract.Exported, "sales", overJuly())}, theirs: []string{"exported sales"}},
		"another filter, run":     {also: []AccessedThing{at("04:00:10", contract.Ran, "sales", overJuly())}, theirs: []string{"ran sales"}},
		"another screen":          {also: []AccessedThing{at("04:00:10", contract.Opened, contract.SubjectSchedule, nil)}, theirs: []string{"opened schedule"}},
		"another sign-in":         {also: []AccessedThing{at("04:00:10", contract.SignedIn, "", nil)}, theirs: []string{"signed_in"}},
		"something else recorded": {also: []AccessedThing{at("04:00:10", contract.Recorded, "sales", nil)}, theirs: []string{"recorded sales"}},
		"after its death":         {also: []AccessedThing{at("04:02:00", contract.Exported, "sales", overAugust())}, theirs: []string{"exported sales"}},
		"before it began":         {also: []AccessedThing{at("03:58:00", contract.Exported, "sales", overAugust())}, theirs: []string{"exported sales"}},
		"a run that had been signed in": {
			change: func(k *intent) { k.SignIns = 0 }, theirs: []string{"signed_in", "opened account"},
		},
		"a sign-in once more": {
			also: []AccessedThing{at("04:00:20", contract.SignedIn, "", nil)}, change: func(k *intent) { k.SignIns, k.Tries = 2, 2 },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := killed
			if test.change != nil {
				test.change(&k)
			}
			theirs := slices.Concat(aNight(), begun, test.also)
			r := reconciling{ours: aNight(), theirs: shifted(theirs, ahead), from: theDay, until: theDay.AddDate(0, 0, 1), killed: []intent{k}}
			got := r.match()
			if th := named(got.OnlyTheirs); !slices.Equal(th, test.theirs) || got.Matched != 9 || len(got.Unfinished) != len(begun)+len(test.also)-len(th) {
				t.Errorf("only theirs %q, want %q; %d matched, %d unfinished", th, test.theirs, got.Matched, len(got.Unfinished))
			}
			if (got.Alarm() != nil) != (len(test.theirs) > 0) {
				t.Errorf("alarm: %v", got.Alarm())
			}
		})
	}
}
