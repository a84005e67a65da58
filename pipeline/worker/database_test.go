package worker_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/pipeline/worker"
)

// What is said of a database that cannot be used names neither it nor what signs in to it.
func TestWhatIsSaidOfADatabase(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		address     string
		later, bare bool
	}{
		"nobody there":           {address: "postgres://canary-user:canary-password@127.0.0.1:1/canary-base", later: true},
		"no socket":              {address: "postgres://canary-user:canary-password@/canary-base?host=/nowhere/canary-host", later: true},
		"no address":             {address: "postgres://canary-user:canary-password@canary-host:port/canary-base", bare: true},
		"not an address":         {address: "canary-password canary-host", bare: true},
		"far away without TLS":   {address: "postgres://canary-user:canary-password@canary-host.example/canary-base?sslmode=disable", bare: true},
		"far away, perhaps":      {address: "postgres://canary-user:canary-password@canary-host.example/canary-base", bare: true},
		"far away, one of two":   {address: "postgres://canary-user:canary-password@127.0.0.1,canary-host.example/canary-base?sslmode=disable", bare: true},
		"unknown name, with TLS": {address: "postgres://canary-user:canary-password@canary-host.invalid/canary-base?sslmode=verify-full", later: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool, err := worker.Open(t.Context(), test.address)
			if err == nil {
				pool.Close()
				t.Fatal("it was opened")
			}
			if strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "127.0.0.1") {
				t.Errorf("it says %q", err)
			}
			of, known := errors.AsType[*worker.DatabaseError](err)
			if known == test.bare || known && of.Later != test.later || errors.Is(err, worker.ErrAddress) != test.bare {
				t.Errorf("it is %#v", err)
			}
		})
	}
}

// A database that a worker was never told of is said so, with what to do.
func testEmpty(t *testing.T, url string) {
	pool, err := worker.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	_, err = worker.List(t.Context(), pool, nil, 1)
	if of, ok := errors.AsType[*worker.DatabaseError](err); !ok || !of.Person || !strings.Contains(err.Error(), "falloff worker migrate") {
		t.Errorf("it says %v", err)
	}
	for range 2 {
		if _, err := worker.Migrate(t.Context(), pool); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := worker.List(t.Context(), pool, []string{"lost"}, 1); !errors.Is(err, worker.ErrState) {
		t.Errorf("a state that does not exist: %v", err)
	}
}

func TestDomain(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://harbour-street.janeapp.com":      "janeapp.com",
		"https://other.janeapp.co.uk:443/login":   "janeapp.co.uk",
		"https://Harbour.JaneApp.com.":            "janeapp.com",
		"http://127.0.0.1:8700":                   "127.0.0.1",
		"http://localhost:8700":                   "localhost",
		"http://[::1]:8700":                       "::1",
		"nonsense":                                "nonsense",
		"https://clinic.example.org/path?q=1#top": "example.org",
	} {
		if got := worker.Domain(address); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}
