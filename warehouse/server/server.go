// Package server answers named queries over HTTP, as Arrow IPC streams.
//
// Every request needs the bearer token. On a loopback address it speaks plain HTTP; anywhere else it refuses to start
// without a certificate, and then speaks TLS 1.3 and nothing older.
//
//	GET  /healthz                 {"status":"ok"}
//	GET  /v1/clinics              the clinics, and the snapshot that each would be answered from
//	GET  /v1/queries              the catalogue: names, parameters, columns, units
//	GET  /v1/freshness?clinic=ID  what has landed, how far behind it is
//	POST /v1/query                {"clinic","query","params","from","to"} → application/vnd.apache.arrow.stream
//
// Errors are JSON, {"error","hint","code"}. Logs hold neither tokens nor the values of parameters.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/falloff-analytics/falloff/warehouse/query"
)

// ErrUnknownClinic is what Snapshots answers for a clinic that the lake does not hold.
var ErrUnknownClinic = errors.New("no such clinic")

// Engine answers queries from one snapshot; *query.Engine is one. It is safe for concurrent use.
type Engine interface {
	Run(ctx context.Context, request query.Request) (*query.Answer, error)
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
	// Open loads the newest snapshot of a clinic. The server closes it when nobody reads from it any more. The context
	// ends when Open returns.
	Open(ctx context.Context, clinic string) (Engine, error)
}

// Options configure a server.
type Options struct {
	Snapshots Snapshots
	// Token is the bearer token that every request must carry; at least 16 bytes. It is never logged.
	Token string
	// CertFile and KeyFile are a PEM certificate chain and its key. Both or neither; without them only loopback
	// addresses are served.
	CertFile, KeyFile string
	// Log takes one line a request; nil is silent.
	Log *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// HeadEvery is how long a head is believed before the lake is asked again; zero is two seconds, negative always asks.
	HeadEvery time.Duration
	// QueryTimeout bounds one query, the opening of its snapshot included; zero is 30 seconds.
	QueryTimeout time.Duration
	// Parallel is how many queries run at once, the others wait; zero is 8.
	Parallel int
	// ShutdownGrace is how long requests may go on after the context of Serve has ended; zero is 10 seconds.
	ShutdownGrace time.Duration
}

const shortestToken = 16

// Server is an HTTP server over the snapshots of a lake.
type Server struct {
	options   Options
	snapshots *openSnapshots
	slots     chan struct{}
	log       *slog.Logger
}

// New checks the options. It starts nothing.
func New(options Options) (*Server, error) {
	if options.Snapshots == nil {
		return nil, errors.New("starting the query server: there is nothing to serve from")
	}
	if len(options.Token) < shortestToken {
		return nil, fmt.Errorf("starting the query server: the token has %d bytes and needs at least %d", len(options.Token), shortestToken)
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
	if options.HeadEvery == 0 {
		options.HeadEvery = 2 * time.Second
	}
	if options.QueryTimeout == 0 {
		options.QueryTimeout = 30 * time.Second
	}
	if options.Parallel == 0 {
		options.Parallel = 8
	}
	if options.ShutdownGrace == 0 {
		options.ShutdownGrace = 10 * time.Second
	}
	return &Server{
		options:   options,
		snapshots: newOpenSnapshots(options.Snapshots, options.Now, options.HeadEvery, options.Log),
		slots:     make(chan struct{}, options.Parallel),
		log:       options.Log,
	}, nil
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
