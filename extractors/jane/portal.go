// Package jane reads a clinic's reports out of its practice-management portal, the way its billing clerk would: it signs
// in, checks that the account may see billing and no more, exports each report, and signs out.
//
// It opens no screen but those, reads no table off a screen, and takes the exported files from package browser, which
// keeps them in memory and stops every request that the profile does not allow. What it knows about the portal's pages
// stands in profile.yaml.
//
// A Portal works through its orders in visits: one visit is one browser and one sign-in. What is tried again after a
// failure, how often, and what never is, stands in course.go.
package jane

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/browser"
)

// Config says what to read, from where, and as whom. BaseURL, Account and Orders are required.
type Config struct {
	// BaseURL is the portal's address, as ParseAddress takes it.
	BaseURL string
	// Account is what to sign in with.
	Account Credentials
	// Orders are the exports to bring home, in that order; Profile.Orders plans them.
	Orders []extractors.Order
	// ObservedOn is the local day whose end the reports show; if zero, the last day of the orders that do not look ahead.
	ObservedOn civil.Date
	// Format is csv or xlsx; csv if empty.
	Format string
	// Progress, if set, is told what happens, from one goroutine.
	Progress func(Event)
	// Pause, if set, is called before each report and returns when it may begin. Its error ends the run.
	Pause func(ctx context.Context) error
	// Budget, if set, is told before each report, and at the end, how many requests were sent to the portal since it was
	// told last. Its error ends the run; the one at the end is left out.
	Budget func(requests int) error
	// Check, if set, looks into a report before it is yielded. A *extractors.Failure of the cause export_incomplete has
	// it exported once more; every other error ends the run. It must not keep the report's Body.
	Check func(ctx context.Context, report extractors.Report) error
	// Politeness spaces the requests out.
	Politeness Politeness
	// State is what KeepState was given last, for the portal to know the browser again; empty at first. It is a
	// credential: whoever keeps it encrypts it.
	State []byte
	// KeepState, if set, is given the state to keep after each sign-in and at the end of each visit.
	KeepState func([]byte)
	// Snapshot, if set, is given how a page looked that was not as the profile describes it, or hung, without what it said:
	// see browser.Snapshot. It returns where that is kept, for the message.
	Snapshot func(browser.Snapshot) (where string, err error)
	// Access, if set, is given the lines of the access ledger in their order, from one goroutine at a time.
	Access func(extractors.Access)
	// Profile describes the portal's pages; the program's own if nil.
	Profile *Profile
	// Timeouts bound every wait; zero ones take their defaults.
	Timeouts Timeouts
	// Browser says which browser to start and how. Its Origin, Rules, Tolerated, Words and OnAnswer are set here.
	Browser browser.Config
	// Visit begins a visit: starts a browser, signs in and checks the account. The real one if nil.
	Visit func(ctx context.Context) (Visit, error)
	// Clock is what time it is, Wait lets time pass, Random draws the pauses. The real ones if nil.
	Clock  func() time.Time
	Wait   func(ctx context.Context, d time.Duration) error
	Random *rand.Rand
}

// A Visit is one sign-in to the portal, from the start of a browser to its end. It is used by one goroutine.
type Visit interface {
	// Export takes one report out of the portal. Errors are of type *extractors.Failure, or the context's own. After one
	// the visit can be used again if what failed was the report, and not the browser or the session.
	Export(ctx context.Context, order extractors.Order) (extractors.Report, error)
	// Leave signs out if it can, also after ctx has ended, and ends the browser in any case.
	Leave(ctx context.Context)
}

