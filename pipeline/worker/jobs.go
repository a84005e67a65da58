package worker

import (
	"time"

	"cloud.google.com/go/civil"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/falloff-analytics/falloff/pipeline/unit"
)

// Priorities of jobs; River takes the lowest number first.
const (
	PriorityAsked    = 1 // somebody asked for it
	PriorityNightly  = 2
	PriorityCatchUp  = 3 // its night is long over: no worker was there
	PriorityBackfill = 4
)

// The queues. The fleet's own job has one to itself, so that it never waits behind nights.
const (
	nightsQueue = "nights"
	fleetQueue  = "fleet"
)

// mostAttempts bounds how often a job is begun, for whatever reason it has to be begun again. What bounds it in practice is
// the end of its day.
const mostAttempts = 50

// Night is the job of one clinic and day. There is one row of it for good, whatever became of it, so that a day that is done
// is not done again.
type Night struct {
	Clinic string `json:"clinic" river:"unique"`
	// Day is the day whose end the reports show: the clinic's yesterday in the night in which it is read.
	Day civil.Date `json:"day" river:"unique"`
	// Host is the domain that the portal shares with other clinics' portals.
	Host string `json:"host"`
	// Again says that somebody asked for a day that had landed to be read again.
	Again bool `json:"again,omitempty"`
	// Until is when it is given up: when the clinic's day is over, the next night reads what this one did not.
	Until time.Time `json:"until"`
}

// Kind implements river.JobArgs.
func (Night) Kind() string { return "night" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (Night) InsertOpts() river.InsertOpts { return once(PriorityNightly) }

func (n Night) order() unit.Order { return unit.Order{Clinic: n.Clinic, To: n.Day, Once: !n.Again} }

// Backfill is the job of reading a clinic's history from a day on. It may take several days, since a portal is asked only so
// much a day; the clinic's nights meanwhile go on with it before they read their own day.
type Backfill struct {
	Clinic string     `json:"clinic" river:"unique"`
	Day    civil.Date `json:"day" river:"unique"`
	From   civil.Date `json:"from" river:"unique"`
	Host   string     `json:"host"`
	// Again says that somebody asked for a history that had landed to be read again.
	Again bool      `json:"again,omitempty"`
	Until time.Time `json:"until"`
}

// Kind implements river.JobArgs.
func (Backfill) Kind() string { return "backfill" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (Backfill) InsertOpts() river.InsertOpts { return once(PriorityBackfill) }

func (b Backfill) order() unit.Order {
	return unit.Order{Clinic: b.Clinic, From: b.From, To: b.Day, Once: !b.Again}
}

func once(priority int) river.InsertOpts {
	return river.InsertOpts{
		Queue: nightsQueue, Priority: priority, MaxAttempts: mostAttempts,
		UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: rivertype.JobStates()},
	}
}

// tonight is the fleet's own job: it inserts the nights whose time has come.
type tonight struct{}

func (tonight) Kind() string { return "tonight" }

func (tonight) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: fleetQueue, Priority: PriorityAsked, MaxAttempts: 1}
}

// work is what both kinds of jobs have in common.
type work interface {
	river.JobArgs
	order() unit.Order
	host() string
	until() time.Time
}

func (n Night) host() string        { return n.Host }
func (n Night) until() time.Time    { return n.Until }
func (b Backfill) host() string     { return b.Host }
func (b Backfill) until() time.Time { return b.Until }

// Record is what a job's row says of how its newest attempt ended, as River's page and falloff worker jobs show it. It holds no
// identity and no credential.
type Record struct {
	Verdict  unit.Verdict `json:"verdict"`
	Cause    string       `json:"cause,omitempty"`
	Message  string       `json:"message,omitempty"`
	Hint     string       `json:"hint,omitempty"`
	Commit   int64        `json:"commit,omitempty"`
	New      bool         `json:"new"`
	Requests int          `json:"requests,omitempty"`
	Seconds  float64      `json:"seconds"`
	// Tries counts the attempts so far by how they ended.
	Tries map[unit.Verdict]int `json:"tries"`
}
