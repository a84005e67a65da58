package server

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/civil"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/falloff-analytics/falloff/warehouse/query"
)

const (
	arrowStream = "application/vnd.apache.arrow.stream"
	largestBody = 64 << 10
)

// Handler is the server's handler alone, for a caller that brings its own listener and loopback.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /v1/clinics", s.listClinics)
	mux.HandleFunc("GET /v1/queries", s.listQueries)
	mux.HandleFunc("GET /v1/freshness", s.freshness)
	mux.HandleFunc("POST /v1/query", s.query)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		s.refuse(w, &refusal{http.StatusNotFound, codeNotFound, "there is nothing at this address, or not for this method", "ask GET /v1/queries or POST /v1/query"})
	})
	return s.logged(s.authorised(mux))
}

// authorised lets nothing pass without the token. Digests are compared, so that time tells neither content nor length.
func (s *Server) authorised(next http.Handler) http.Handler {
	want := sha256.Sum256([]byte(s.options.Token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		got := sha256.Sum256([]byte(token))
		if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			s.refuse(w, &refusal{http.StatusUnauthorized, codeUnauthorized, "the token is missing or wrong", "send the token that falloff serve printed or was given, as Authorization: Bearer …"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// statusWriter remembers what was answered, for the log.
type statusWriter struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// logged writes one line a request: the route's path without its query string, status, size and time.
func (s *Server) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := s.options.Now()
		recorded := &statusWriter{ResponseWriter: w}
		recorded.Header().Set("X-Content-Type-Options", "nosniff")
		recorded.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(recorded, r)
		path := r.URL.Path
		if recorded.status == http.StatusNotFound || recorded.status == http.StatusUnauthorized {
			path = "-" // a stranger's text stays out of the log
		}
		s.log.Info("request", "method", r.Method, "path", path, "status", recorded.status,
			"bytes", recorded.bytes, "took", s.options.Now().Sub(began))
	})
}

func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// clinicEntry is one row of GET /v1/clinics.
type clinicEntry struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Commit string `json:"commit"`
	AsOf   string `json:"as_of"`
}

func (s *Server) listClinics(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), s.options.QueryTimeout)
	defer cancel()
	ids, err := s.options.Snapshots.Clinics(ctx)
	if err != nil {
		s.fail(w, r, fmt.Errorf("listing the clinics: %w", err))
		return
	}
	entries := []clinicEntry{}
	for _, id := range ids {
		engine, release, err := s.snapshots.acquire(ctx, id)
		if err != nil {
			// One clinic that cannot be opened must not hide the others.
			s.log.Warn("a clinic cannot be opened", "clinic", id, "error", err)
			entries = append(entries, clinicEntry{ID: id, Name: id})
			continue
		}
		meta := engine.Meta()
		release()
		entries = append(entries, clinicEntry{ID: id, Name: meta.Name, Commit: meta.Commit, AsOf: meta.AsOf.String()})
	}
	writeJSON(w, http.StatusOK, map[string]any{"clinics": entries})
}

func (s *Server) listQueries(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"queries": query.Catalogue()})
}

// freshnessEntry is one dataset of GET /v1/freshness. Days are YYYY-MM-DD, empty where unknown.
type freshnessEntry struct {
	Dataset     string `json:"dataset"`
	Rows        int64  `json:"rows"`
	CoveredFrom string `json:"covered_from,omitempty"`
	CoveredTo   string `json:"covered_to,omitempty"`
	ObservedOn  string `json:"observed_on,omitempty"`
	DaysBehind  *int   `json:"days_behind,omitempty"`
}

