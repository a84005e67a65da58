package servertest

import (
	"context"
	"net"
	"sync"
	"testing"

	"github.com/falloff-analytics/falloff/warehouse/server"
)

// Serve starts a query server on loopback and gives its URL, and what stops it and says how it ended. It goes with the test.
func Serve(tb testing.TB, options server.Options) (url string, stop func() error) {
	tb.Helper()
	s, err := server.New(options)
	if err != nil {
		tb.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, listener) }()
	stop = sync.OnceValue(func() error { cancel(); return <-ended })
	tb.Cleanup(func() {
		if err := stop(); err != nil {
			tb.Errorf("the query server: %v", err)
		}
	})
	return "http://" + listener.Addr().String(), stop
}
