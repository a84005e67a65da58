package browser

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/cdp"
	"github.com/go-rod/rod/lib/proto"
)

// Config says what browser to start and what it may do. Only Origin and Rules are required.
type Config struct {
	// Origin is the portal's; everything else is refused.
	Origin Origin
	// Rules is the allow-list.
	Rules []Rule
	// Tolerated are refused writes to the portal that do not end the session.
	Tolerated []Tolerated
	// Words are segments of the portal's paths, beside those in Rules, that the ledger may print.
	Words []string
	// Selectors are the profile's: a Snapshot may spell out the words in them.
	Selectors []string
	// Executable is the path or name of the Chromium to start; see Find.
	Executable string
	// Download allows Find to download a browser where there is none.
	Download bool
	// ScratchParent is the directory in which the session makes its own; empty for memory where there is a tmpfs.
	ScratchParent string
	// StartTimeout bounds the start of the browser; 30 seconds if zero.
	StartTimeout time.Duration
	// ConnectTimeout bounds a connection to the portal; 15 seconds if zero.
	ConnectTimeout time.Duration
	// MaxExport bounds an export, in bytes; 512 MB if zero.
	MaxExport int
	// OnAnswer, if set, is told of every answer of the portal before the page sees it. It must return at once.
	OnAnswer func(Answer)
	// OnAccess, if set, is told by the proxy of every request that a rule with Access allowed, once its answer has been
	// passed on or has failed: from goroutines of its own, one call at a time, the last before Close returns.
	OnAccess func(Access)
	// State is what an earlier session's State returned, for the portal to recognise the browser by.
	State State
	// UserAgent is the name that the portal is told; if empty Chromium's own, and after it who we are.
	UserAgent string

	// For tests: roots are trusted in place of the system's, and dial reaches servers under any name. wayOut replaces the
	// proxy and unguarded takes interception away, to prove each wall without the other; trusted are the pins of
	// certificates that the browser then takes, and flags are more of Chromium's.
	roots     *x509.CertPool
	dial      func(ctx context.Context, network, address string) (net.Conn, error)
	wayOut    string
	unguarded bool
	trusted   []string
	flags     []string
}

func (c *Config) withDefaults() {
	if c.StartTimeout == 0 {
		c.StartTimeout = 30 * time.Second
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 15 * time.Second
	}
	if c.MaxExport == 0 {
		c.MaxExport = 512 << 20
	}
	if c.dial == nil {
		c.dial = (&net.Dialer{Timeout: c.ConnectTimeout}).DialContext
	}
	if c.OnAnswer == nil {
		c.OnAnswer = func(Answer) {}
	}
	if c.OnAccess == nil {
		c.OnAccess = func(Access) {}
	}
}

// named makes the browser's own name into the one that the portal is told.
func (c *Config) named(browsers string) string {
	if c.UserAgent != "" {
		return c.UserAgent
	}
	version := "dev"
	if build, ok := debug.ReadBuildInfo(); ok && strings.HasPrefix(build.Main.Version, "v") {
		version = build.Main.Version
	}
	return strings.TrimSpace(browsers + " falloff/" + version + " (read-only billing extraction)")
}

// ErrCrashed is the cause of a session's context when the browser or one of its tabs has ended by itself.
var ErrCrashed = errors.New("the browser crashed")

var errClosed = errors.New("the browser session is closed")

// A Session is a running Chromium under guard. It keeps no state on any disk: cookies, caches and storage live in the
// memory of an off-the-record context and end with it.
type Session struct {
	cfg     Config
	scratch *scratch
	process *process
	files   [2]*os.File
	pipe    *pipe
	referee *referee
	guard   *guard
	proxy   *proxy
	rod     *rod.Browser
	ledger  *Ledger
	notes   []string

	ctx    context.Context
	cancel context.CancelCauseFunc
	// watching waits for the goroutines that the session itself started.
	watching sync.WaitGroup

	mu          sync.Mutex
	unreachable error
	// replacing is the tab that is being killed on purpose.
	replacing *replacement

	closing sync.Once
	closed  error
}

