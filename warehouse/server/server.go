// Package server answers questions about clinics over HTTP: to people as a signed token names them, and to each only what the
// access policy lets them see.
//
// There is one way to data. A request is identified (Options.Identify), the policy says what its caller may see (access.Visible),
// a snapshot is opened that holds nothing else, and what is answered or refused is in the audit log before the answer leaves. A
// handler gets a visit, which leads that way and no other; a test holds the package to it.
//
// On a loopback address the server speaks plain HTTP; anywhere else it refuses to start without a certificate, and then speaks
// TLS 1.3 and nothing older. GET /openapi.json describes the requests.
//
// Errors are JSON, {"error","hint","code"}. Logs and audit records hold neither tokens nor the values of parameters.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/falloff-analytics/falloff/warehouse/access"
	"github.com/falloff-analytics/falloff/warehouse/query"
)

// ErrUnknownClinic is what Snapshots answers for a clinic that the lake does not hold.
var ErrUnknownClinic = errors.New("no such clinic")

// Engine answers queries from one snapshot; *query.Engine is one. It is safe for concurrent use.
type Engine interface {
	Run(ctx context.Context, request query.Request) (*query.Answer, error)
	RunMetric(ctx context.Context, request query.MetricRequest) (*query.Answer, error)
	// MetricSQL says what a question about a metric would be answered with, and runs nothing.
	MetricSQL(request query.MetricRequest) (string, error)
	MetricValues(ctx context.Context, metric, dimension string, released bool) ([]query.Choice, error)
	Meta() query.Meta
	Close() error
}

// Snapshots is where the server finds the clinics and what is newest of each. Its methods may be called concurrently.
type Snapshots interface {
	// Clinics lists the ids of the clinics there are.
	Clinics(ctx context.Context) ([]string, error)
	// Head names the newest commit of a clinic. It is asked often and must be cheap; the server opens the clinic again
	// when the name changes. A clinic that is not there answers ErrUnknownClinic.
	Head(ctx context.Context, clinic string) (string, error)
	// Open loads what a view shows of the newest snapshot of a clinic, and no other mart. The server closes it when nobody reads
	// from it any more. The context ends when Open returns.
	Open(ctx context.Context, clinic string, view View) (Engine, error)
}

// View is the part of a snapshot that somebody may see.
type View struct {
	// Marts are loaded, in the order of their names, no other.
	Marts []string
	// AssignedTo narrows them to the caseload of these staff members; nil is everybody's.
	AssignedTo []string
	// Released are the released tables that are loaded besides.
	Released []string
}

// Options configure a server.
type Options struct {
	Snapshots Snapshots
	// Identify says whom a request speaks for. Its errors have a code and a hint for people where they are a Refuser, and are told
	// as they are; they hold no token.
	Identify func(ctx context.Context, r *http.Request) (access.Principal, error)
	// Policy is the access policy of the moment.
	Policy func() *access.Policy
	// Audit takes a record of every request, answered or refused; what it cannot keep is not answered.
	Audit Recorder
	// SQL answers analysts' statements; nil answers none.
	SQL SQL
	// Leaks keeps what people say of leaks; nil keeps nothing, and answers show what the marts do.
	Leaks Leaks
	// AuditLog finds records of who did what; nil finds none.
	AuditLog AuditLog
	// Support grants and ends support access; nil does neither. Policy is to know of its grants.
	Support SupportDesk
	// History knows what happened at clinics; nil knows nothing.
	History History
	// Settings shows and changes clinics' settings, Identities reveals who patients are; nil does not.
	Settings   SettingsDesk
	Identities Identities
	// CertFile and KeyFile are a PEM certificate chain and its key. Both or neither; without them only loopback
	// addresses are served.
	CertFile, KeyFile string
	// Log takes one line a request; nil is silent.
	Log *slog.Logger
	// Tracer makes a span of each request and of what it takes; nil makes none. What spans say is for the caller to redact.
	Tracer trace.Tracer
	// Gather is told by the Prometheus endpoint besides the server's own figures; nil is nothing.
	Gather prometheus.Gatherer
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// HeadEvery is how long a head is believed before the lake is asked again; zero is two seconds, negative always asks.
	HeadEvery time.Duration
	// QueryTimeout bounds one query, the opening of its snapshot included; zero is 30 seconds.
	QueryTimeout time.Duration
	// Parallel is how many queries run at once, each on one thread; zero is one for each processor, and two at least: more would only
	// make each take longer. Waiting is how many different ones may wait for their turn; zero is 256. What is more is refused, to be
	// asked again.
	Parallel, Waiting int
	// SendTimeout is how long a client may take for the next 64 KiB of an answer; zero is ten seconds. SendBytes bounds the answers that
	// are on their way to clients; zero is 256 MiB. What is more is refused, to be asked again.
	SendTimeout time.Duration
	SendBytes   int64
	// Views is how many views may be loaded at once; zero is 32. What is more unloads the one that was asked longest ago.
	Views int
	// CacheBytes bounds the answers that are kept; zero is 64 MiB, negative keeps none.
	CacheBytes int64
	// IdleAfter is how long nobody must have asked before a snapshot is unloaded; zero is 15 minutes.
	IdleAfter time.Duration
	// ShutdownGrace is how long requests may go on after the context of Serve has ended; zero is 10 seconds.
	ShutdownGrace time.Duration
}

