package jane

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/browser"
)

// Politeness is how a run spares a portal that others work with. One report at a time is no setting.
type Politeness struct {
	// MinPause and MaxPause bound the pause between two exports, which is drawn evenly. Both zero is 3 to 20 seconds, which
	// is what other careful readers of such portals do, and no pause at all for a portal on this machine.
	MinPause, MaxPause time.Duration
	// QuietFrom and QuietTo are times of the day, as time since midnight in Zone, between which nothing is asked for, for
	// example during office hours. They may span midnight. Both zero is no quiet time.
	QuietFrom, QuietTo time.Duration
	// Zone is the clinic's; UTC if nil.
	Zone *time.Location
}

// The pauses for a portal that others work with, if nothing is set.
const (
	usualMinPause = 3 * time.Second
	usualMaxPause = 20 * time.Second
	longestPause  = 10 * time.Minute
)

func (o Politeness) orDefault(origin browser.Origin) (Politeness, error) {
	const day = 24 * time.Hour
	switch {
	case o.MinPause < 0 || o.MaxPause < o.MinPause || o.MaxPause > longestPause:
		return o, fmt.Errorf("the pause between exports, %v to %v, must be a range within 0 and %v", o.MinPause, o.MaxPause, longestPause)
	case o.QuietFrom < 0 || o.QuietTo < 0 || o.QuietFrom > day || o.QuietTo > day:
		return o, errors.New("the quiet time must lie between 00:00 and 24:00")
	case o.QuietFrom == o.QuietTo && o.QuietFrom != 0:
		return o, errors.New("the quiet time begins when it ends: it would last for ever, or never")
	}
	if o.MaxPause == 0 && origin.Scheme == "https" {
		o.MinPause, o.MaxPause = usualMinPause, usualMaxPause
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	return o, nil
}

func (o Politeness) pause(random *rand.Rand) time.Duration {
	if o.MaxPause == o.MinPause {
		return o.MinPause
	}
	return o.MinPause + time.Duration(random.Int64N(int64(o.MaxPause-o.MinPause)))
}

// Quiet refuses, with a *extractors.Failure of the cause paused that says until when, to go on in the quiet time.
func (o Politeness) Quiet(now time.Time) error {
	if o.QuietFrom == o.QuietTo {
		return nil
	}
	local := now.In(o.Zone)
	at := time.Duration(local.Hour())*time.Hour + time.Duration(local.Minute())*time.Minute + time.Duration(local.Second())*time.Second
	inside := at >= o.QuietFrom && at < o.QuietTo
	if o.QuietTo < o.QuietFrom {
		inside = at >= o.QuietFrom || at < o.QuietTo
	}
	if !inside {
		return nil
	}
	f := fail(extractors.Paused, "keeping to the quiet hours", fmt.Errorf("nothing is read between %s and %s, the clinic's time", ofDay(o.QuietFrom), ofDay(o.QuietTo)))
	f.Hint = fmt.Sprintf("It may run again from %s; what came before stays", o.ends(local).Format("2006-01-02 15:04 MST"))
	return f
}

// ends is when the quiet time ends that local lies in. The day on which it does may be one that is longer or shorter.
func (o Politeness) ends(local time.Time) time.Time {
	at := func(day int) time.Time {
		return time.Date(local.Year(), local.Month(), day, int(o.QuietTo.Hours()), int(o.QuietTo.Minutes())%60, 0, 0, local.Location())
	}
	if end := at(local.Day()); end.After(local) {
		return end
	}
	return at(local.Day() + 1)
}

// ofDay prints a time since midnight as 07:30.
func ofDay(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60)
}

// ParseQuietHours reads `07:00-20:00`.
func ParseQuietHours(text string) (from, to time.Duration, err error) {
	var h1, m1, h2, m2 int
	if n, err := fmt.Sscanf(text, "%d:%d-%d:%d", &h1, &m1, &h2, &m2); err != nil || n != 4 || len(text) != len("07:00-20:00") {
		return 0, 0, fmt.Errorf("quiet hours %q: write them as 07:00-20:00", text)
	}
	for _, v := range []struct{ value, below int }{{h1, 25}, {h2, 25}, {m1, 60}, {m2, 60}} {
		if v.value < 0 || v.value >= v.below {
			return 0, 0, fmt.Errorf("quiet hours %q: there is no such time of the day", text)
		}
	}
	at := func(h, m int) time.Duration { return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute }
	from, to = at(h1, m1), at(h2, m2)
	switch {
	case from > 24*time.Hour || to > 24*time.Hour:
		return 0, 0, fmt.Errorf("quiet hours %q: there is no such time of the day", text)
	case from == to:
		return 0, 0, fmt.Errorf("quiet hours %q end when they begin: they would last for ever, or never", text)
	}
	return from, to, nil
}

// ParsePause reads `3s-20s`, or one length for all pauses.
func ParsePause(text string) (shortest, longest time.Duration, err error) {
	from, to, isRange := strings.Cut(text, "-")
	if !isRange {
		to = from
	}
	shortest, err = time.ParseDuration(strings.TrimSpace(from))
	if err == nil {
		longest, err = time.ParseDuration(strings.TrimSpace(to))
	}
	switch {
	case err != nil:
		return 0, 0, fmt.Errorf("pause %q: write it as 3s-20s", text)
	case shortest <= 0:
		return 0, 0, fmt.Errorf("pause %q: there is always one between two exports; leave it out for %v to %v", text, usualMinPause, usualMaxPause)
	case longest < shortest:
		return 0, 0, fmt.Errorf("pause %q: the shorter one comes first", text)
	case longest > longestPause:
		return 0, 0, fmt.Errorf("pause %q: longer than %v is none; use quiet hours", text, longestPause)
	}
	return shortest, longest, nil
}
