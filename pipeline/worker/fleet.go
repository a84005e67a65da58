package worker

import (
	"context"
	"fmt"
	"hash/fnv"
	"net"
	"net/url"
	"strings"
	"time"

	"cloud.google.com/go/civil"
	"golang.org/x/net/publicsuffix"
)

// Clinic is one clinic that is read every night.
type Clinic struct {
	ID string
	// Zone is the clinic's, in which its night is.
	Zone *time.Location
	// Host is the domain that its portal shares with others', as Domain gives it.
	Host string
	// Priority is what its nights get instead of PriorityNightly, 0 for that.
	Priority int
}

// Domain gives the domain that a portal's address shares with others of the same maker, as in janeapp.com, since theirs are the machines
// behind all of them. An address that is none, or has no such domain, stands for itself.
func Domain(portal string) string {
	at, err := url.Parse(portal)
	if err != nil || at.Hostname() == "" {
		return portal
	}
	host := strings.ToLower(strings.TrimSuffix(at.Hostname(), "."))
	domain, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil || net.ParseIP(host) != nil {
		return host
	}
	return domain
}

// A Fleet knows the clinics that are connected.
type Fleet interface {
	// Clinics lists them. It is asked every few minutes, and may answer from memory.
	Clinics(ctx context.Context) ([]Clinic, error)
	// Paused says whether a person paused the clinic. It is asked when a night is due, once for each time that it is put off.
	Paused(ctx context.Context, clinic string) (bool, error)
}

// Nights say when clinics are read.
type Nights struct {
	// At is the time of day in the clinic's zone at which the first of them are read; Spread is over how long they are spread.
	At     civil.Time
	Spread time.Duration
}

// DefaultNights begin when portals have done their own work of the night.
func DefaultNights() Nights {
	return Nights{At: civil.Time{Hour: 3, Minute: 15}, Spread: 2 * time.Hour}
}

// catchUpAfter is how late a night is one that is caught up on.
const catchUpAfter = 6 * time.Hour

// begin is when a clinic's night of a date begins: each clinic's own minute, the same every night, and on a night on which that
// time of day does not exist, the time that clocks show instead.
func (n Nights) begin(c Clinic, date civil.Date) time.Time {
	at := time.Date(date.Year, date.Month, date.Day, n.At.Hour, n.At.Minute, n.At.Second, 0, c.Zone)
	if n.Spread <= 0 {
		return at
	}
	hash := fnv.New64a()
	_, _ = fmt.Fprint(hash, c.ID)
	return at.Add(time.Duration(hash.Sum64() % uint64(n.Spread)).Truncate(time.Second))
}

// due gives the night that has come for a clinic, if one has. A day that was missed altogether is none: the next night reads
// what is due by then.
func (n Nights) due(c Clinic, now time.Time) (night Night, priority int, ok bool) {
	today := civil.DateOf(now.In(c.Zone))
	begin := n.begin(c, today)
	if now.Before(begin) {
		return Night{}, 0, false
	}
	priority = PriorityNightly
	if c.Priority != 0 {
		priority = c.Priority
	}
	if now.Sub(begin) > catchUpAfter {
		priority = max(priority, PriorityCatchUp)
	}
	return nightOf(c, today), priority, true
}

// nightOf is the night of a clinic on a date.
func nightOf(c Clinic, date civil.Date) Night {
	return Night{Clinic: c.ID, Day: date.AddDays(-1), Host: c.Host, Until: date.AddDays(1).In(c.Zone)}
}