func (s *Server) freshness(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), s.options.QueryTimeout)
	defer cancel()
	clinic := r.URL.Query().Get("clinic")
	if clinic == "" {
		s.fail(w, r, &refusal{http.StatusBadRequest, codeBadRequest, "the clinic is missing", "ask /v1/freshness?clinic=ID; /v1/clinics lists the ids"})
		return
	}
	engine, release, err := s.snapshots.acquire(ctx, clinic)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	meta := engine.Meta()
	release()
	entries := []freshnessEntry{}
	for _, f := range meta.Freshness {
		entry := freshnessEntry{
			Dataset: f.Dataset, Rows: f.Rows,
			CoveredFrom: dayText(f.CoveredFrom), CoveredTo: dayText(f.CoveredTo), ObservedOn: dayText(f.ObservedOn),
		}
		if behind, known := f.DaysBehind(meta.AsOf); known {
			entry.DaysBehind = &behind
		}
		entries = append(entries, entry)
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"clinic": clinic, "name": meta.Name, "commit": meta.Commit, "as_of": dayText(meta.AsOf),
		"committed_at": meta.CommittedAt.UTC().Format(time.RFC3339), "datasets": entries,
	})
}

func dayText(d civil.Date) string {
	if d.IsZero() {
		return ""
	}
	return d.String()
}

// queryRequest is the body of POST /v1/query. From and To are days, or instants whose UTC day counts.
type queryRequest struct {
	Clinic string         `json:"clinic"`
	Query  string         `json:"query"`
	Params map[string]any `json:"params"`
	From   string         `json:"from"`
	To     string         `json:"to"`
}

func (s *Server) query(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), s.options.QueryTimeout)
	defer cancel()
	clinic, request, err := readQuery(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		s.fail(w, r, fmt.Errorf("waiting for a free place: %w", ctx.Err()))
		return
	}
	engine, release, err := s.snapshots.acquire(ctx, clinic)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	defer release()
	answer, err := engine.Run(ctx, request)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	defer answer.Release()
	w.Header().Set("Content-Type", arrowStream)
	w.Header().Set("X-Falloff-Rows", strconv.FormatInt(answer.Rows, 10))
	if err := writeStream(w, answer); err != nil {
		// The header is out: the reader sees a stream without its end.
		s.log.Warn("an answer broke off", "query", request.Query, "error", err)
	}
}

func readQuery(w http.ResponseWriter, r *http.Request) (clinic string, request query.Request, err error) {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, largestBody))
	decoder.DisallowUnknownFields()
	decoder.UseNumber()
	var body queryRequest
	if err := decoder.Decode(&body); err != nil {
		return "", request, badBody(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return "", request, badBody(errors.New("something follows the object"))
	}
	if body.Clinic == "" || body.Query == "" {
		return "", request, &refusal{http.StatusBadRequest, codeBadRequest, "clinic or query is missing", `send {"clinic": ID, "query": NAME}; /v1/clinics and /v1/queries list them`}
	}
	request = query.Request{Query: body.Query, Params: body.Params}
	for _, end := range []struct {
		name, text string
		day        *civil.Date
	}{{"from", body.From, &request.From}, {"to", body.To, &request.To}} {
		if *end.day, err = readDay(end.text); err != nil {
			return "", request, &refusal{http.StatusBadRequest, codeBadRequest, end.name + " is neither a day nor an instant", "send YYYY-MM-DD, or RFC 3339"}
		}
	}
	return body.Clinic, request, nil
}

// readDay takes a day, or an instant whose day in UTC counts: days travel as midnight UTC, in both directions.
func readDay(text string) (civil.Date, error) {
	if text == "" {
		return civil.Date{}, nil
	}
	if day, err := civil.ParseDate(text); err == nil {
		return day, nil
	}
	instant, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return civil.Date{}, err
	}
	return civil.DateOf(instant.UTC()), nil
}

func writeStream(w io.Writer, answer *query.Answer) error {
	writer := ipc.NewWriter(w, ipc.WithSchema(answer.Schema))
	for _, batch := range answer.Batches {
		if err := writer.Write(batch); err != nil {
			return errors.Join(err, writer.Close())
		}
	}
	return writer.Close()
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// Nothing can be said to a reader who has gone.
	_ = json.NewEncoder(w).Encode(body)
}
