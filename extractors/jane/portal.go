// Package jane reads a clinic's reports out of its practice-management portal, the way its billing clerk would: it signs
// in, checks that the account may see billing and no more, exports each report, and signs out.
//
// It opens no screen but those, reads no table off a screen, and takes the exported files from package browser, which
// keeps them in memory and stops every request that the profile does not allow. What it knows about the portal's pages
// stands in profile.yaml.
package jane

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/browser"
)

// Config says what to read, from where, and as whom. BaseURL, Account and Window are required.
type Config struct {
	// BaseURL is the portal's address, as ParseAddress takes it.
	BaseURL string
	// Account is what to sign in with.
	Account Credentials
	// Window is the range of days to read.
	Window extractors.Window
	// BookingsAhead is how many days after the window appointments are read, since bookings count as engagement: 180 if
	// zero, none if negative.
	BookingsAhead int
	// ObservedOn is the local day whose end the reports show; the window's last day if zero.
	ObservedOn civil.Date
	// Format is csv or xlsx; csv if empty.
	Format string
	// Reports are the names of the profile's reports to read; all if empty.
	Reports []string
	// Progress, if set, is told what happens, from one goroutine.
	Progress func(Event)
	// Pause, if set, is called before each report and returns when it may begin. Its error ends the run.
	Pause func(ctx context.Context) error
	// Profile describes the portal's pages; the program's own if nil.
	Profile *Profile
	// Timeouts bound every wait; zero ones take their defaults.
	Timeouts Timeouts
	// Browser says which browser to start and how. Its Origin, Rules, Words and OnAnswer are set here.
	Browser browser.Config
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
	// SignOut bounds signing out at the end, also after the context has ended; 3 seconds if zero.
	SignOut time.Duration
}