// Timeouts bound what is waited for.
type Timeouts struct {
	// Open bounds the opening of the application, 30 seconds if zero.
	Open time.Duration
	// Element bounds the wait for an element that should be there, 15 seconds if zero.
	Element time.Duration
	// Answer bounds one question to a page, 10 seconds if zero. A page that takes longer hangs.
	Answer time.Duration
	// Report bounds the computation of a report on its screen, 2 minutes if zero.
	Report time.Duration
	// Export bounds the wait for an export's file, 5 minutes if zero.
	Export time.Duration
	// Download bounds the transfer of a file, 5 minutes if zero.
	Download time.Duration
	// SignOut bounds signing out at the end, also after the context has ended; 10 seconds if zero.
	SignOut time.Duration
}

func (t *Timeouts) withDefaults() {
	for _, d := range []struct {
		set   *time.Duration
		value time.Duration
	}{
		{&t.Open, 30 * time.Second}, {&t.Element, 15 * time.Second}, {&t.Answer, 10 * time.Second}, {&t.Report, 2 * time.Minute},
		{&t.Export, 5 * time.Minute}, {&t.Download, 5 * time.Minute}, {&t.SignOut, 10 * time.Second},
	} {
		if *d.set == 0 {
			*d.set = d.value
		}
	}
}

// A Step is a part of the work that progress is told of.
type Step string

// The steps, in their order. Those from OpenReport to Downloaded repeat for every export.
const (
	StartBrowser Step = "start the browser"
	SignIn       Step = "sign in"
	SecondFactor Step = "answer the second factor"
	CheckAccess  Step = "check the account's access"
	OpenReport   Step = "open the report"
	AwaitExport  Step = "wait for the export"
	Downloaded   Step = "downloaded"
	SignOut      Step = "sign out"
	// Remark is no step: Note says something that a person should know.
	Remark Step = "remark"
)

// An Event tells of progress.
type Event struct {
	Step Step
	// Report and Range are set from OpenReport to Downloaded; Number of Total counts the exports, from 1.
	Report        string
	Range         extractors.Window
	Number, Total int
	// Rows is what the screen says of the report, from AwaitExport on; Bytes the file's length, with Downloaded.
	Rows, Bytes int
	Note        string
	// Again is set, with a Remark, where something is tried again: why.
	Again extractors.Cause
}

// A Portal is one clinic's portal as a source of reports.
type Portal struct {
	cfg     Config
	profile *Profile
	origin  browser.Origin

	mu sync.Mutex
	// rejected is the failure after which the credentials are not tried again.
	rejected error
	// ledgers count the requests of each visit.
	ledgers []*browser.Ledger
	kept    kept
	// now is the number of the order at work, from 1, for progress.
	now int
}

var _ extractors.Source = (*Portal)(nil)

// New checks a configuration. It contacts nobody.
func New(cfg Config) (*Portal, error) {
	p, err := prepare(cfg)
	if err != nil {
		return nil, err
	}
	if len(cfg.Orders) == 0 {
		return nil, errors.New("no report is ordered from the portal")
	}
	seen := map[string]bool{}
	for _, order := range cfg.Orders {
		switch _, known := p.profile.report(order.Report); {
		case !known:
			return nil, fmt.Errorf("the portal profile has no report %q", order.Report)
		case order.Window.IsZero() || order.Window.Days() < 1:
			return nil, fmt.Errorf("the range %s of report %s holds no day", order.Window, order.Report)
		case seen[order.ID()]:
			return nil, fmt.Errorf("%s is ordered twice", order.ID())
		}
		seen[order.ID()] = true
	}
	if p.cfg.ObservedOn == (civil.Date{}) {
		p.cfg.ObservedOn = p.profile.lastDay(cfg.Orders)
	}
	return p, nil
}

