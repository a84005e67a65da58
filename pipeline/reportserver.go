package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/falloff-analytics/falloff/warehouse/access"
	"github.com/falloff-analytics/falloff/warehouse/server"
)

// longestReport bounds one question of a report, the loading of the snapshot included: nobody waits for it in front of a panel.
const longestReport = 10 * time.Minute

// PrivateServer is a query server within this process that nobody but the process can ask, and that takes every request for one
// person's: what makes a report sees through it what that person would see, by the same door. Its requests are not in the audit log one by
// one: whoever hands out what was made of them records that, before.
func PrivateServer(snapshots *Snapshots, who access.Principal, policy *access.Policy, now func() time.Time, log *slog.Logger) (http.RoundTripper, error) {
	s, err := server.New(server.Options{
		Snapshots: snapshots, Leaks: ServerLeaks{Snapshots: snapshots}, Log: log, Now: now,
		Identify: func(context.Context, *http.Request) (access.Principal, error) { return who, nil },
		Policy:   func() *access.Policy { return policy },
		Audit:    unrecorded{},
		// A report is of one snapshot.
		HeadEvery: longestReport, QueryTimeout: longestReport,
	})
	if err != nil {
		return nil, err
	}
	return within{s.Handler()}, nil
}

// unrecorded takes the requests of a private server.
type unrecorded struct{}

func (unrecorded) Record(context.Context, server.Event) error { return nil }

// Owner is whoever holds a lake's key, as a query server sees them: everything of every clinic.
func Owner(person string) (access.Principal, *access.Policy, error) {
	policy, err := access.Parse([]byte("version: 1\nrequire_second_factor: false\npeople:\n  - login: owner\n    roles: [{role: clinic_owner, clinics: '*'}]\n"), "the owner's policy")
	if err != nil {
		return access.Principal{}, nil, fmt.Errorf("acting as the lake's owner: %w", err)
	}
	return access.Principal{Person: person, Issuer: access.Grafana, Subject: "owner"}, policy, nil
}

// within answers requests by a handler, without a network.
type within struct{ handler http.Handler }

// RoundTrip has the handler answer. It does not return before the handler has.
func (w within) RoundTrip(r *http.Request) (*http.Response, error) {
	defer func() {
		if r.Body != nil {
			_ = r.Body.Close()
		}
	}()
	to := r.Clone(r.Context())
	if to.Body == nil {
		to.Body = http.NoBody
	}
	out := &held{header: http.Header{}, status: http.StatusOK}
	w.handler.ServeHTTP(out, to)
	return &http.Response{
		Status: http.StatusText(out.status), StatusCode: out.status, Proto: r.Proto, ProtoMajor: 1, ProtoMinor: 1, Header: out.header,
		Body: io.NopCloser(&out.body), ContentLength: int64(out.body.Len()), Request: r,
	}, nil
}

// held is an answer in memory.
type held struct {
	header http.Header
	status int
	wrote  bool
	body   bytes.Buffer
}

func (h *held) Header() http.Header { return h.header }

func (h *held) WriteHeader(status int) {
	if !h.wrote {
		h.status, h.wrote = status, true
	}
}

func (h *held) Write(p []byte) (int, error) {
	h.wrote = true
	return h.body.Write(p)
}