// Server is an HTTP server over the snapshots of a lake.
type Server struct {
	options   Options
	snapshots *openSnapshots
	answers   *answers
	said      *saidKeeper
	flights   *flights
	sending   *sending
	tables    explained
	metrics   *metrics
	log       *slog.Logger
}

// New checks the options. It starts nothing.
func New(options Options) (*Server, error) {
	if options.Snapshots == nil {
		return nil, errors.New("starting the query server: there is nothing to serve from")
	}
	if options.Identify == nil || options.Policy == nil || options.Audit == nil {
		return nil, errors.New("starting the query server: nobody can be let in without a way to identify them, a policy, and an audit log")
	}
	if (options.CertFile == "") != (options.KeyFile == "") {
		return nil, errors.New("starting the query server: a certificate and its key come together: give both or neither")
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	if options.Tracer == nil {
		options.Tracer = noop.NewTracerProvider().Tracer("")
	}
	if options.HeadEvery == 0 {
		options.HeadEvery = 2 * time.Second
	}
	if options.QueryTimeout == 0 {
		options.QueryTimeout = 30 * time.Second
	}
	if options.Parallel == 0 {
		options.Parallel = max(2, runtime.GOMAXPROCS(0))
	}
	if options.Waiting == 0 {
		options.Waiting = 256
	}
	if options.SendTimeout == 0 {
		options.SendTimeout = 10 * time.Second
	}
	if options.SendBytes == 0 {
		options.SendBytes = 256 << 20
	}
	if options.Views == 0 {
		options.Views = 32
	}
	if options.CacheBytes == 0 {
		options.CacheBytes = 64 << 20
	}
	if options.IdleAfter == 0 {
		options.IdleAfter = 15 * time.Minute
	}
	if options.ShutdownGrace == 0 {
		options.ShutdownGrace = 10 * time.Second
	}
	s := &Server{
		options:   options,
		snapshots: newOpenSnapshots(options.Snapshots, options.Now, options.HeadEvery, options.Views, options.Log),
		answers:   newAnswers(max(options.CacheBytes, 0)),
		flights:   newFlights(options.Parallel, options.Waiting, options.QueryTimeout),
		sending:   &sending{most: options.SendBytes},
		log:       options.Log,
	}
	s.said = &saidKeeper{
		source: options.Leaks, now: options.Now, headEvery: options.HeadEvery, clinics: map[string]*saidOf{},
		failed: func(clinic string, err error) {
			s.log.Warn("answering with what was said of leaks before", "clinic", clinic, "error", err)
		},
	}
	s.metrics = newMetrics(s)
	return s, nil
}

// Serve answers requests on the listener until the context ends; requests under way are then let finish for a while. It
// closes the listener and every snapshot, and returns nil after a shutdown that was asked for. A server serves once.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	secure, err := s.transport(listener)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	// Requests under way outlive ctx by the grace period.
	requests, cutOff := context.WithCancel(context.WithoutCancel(ctx))
	defer cutOff()
	httpServer := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      s.options.QueryTimeout + 30*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return requests },
	}
	s.log.Info("query server is listening", "address", listener.Addr().String(), "tls", secure != listener)

	defer s.snapshots.closeAll()
	defer s.flights.running.Wait()
	var idle sync.WaitGroup
	stopIdle := make(chan struct{})
	idle.Go(func() { s.unloadIdle(stopIdle) })
	defer idle.Wait()
	defer close(stopIdle)
	ended := make(chan error, 1)
	go func() { ended <- httpServer.Serve(secure) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serving queries on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.options.ShutdownGrace)
	defer cancel()
	if err := httpServer.Shutdown(grace); err != nil {
		s.log.Warn("requests were cut off at shutdown", "error", err)
		cutOff()
		_ = httpServer.Close()
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving queries on %s: %w", listener.Addr(), err)
	}
	s.log.Info("query server has stopped")
	return nil
}

// unloadIdle closes, now and then, what nobody asks for any more.
func (s *Server) unloadIdle(stop <-chan struct{}) {
	ticker := time.NewTicker(max(s.options.IdleAfter/4, time.Second))
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
			s.snapshots.closeIdle(s.options.IdleAfter)
		}
	}
}

// transport wraps the listener in TLS 1.3 where a certificate was given, and refuses plain HTTP off the loopback.
func (s *Server) transport(listener net.Listener) (net.Listener, error) {
	if s.options.CertFile == "" {
		if !isLoopback(listener.Addr()) {
			return nil, fmt.Errorf("serving queries on %s: this address is reachable from other machines, and plain HTTP is for loopback only. "+
				"Listen on 127.0.0.1, or give a TLS certificate and key", listener.Addr())
		}
		return listener, nil
	}
	certificate, err := tls.LoadX509KeyPair(s.options.CertFile, s.options.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("reading the TLS certificate: %w", err)
	}
	return tls.NewListener(listener, &tls.Config{
		Certificates: []tls.Certificate{certificate},
		MinVersion:   tls.VersionTLS13,
		NextProtos:   []string{"http/1.1"},
	}), nil
}

func isLoopback(address net.Addr) bool {
	if tcp, ok := address.(*net.TCPAddr); ok {
		return tcp.IP.IsLoopback()
	}
	// A Unix socket reaches no further than this machine.
	return address.Network() == "unix"
}
