package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/transforms"
	"github.com/falloff-analytics/falloff/transforms/secret"
	"github.com/falloff-analytics/falloff/transforms/settings"
)

// A Portal is where a clinic's reports are ordered.
type Portal interface {
	// Kinds are the reports that it offers, in the order in which they are read, and how each is asked for.
	Kinds() []extractors.ReportKind
	// Visit prepares to bring these orders home, in this order, one report for each. It contacts nobody yet.
	Visit(orders []extractors.Order, w Watch) (extractors.Source, error)
}

// Watch is how a run follows what a source does in the portal. Its functions are called by one goroutine at a time.
type Watch struct {
	// ObservedOn is the day whose end the reports show.
	ObservedOn civil.Date
	// Check looks into a report before it is given. A *extractors.Failure of the cause export_incomplete means that it is not
	// whole, and may be exported again; every other error ends the run.
	Check func(ctx context.Context, report extractors.Report) error
	// Before is called before each report is asked for, and returns when it may be. Its error ends the run.
	Before func(ctx context.Context) error
	// Budget is told, before each report and at the end, how many requests were sent since it was told last.
	Budget func(requests int) error
	// Access is given what was done in the portal, line by line.
	Access func(extractors.Access)
}

// ExtractOptions say what to extract, from where, and as whom.
type ExtractOptions struct {
	Portal Portal
	// Credentials is the random id of what the portal is signed in to with: never anything of it.
	Credentials string
	// Account is the account's name: of the portal's activity log, its lines alone are read.
	Account secret.Bytes
	// Begun, if set, is called once it is clear which run this is, before anything is asked for. Its error ends the run.
	Begun func(ctx context.Context, run string) error
	// SigningIn, if set, is called before a sign-in. Its error keeps it from being made.
	SigningIn func(ctx context.Context) error
	// Settings is the clinic's clinic.yaml; nil takes the one in the lake.
	Settings *settings.Clinic
	Plan     PlanOptions
	// Once says that a day which a run has landed already is not read again. It is for whoever orders a day and may order it twice,
	// not knowing what became of the first time.
	Once bool
	// Seal seals what is kept of a run until it lands.
	Seal Cipher
	// Budget is how many requests a day the portal is asked at most, DefaultBudget if zero, any number if negative.
	Budget   int
	Progress Progress
}

// Extracted says what a run brought home.
type Extracted struct {
	Ingested
	// Run names the run in the state and in the checkpoint, Day is D.
	Run string     `json:"run"`
	Day civil.Date `json:"day"`
	// Orders is how many reports the plan has; Resumed of them had been read by a run that was cut short.
	Orders  int `json:"orders"`
	Resumed int `json:"resumed"`
	// Accesses is how many lines of the access ledger the run has landed.
	Accesses int `json:"access_lines"`
	// Discarded says why an unfinished run was not resumed, empty where there was none.
	Discarded string `json:"discarded,omitempty"`
}

// extractionRecord is the run in progress, as its register keeps it.
type extractionRecord struct {
	Run     string     `json:"run,omitempty"` // empty when none is in progress
	Format  int        `json:"format,omitempty"`
	Day     civil.Date `json:"day,omitzero"`
	Started time.Time  `json:"started,omitzero"`
	// Reading is a digest of what rows are made with: the clinic's keys and its settings.
	Reading string `json:"reading,omitempty"`
	Plan    Plan   `json:"plan,omitzero"`
	// Done is how many of the plan's orders are staged.
	Done int `json:"done,omitempty"`
	// Resumed is how often the run was taken up again.
	Resumed int `json:"resumed,omitempty"`
}

// portalSource is the checkpoint of extraction in the lake's commits.
const portalSource = "portal"

// portalCheckpoint is what a commit says of the run that made it.
type portalCheckpoint struct {
	Run    string     `json:"run"`
	Day    civil.Date `json:"day"`
	Orders int        `json:"orders"`
	// Newest is the newest day that any run was about, zero in checkpoints of before it was kept: Day then.
	Newest civil.Date `json:"newest,omitzero"`
	// History is the longest history that runs from its first day on have read, up to the newest such day; nil for none.
	History *pastRead `json:"history,omitempty"`
	// Costs are what exports took in requests, by report.
	Costs costs `json:"costs,omitempty"`
}

// pastRead is a history that was read.
type pastRead struct {
	From civil.Date `json:"from"`
	Day  civil.Date `json:"day"`
}

// checkpointIn reads a commit's checkpoint. One that cannot be read says nothing.
func checkpointIn(body json.RawMessage) portalCheckpoint {
	var c portalCheckpoint
	if body == nil || json.Unmarshal(body, &c) != nil {
		return portalCheckpoint{}
	}
	return c
}

// next is the checkpoint of a run that lands on this one. A history that is neither longer nor newer in all is forgotten for the newer:
// whoever ordered the longer one again would have it read again, which loses nothing.
func (c portalCheckpoint) next(r extractionRecord, orders int, spent costs) portalCheckpoint {
	n := portalCheckpoint{Run: r.Run, Day: r.Day, Orders: orders, Newest: r.Day, History: c.History, Costs: c.Costs.with(spent)}
	if newest := c.newest(); newest.After(n.Newest) {
		n.Newest = newest
	}
	if from := r.Plan.From; from.IsValid() && !n.covers(from, r.Day) {
		n.History = &pastRead{From: from, Day: r.Day}
	}
	return n
}