// prepare checks all of a configuration but its orders, and fills in what it leaves out.
func prepare(cfg Config) (*Portal, error) {
	address, err := ParseAddress(cfg.BaseURL)
	if err != nil {
		return nil, err
	}
	p := &Portal{cfg: cfg, profile: cfg.Profile}
	if p.origin, err = browser.ParseOrigin(address); err != nil {
		return nil, err
	}
	if !cfg.Account.complete() {
		return nil, errors.New("an account's name and password are needed to sign in to the portal")
	}
	if p.profile == nil {
		if p.profile, err = DefaultProfile(); err != nil {
			return nil, err
		}
	}
	if p.cfg.Format == "" {
		p.cfg.Format = "csv"
	}
	if _, ok := p.profile.Export.Formats[p.cfg.Format]; !ok {
		return nil, fmt.Errorf("the format %q is not one that the portal exports: use csv or xlsx", p.cfg.Format)
	}
	if p.cfg.Politeness, err = cfg.Politeness.orDefault(p.origin); err != nil {
		return nil, err
	}
	p.kept = readKept(cfg.State)
	p.cfg.withDefaults()
	if p.cfg.Visit == nil {
		p.cfg.Visit = func(ctx context.Context) (Visit, error) { return p.visit(ctx) }
	}
	return p, nil
}

// withDefaults fills in what is done by somebody else.
func (c *Config) withDefaults() {
	if c.Progress == nil {
		c.Progress = func(Event) {}
	}
	if c.Pause == nil {
		c.Pause = context.Cause
	}
	if c.Budget == nil {
		c.Budget = func(int) error { return nil }
	}
	if c.Check == nil {
		c.Check = func(context.Context, extractors.Report) error { return nil }
	}
	if c.KeepState == nil {
		c.KeepState = func([]byte) {}
	}
	if c.Access == nil {
		c.Access = func(extractors.Access) {}
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Wait == nil {
		c.Wait = wait
	}
	if c.Random == nil {
		c.Random = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	c.Timeouts.withDefaults()
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Ledger counts the requests of all visits until now, allowed and refused: of the one after a session that has ended and
// of the one before.
func (p *Portal) Ledger() *browser.Ledger {
	p.mu.Lock()
	defer p.mu.Unlock()
	return browser.Together(p.ledgers...)
}

// Reports works through the orders. Whatever happens it leaves no browser behind, and is signed out if the portal can
// still be reached. Each order is yielded at most once. After a failure whose cause rejects the account the same Portal
// does not sign in again: every further call returns the same failure.
func (p *Portal) Reports(ctx context.Context, each func(extractors.Report) error) error {
	p.mu.Lock()
	rejected := p.rejected
	p.mu.Unlock()
	if rejected != nil {
		return rejected
	}
	err := (&course{portal: p, cfg: &p.cfg}).run(ctx, each)
	if failure, ok := errors.AsType[*extractors.Failure](err); ok && failure.Cause.RejectsAccount() {
		p.mu.Lock()
		p.rejected = err
		p.mu.Unlock()
	}
	return err
}

// Orders plans the exports that bring reports home for a window: the named ones, or all of the profile's. ahead is how
// many days after the window bookings are read, since they count as engagement.
func (p *Profile) Orders(w extractors.Window, ahead int, reports ...string) ([]extractors.Order, error) {
	for _, name := range reports {
		if _, known := p.report(name); !known {
			return nil, fmt.Errorf("the portal profile has no report %q", name)
		}
	}
	var orders []extractors.Order
	for _, kind := range p.Kinds() {
		if len(reports) == 0 || slices.Contains(reports, kind.Name) {
			orders = append(orders, kind.Orders(w, ahead)...)
		}
	}
	return orders, nil
}

func (p *Profile) report(name string) (report, bool) {
	at := slices.IndexFunc(p.Reports, func(r report) bool { return r.Name == name })
	if at < 0 {
		return report{}, false
	}
	return p.Reports[at], true
}

// lastDay is the last day of orders, those aside that look ahead.
func (p *Profile) lastDay(orders []extractors.Order) (last civil.Date) {
	for _, back := range []bool{true, false} {
		for _, order := range orders {
			r, _ := p.report(order.Report)
			if back == (r.Period != extractors.BookingsAhead) && last.Before(order.Window.To) {
				last = order.Window.To
			}
		}
		if last != (civil.Date{}) {
			break
		}
	}
	return last
}