func (t *Timeouts) withDefaults() {
	for _, d := range []struct {
		set   *time.Duration
		value time.Duration
	}{
		{&t.Open, 30 * time.Second}, {&t.Element, 15 * time.Second}, {&t.Answer, 10 * time.Second}, {&t.Report, 2 * time.Minute},
		{&t.Export, 5 * time.Minute}, {&t.Download, 5 * time.Minute}, {&t.SignOut, 3 * time.Second},
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
}

// A Portal is one clinic's portal as a source of reports.
type Portal struct {
	cfg     Config
	profile *Profile
	origin  browser.Origin
	exports []export

	mu sync.Mutex
	// rejected is the failure after which the credentials are not tried again.
	rejected error
	ledger   *browser.Ledger
}

var _ extractors.Source = (*Portal)(nil)

// New checks a configuration. It contacts nobody.
func New(cfg Config) (*Portal, error) {
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
	if cfg.Window.IsZero() || cfg.Window.Days() < 1 {
		return nil, fmt.Errorf("the range %s holds no day", cfg.Window)
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
	if p.cfg.BookingsAhead == 0 {
		p.cfg.BookingsAhead = 180
	}
	if p.cfg.ObservedOn == (civil.Date{}) {
		p.cfg.ObservedOn = cfg.Window.To
	}
	if p.cfg.Progress == nil {
		p.cfg.Progress = func(Event) {}
	}
	if p.cfg.Pause == nil {
		p.cfg.Pause = context.Cause
	}
	p.cfg.Timeouts.withDefaults()
	return p, p.plan()
}

// An export is one report over one range.
type export struct {
	report
	window extractors.Window
}

func (p *Portal) plan() error {
	for _, name := range p.cfg.Reports {
		if !slices.ContainsFunc(p.profile.Reports, func(r report) bool { return r.Name == name }) {
			return fmt.Errorf("the portal profile has no report %q", name)
		}
	}
	for _, r := range p.profile.Reports {
		if len(p.cfg.Reports) > 0 && !slices.Contains(p.cfg.Reports, r.Name) {
			continue
		}
		for _, o := range r.kind().Orders(p.cfg.Window, p.cfg.BookingsAhead) {
			p.exports = append(p.exports, export{r, o.Window})
		}
	}
	return nil
}

// Ledger counts the requests of the last run, allowed and refused; nil before the first.
func (p *Portal) Ledger() *browser.Ledger {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ledger
}

// Reports signs in, reads every report and signs out. Whatever happens it leaves no browser behind, and is signed out
// if the portal can still be reached. After wrong_password, account_locked or account_deactivated the same Portal does
// not sign in again: every further call returns the same failure.
func (p *Portal) Reports(ctx context.Context, each func(extractors.Report) error) (err error) {
	p.mu.Lock()
	rejected := p.rejected
	p.mu.Unlock()
	if rejected != nil {
		return rejected
	}
	r := &run{cfg: p.cfg, profile: p.profile, origin: p.origin, timeouts: p.cfg.Timeouts}
	r.cfg.Progress(Event{Step: StartBrowser})
	if err := r.start(ctx); err != nil {
		return err
	}
	p.mu.Lock()
	p.ledger = r.session.Ledger()
	p.mu.Unlock()
	defer func() {
		if closing := r.session.Close(); closing != nil && err == nil {
			err = closing
		}
	}()

	working, stop := r.working(ctx)
	defer stop()
	err = r.signInAndCheck(working)
	if err == nil {
		err = r.all(working, p.exports, each)
	}
	r.leave(ctx)

	if failure, ok := errors.AsType[*extractors.Failure](err); ok {
		switch failure.Cause {
		case extractors.WrongPassword, extractors.AccountLocked, extractors.AccountDeactivated:
			p.mu.Lock()
			p.rejected = err
			p.mu.Unlock()
		}
	}
	return err
}

// A run is one visit to the portal.
type run struct {
	cfg      Config
	profile  *Profile
	origin   browser.Origin
	timeouts Timeouts
	session  *browser.Session
	answers  answers
	main     *screen
	signedIn bool
	// inspect, if set, is told what the contract of each screen finds; a difference then ends nothing.
	inspect func([]Finding)
	// clinic is what the files so far call the clinic.
	clinic string
}

// start starts the browser. It must outlive ctx, so that there is time to sign out; only its start ends with ctx.
func (r *run) start(ctx context.Context) error {
	life, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	cfg := r.cfg.Browser
	cfg.Origin, cfg.Rules, cfg.OnAnswer = r.origin, r.profile.Requests, r.answers.note
	cfg.Words = slices.Concat(r.profile.Forbidden, r.profile.Words)
	session, err := browser.Start(life, cfg)
	if err == nil && !stop() {
		err = errors.Join(context.Cause(ctx), session.Close())
	}
	if err != nil {
		cancel(err)
		if ctx.Err() != nil {
			return fmt.Errorf("starting the browser: %w", context.Cause(ctx))
		}
		failure := fail(extractors.BrowserCrashed, "starting the browser", err)
		if errors.Is(err, browser.ErrNoBrowser) {
			// The error says itself what to do.
			failure.Cause, failure.Hint = extractors.BrowserMissing, ""
		}
		return failure
	}
	context.AfterFunc(session.Context(), func() { cancel(nil) })
	r.session = session
	for _, note := range session.Notes() {
		r.cfg.Progress(Event{Step: Remark, Note: note})
	}
	return nil
}

// working is a context that ends with ctx and with the browser.
func (r *run) working(ctx context.Context) (context.Context, func()) {
	working, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(r.session.Context(), func() { cancel(context.Cause(r.session.Context())) })
	return working, func() { stop(); cancel(nil) }
}

func (r *run) all(ctx context.Context, exports []export, each func(extractors.Report) error) error {
	for i, e := range exports {
		if err := r.cfg.Pause(ctx); err != nil {
			return r.named(ctx, "pausing before "+e.Name, err)
		}
		doing := fmt.Sprintf("exporting %s %s", e.Name, e.window)
		file, err := r.export(ctx, e, Event{Report: e.Name, Range: e.window, Number: i + 1, Total: len(exports)})
		if err != nil {
			return r.named(ctx, doing, err)
		}
		if err := each(file); err != nil {
			return err
		}
	}
	return nil
}