// Start finds and starts a browser. The session lives until Close, or until ctx ends, and Close must be called in both
// cases.
func Start(ctx context.Context, cfg Config) (*Session, error) {
	cfg.withDefaults()
	p, err := newPolicy(cfg)
	if err != nil {
		return nil, fmt.Errorf("starting the browser: %w", err)
	}
	executable, err := Find(ctx, cfg.Executable, cfg.Download)
	if err != nil {
		return nil, err
	}
	s := &Session{cfg: cfg, ledger: newLedger()}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	if err := s.start(executable, p); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Session) start(executable string, p *policy) error {
	var swept int
	var err error
	if s.scratch, swept, err = newScratch(s.cfg.ScratchParent); err != nil {
		return err
	}
	if swept > 0 {
		s.notef("removed what %d dead browser session(s) had left behind", swept)
	}
	if !s.scratch.inMemory {
		s.notef("this system has no memory file system: the browser's profile lies in a private directory on disk until the session ends")
	}
	s.referee = newReferee(s.ctx, p, s.ledger, func(err error) { s.cancel(err) })
	s.guard = &guard{referee: s.referee, answer: s.cfg.OnAnswer, ctx: s.ctx}
	s.proxy, err = startProxy(proxyConfig{
		referee: s.referee, reached: s.reached, access: s.cfg.OnAccess, userAgent: s.cfg.named, maxExport: s.cfg.MaxExport,
		dial: s.cfg.dial, roots: s.cfg.roots, now: time.Now,
	})
	if err != nil {
		return fmt.Errorf("starting the browser's proxy: %w", err)
	}
	unsandboxed := sandboxUnavailable()
	if unsandboxed {
		s.notef("the browser runs without its sandbox, because falloff runs as root or in a container")
	}
	if err := s.launch(executable, unsandboxed); err != nil {
		return err
	}
	starting, cancel := context.WithTimeout(s.ctx, s.cfg.StartTimeout)
	defer cancel()
	if err := s.connect(starting); err != nil {
		if errors.Is(err, ErrCrashed) {
			// Its end of the pipe closes before its last words have come through.
			select {
			case <-s.process.ended:
			case <-time.After(lastWords):
			}
		}
		if line := s.process.stderr.lastLine(); line != "" {
			return fmt.Errorf("starting the browser %s: %w; its last words: %s", executable, err, line)
		}
		return fmt.Errorf("starting the browser %s: %w", executable, err)
	}
	s.process.stderr.silence()
	return nil
}

// lastWords is how long a browser that hung up is given to end and say why.
const lastWords = 3 * time.Second

func (s *Session) launch(executable string, unsandboxed bool) error {
	theirIn, ourOut, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("starting the browser: %w", err)
	}
	defer theirIn.Close()
	ourIn, theirOut, err := os.Pipe()
	if err != nil {
		ourOut.Close()
		return fmt.Errorf("starting the browser: %w", err)
	}
	defer theirOut.Close()
	s.files = [2]*os.File{ourOut, ourIn}
	args := arguments(s.scratch, cmp.Or(s.cfg.wayOut, s.proxy.address()), unsandboxed, s.pins())
	if s.cfg.UserAgent != "" {
		args = append(args, "--user-agent="+s.cfg.UserAgent)
	}
	args = append(args, s.cfg.flags...)
	s.process, err = startProcess(executable, args, environment(s.scratch), s.scratch.dir, []*os.File{theirIn, theirOut})
	if err != nil {
		return err
	}
	s.pipe = newPipe(ourOut, ourIn, s.tap)
	s.guard.call = func(ctx context.Context, method string, params any) ([]byte, error) {
		return s.pipe.Call(ctx, "", method, params)
	}
	s.watching.Go(func() {
		select {
		case <-s.process.ended:
		case <-s.pipe.gone:
		}
		s.cancel(ErrCrashed)
	})
	return nil
}

