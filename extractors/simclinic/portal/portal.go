// Package portal serves the staff portal of a simulated clinic: a JavaScript single-page application with sign-in, report
// screens, asynchronous exports and an activity log, for the extractor's tests and the demo, and for nothing else.
//
// It is meant to be as hard to extract from as a real practice-management system, and as easy to ask questions of as a
// test needs. Filters are remembered between reports and really narrow what is exported; results are cached; exports
// arrive in another tab after a wait; pages that hold clinical and contact records exist, are full of planted
// identities, and are advertised by prefetch links, images, beacons and a WebSocket. Portal.Requests tells every request
// that reached the server, Portal.Trespasses those that an extractor must never send, Portal.Activity what the clinic
// would see in its own log. The methods in faults.go make each failure happen on demand.
//
// Field names, states and the order of steps follow what is publicly known of such systems; text, markup and style are
// our own.
package portal

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"
)

// Options are the portal's dials. The zero value is a portal with the default clerk, both sign-in fields on one screen,
// export waits of 200 to 500 ms and the wall clock.
type Options struct {
	// Accounts that may sign in; none means DefaultClerk alone.
	Accounts []Account
	// PasswordOnSecondScreen asks for the password only after the user name was accepted by its screen.
	PasswordOnSecondScreen bool
	// ExportDelay is how long an export takes at least.
	ExportDelay DelayRange
	// PageSize is the number of rows on a page of a report, 50 where zero.
	PageSize int
	// CacheFor is how long a computed report is shown again before it is computed anew: 15 minutes where zero, not at
	// all where negative.
	CacheFor time.Duration
	// IdleTimeout ends sessions that sent nothing for so long: 2 hours where zero.
	IdleTimeout time.Duration
	// LockAfter is the number of wrong passwords in a row that locks an account, 5 where zero.
	LockAfter int
	// TrustBrowser lets people trust a browser for 30 days, in which it is not asked for a code.
	TrustBrowser bool
	// CodeTolerance is how many time steps a one-time code may be off: 1 where zero, none where negative.
	CodeTolerance int
	// BlockCodesAfter is the number of wrong codes in a row after which codes are blocked, 3 where zero, for
	// BlockCodesFor, 15 minutes where zero.
	BlockCodesAfter int
	BlockCodesFor   time.Duration
	// Clock stamps the activity log and the request log, and decides about idle sessions and cached results. Export
	// waits run on timers, so a clock that stands still does not stall them.
	Clock func() time.Time
	// Rand draws the export waits; a fixed seed where nil.
	Rand *rand.Rand
	// BeforeRequest, where set, is called with each request before it is answered, outside every lock: a test makes a
	// failure happen exactly there, for example a deactivation when an export's state is asked for.
	BeforeRequest func(Request)
	// Wrap, where set, stands between the portal and whoever asks it: a test changes answers there (Mutation.Wrap).
	Wrap func(http.Handler) http.Handler
}

// DelayRange is a wait drawn evenly between two durations. With Max zero it is 200 to 500 ms.
type DelayRange struct{ Min, Max time.Duration }

func (d DelayRange) draw(random *rand.Rand) time.Duration {
	if d.Max <= 0 {
		d = DelayRange{Min: 200 * time.Millisecond, Max: 500 * time.Millisecond}
	}
	if d.Max <= d.Min {
		return d.Min
	}
	return d.Min + time.Duration(random.Int64N(int64(d.Max-d.Min)))
}

// Portal is one clinic's portal. Its methods may be called from any goroutine, also while it serves.
type Portal struct {
	options Options
	pages   *template.Template
	script  []byte
	style   []byte
	handler http.Handler

	directory directory
	sessions  sessions
	proofs    proofs
	results   results
	exports   exports
	faults    faults
	log       activityLog
	requests  requestLog
	cables    cables
}

// New makes a portal over a clinic. It fails only if an account is not usable or the embedded pages are damaged.
func New(clinic Clinic, options Options) (*Portal, error) {
	if len(options.Accounts) == 0 {
		options.Accounts = []Account{DefaultClerk()}
	}
	if options.PageSize <= 0 {
		options.PageSize = 50
	}
	if options.CacheFor == 0 {
		options.CacheFor = 15 * time.Minute
	}
	if options.IdleTimeout <= 0 {
		options.IdleTimeout = 2 * time.Hour
	}
	if options.LockAfter <= 0 {
		options.LockAfter = 5
	}
	if options.CodeTolerance == 0 {
		options.CodeTolerance = 1
	}
	options.CodeTolerance = max(0, options.CodeTolerance)
	if options.BlockCodesAfter <= 0 {
		options.BlockCodesAfter = 3
	}
	if options.BlockCodesFor <= 0 {
		options.BlockCodesFor = 15 * time.Minute
	}
	if options.Clock == nil {
		options.Clock = time.Now
	}
	if options.Rand == nil {
		options.Rand = rand.New(rand.NewPCG(2, 2))
	}
	opened := openOffice(clinic)
	p := &Portal{options: options}
	if err := p.directory.fill(options.Accounts, rememberedFilters(opened)); err != nil {
		return nil, err
	}
	p.results.replace(opened)
	p.exports.open()
	var err error
	if p.pages, p.script, p.style, err = loadAssets(); err != nil {
		return nil, err
	}
	p.handler = p.routes()
	if options.Wrap != nil {
		p.handler = options.Wrap(p.handler)
	}
	return p, nil
}

// Handler serves the portal. Whoever serves it calls Close at the end.
func (p *Portal) Handler() http.Handler { return p.handler }

// Start serves the portal on a free loopback port until stop is called or ctx is done. stop waits for everything the
// portal started, and may be called twice. After it the address refuses connections: a portal that is gone.
func (p *Portal) Start(ctx context.Context) (url string, stop func(), err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("opening a loopback port for the simulated portal: %w", err)
	}
	server := &http.Server{Handler: p.handler, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			p.exports.shut()
		}
	}()
	var once sync.Once
	end := func() {
		once.Do(func() {
			// Close and not Shutdown: a browser keeps idle and upgraded connections for minutes.
			_ = server.Close()
			p.Close()
			<-served
		})
	}
	release := context.AfterFunc(ctx, end)
	return "http://" + listener.Addr().String(), func() { release(); end() }, nil
}

// Close ends running exports and open WebSockets and waits for them.
func (p *Portal) Close() {
	p.cables.closeAll()
	p.exports.shut()
}

func (p *Portal) now() time.Time { return p.options.Clock() }