func (c portalCheckpoint) newest() civil.Date {
	if c.Newest.IsValid() {
		return c.Newest
	}
	return c.Day
}

// covers says that a history from a day on, up to another, was read.
func (c portalCheckpoint) covers(from, day civil.Date) bool {
	h := c.History
	return h != nil && !from.Before(h.From) && !day.After(h.Day)
}

// has says that what a plan asks for has landed.
func (c portalCheckpoint) has(p PlanOptions) bool {
	if p.From.IsValid() {
		return c.covers(p.From, p.Day)
	}
	return c.newest().IsValid() && !p.Day.After(c.newest())
}

// extraction is one process's part in a run.
type extraction struct {
	site        *Site
	o           ExtractOptions
	progress    Progress
	transformer *transforms.Transformer
	settings    []byte // to be stored with the commit, nil where the lake has them
	reading     string

	tenure  *tenure
	took    time.Time // when the lease was taken
	record  record[extractionRecord]
	run     extractionRecord
	version int64
	ledger  *accessLedger
	budget  *budget
	costs   costs
	staging staging
	// parts are the reports that are read, in the plan's order.
	parts []part
	// checked is the report that was looked into last.
	checked checkedReport
	// begun says that a sign-in was begun, taken that the portal let us in.
	begun, taken bool
	// intended says that an intent was noted.
	intended bool
	out      *Extracted
}

// Extract brings a run's reports home and lands them in one commit: all, or nothing of them. A run that was cut short is
// resumed with the reports that it had read. What is returned beside an error says how far it came.
//
// Only one run at a time works on a clinic, whichever machine it is on. Credentials that the portal has refused are not
// tried again, and a paused clinic is left alone.
func (s *Site) Extract(ctx context.Context, o ExtractOptions) (*Extracted, error) {
	x := &extraction{site: s, o: o, progress: o.Progress.orSilent(), out: &Extracted{Day: o.Plan.Day}}
	if err := x.prepare(ctx); err != nil {
		return x.out, err
	}
	return x.out, x.hold(ctx, x.conduct)
}

// hold does something under the clinic's lease, until it ends, the lease is lost, or the clinic is paused.
func (x *extraction) hold(ctx context.Context, do func(ctx context.Context) error) error {
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var err error
	if x.tenure, err = x.site.take(working, x.site.tenant(), stop); err != nil {
		return err
	}
	x.took = x.site.clock().UTC()
	defer x.tenure.release(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		x.site.watchHold(working, stop)
	}()
	defer func() {
		stop(nil)
		<-watched
	}()
	if err = x.site.bury(working, x.tenure.before); err == nil {
		err = do(working)
	}
	if cause := context.Cause(working); err != nil && cause != nil && (ctx.Err() == nil || stoppedFor(ctx) != nil) {
		err = cause // the run was stopped: its own errors are what that looked like from inside
	}
	return x.close(ctx, err)
}

// prepare does what needs neither lease nor portal.
func (x *extraction) prepare(ctx context.Context) error {
	clinic, stored, err := x.site.clinicSettings(ctx, x.o.Settings)
	if err != nil {
		return err
	}
	erased, err := x.site.erasedBefore(ctx)
	if err != nil {
		return err
	}
	x.transformer, err = transforms.New(transforms.Options{
		Keys: x.site.Keys, Settings: clinic, Account: string(x.o.Account.Expose()), Identities: x.site.recovery, Erased: erased,
	})
	if err != nil {
		return err
	}
	body, err := clinic.JSON()
	if err != nil {
		return err
	}
	zone, err := clinic.Zone()
	if err != nil {
		return err
	}
	sum := sha256.New()
	sum.Write([]byte(x.site.Keys.Check()))
	sum.Write(body)
	_, _ = fmt.Fprintln(sum, x.site.recovery)
	x.reading, x.settings = hex.EncodeToString(sum.Sum(nil)[:16]), stored
	x.record = recordOf[extractionRecord](x.site, extractionRegister, "keeping how far the run has come")
	if x.ledger, err = newAccessLedger(x.site, zone, x.o.Plan.Day); err != nil {
		return err
	}
	x.budget = newBudget(x.site, zone, x.o.Budget)
	return nil
}

// conduct is the run, under the lease.
func (x *extraction) conduct(ctx context.Context) error {
	if err := x.site.noErasureBegun(ctx); err != nil {
		return err
	}
	hold, err := x.site.Hold(ctx)
	if err != nil {
		return err
	}
	if err := hold.refusal(x.o.Credentials); err != nil {
		return err
	}
	landed, err := x.resumeOrBegin(ctx, hold)
	if err != nil {
		return err
	}
	if x.o.Begun != nil {
		if err := x.o.Begun(ctx, x.out.Run); err != nil {
			return err
		}
	}
	if !landed {
		if err := x.bring(ctx); err != nil {
			return err
		}
		if err := x.land(ctx); err != nil {
			return err
		}
	}
	return storage("clearing up", x.site.Clinic.Unstage(ctx, ""))
}