// pins are the digests of the keys that the browser takes for the portal's without asking anybody.
func (s *Session) pins() []string {
	if s.proxy.identity == nil {
		return s.cfg.trusted
	}
	return append([]string{s.proxy.identity.pin}, s.cfg.trusted...)
}

// connect puts the guard up before the first tab exists, and only then lets rod see the browser.
func (s *Session) connect(ctx context.Context) error {
	s.rod = rod.New().ControlURL("").Client(s.pipe).NoDefaultDevice().Trace(false).SlowMotion(0).Monitor("").Context(s.ctx)
	connected := make(chan error, 1)
	s.watching.Go(func() { connected <- s.rod.Connect() })
	select {
	case err := <-connected:
		if err != nil {
			return err
		}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	starting := s.rod.Context(ctx)
	if !s.cfg.unguarded {
		if err := (proto.FetchEnable{Patterns: []*proto.FetchRequestPattern{{URLPattern: "*"}}}).Call(starting); err != nil {
			return err
		}
	}
	private, err := starting.Incognito()
	if err != nil {
		return err
	}
	s.rod = private.Context(s.ctx)
	for _, id := range []proto.BrowserBrowserContextID{"", private.BrowserContextID} {
		deny := proto.BrowserSetDownloadBehavior{Behavior: proto.BrowserSetDownloadBehaviorBehaviorDeny, BrowserContextID: id}
		if err := deny.Call(starting); err != nil {
			return err
		}
	}
	return restore(starting, private.BrowserContextID, s.cfg.Origin, s.cfg.State)
}

// tap sees every event before rod does.
func (s *Session) tap(event *cdp.Event) bool {
	switch event.Method {
	case proto.TargetTargetCrashed{}.ProtoEvent(), proto.InspectorTargetCrashed{}.ProtoEvent():
		s.crashed(event)
	}
	return s.guard.tap(event)
}

func (s *Session) notef(format string, args ...any) {
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}

func (s *Session) reached(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unreachable = nil; err == nil {
		return
	}
	s.unreachable = fmt.Errorf("the portal could not be reached: %s", unreachable(err))
}

// Notes says what a person should know about how the browser runs.
func (s *Session) Notes() []string { return s.notes }

// Ledger counts what the browser asked for. It stays readable after Close.
func (s *Session) Ledger() *Ledger { return s.ledger }

// Context ends with the session. Its cause is ErrCrashed if the browser, or a tab of it, ended by itself, and wraps
// ErrRefusedWrite if something tried to write to the portal.
func (s *Session) Context() context.Context { return s.ctx }

// Unreachable says why the latest attempt to reach the portal failed, nil if it did not.
func (s *Session) Unreachable() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unreachable
}

// Directory is where the browser writes. It is gone after Close.
func (s *Session) Directory() string { return s.scratch.dir }

// Enter says which stage of the work begins. Rules of other stages no longer count.
func (s *Session) Enter(stage string) { s.referee.enter(stage) }

// Capture begins to wait for an export. There can be one at a time.
func (s *Session) Capture() (*Capture, error) { return s.referee.expect() }

// Close ends browser, proxy and everything they own: processes are reaped, directories removed. It may be called more
// than once, from several goroutines, and after the browser has died; every call returns the first one's result.
func (s *Session) Close() error {
	s.closing.Do(func() {
		s.cancel(errClosed)
		var errs []error
		if s.process != nil {
			// There is nothing to save, so there is nothing to ask for politely.
			errs = append(errs, s.process.kill())
		}
		for _, f := range s.files {
			if f != nil {
				f.Close()
			}
		}
		if s.pipe != nil {
			<-s.pipe.gone
			s.guard.running.Wait()
		}
		if s.proxy != nil {
			s.proxy.close()
		}
		s.watching.Wait()
		if s.scratch != nil {
			errs = append(errs, s.scratch.remove())
		}
		s.closed = errors.Join(errs...)
	})
	return s.closed
}
