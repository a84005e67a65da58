package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"cloud.google.com/go/civil"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/falloff-analytics/falloff/warehouse/access"
	"github.com/falloff-analytics/falloff/warehouse/query"
)

const (
	arrowStream = "application/vnd.apache.arrow.stream"
	largestBody = 64 << 10
)

// statusWriter remembers what was answered, for the log.
type statusWriter struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

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

// permissions is what the caller holds at a clinic.
type permissions struct {
	Clinic      string              `json:"clinic"`
	Permissions []access.Permission `json:"permissions"`
}

// me says who the caller is to the server, and what they may do where.
func (v *visit) me() (*reply, error) {
	clinics, err := v.clinics()
	if err != nil {
		return nil, fmt.Errorf("listing the clinics: %w", err)
	}
	held := []permissions{}
	for _, clinic := range clinics {
		held = append(held, permissions{clinic, v.sees.Permissions(clinic)})
	}
	return asJSON(map[string]any{"person": v.who.Person, "service": v.who.Service, "second_factor": v.who.SecondFactor, "clinics": held})
}

// clinicEntry is one row of GET /v1/clinics.
type clinicEntry struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Commit string `json:"commit"`
	AsOf   string `json:"as_of"`
}

func (v *visit) listClinics() (*reply, error) {
	ids, err := v.clinics()
	if err != nil {
		return nil, fmt.Errorf("listing the clinics: %w", err)
	}
	entries := []clinicEntry{}
	for _, id := range ids {
		meta, err := v.about(id)
		if err != nil {
			// One clinic that cannot be opened must not hide the others.
			v.server.log.Warn("a clinic cannot be opened", "clinic", id, "error", err)
			entries = append(entries, clinicEntry{ID: id, Name: id})
			continue
		}
		entries = append(entries, clinicEntry{ID: id, Name: meta.Name, Commit: meta.Commit, AsOf: meta.AsOf.String()})
	}
	v.event.Clinic = "" // it was about all of them
	return asJSON(map[string]any{"clinics": entries})
}

// listQueries lists the named queries that the caller may ask: at the clinic that is named, or at any.
func (v *visit) listQueries() (*reply, error) {
	clinics := []string{v.http.URL.Query().Get("clinic")}
	if clinics[0] == "" {
		all, err := v.clinics()
		if err != nil {
			return nil, fmt.Errorf("listing the clinics: %w", err)
		}
		clinics = all
	}
	list := []query.Definition{}
	for _, d := range query.Catalogue() {
		if slices.ContainsFunc(clinics, func(clinic string) bool { return !v.sight(clinic, d).reach.None() }) {
			list = append(list, d)
		}
	}
	return asJSON(map[string]any{"queries": list})
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

func (v *visit) freshness() (*reply, error) {
	clinic := v.http.URL.Query().Get("clinic")
	meta, err := v.about(clinic)
	if err != nil {
		return nil, err
	}
	return asJSON(map[string]any{
		"clinic": clinic, "name": meta.Name, "commit": meta.Commit, "as_of": dayText(meta.AsOf),
		"committed_at": meta.CommittedAt.UTC().Format(time.RFC3339), "datasets": freshnessOf(meta),
		"support": v.banners(clinic),
	})
}

// freshnessOf says of each dataset what has landed, and how far behind it is.
func freshnessOf(meta query.Meta) []freshnessEntry {
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
	return entries
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

func (v *visit) query() (*reply, error) {
	clinic, request, err := readQuery(v.body, v.http)
	if err != nil {
		return nil, err
	}
	d, ok := query.Lookup(request.Query)
	if !ok {
		return nil, query.Unknown(request.Query)
	}
	params, err := d.Bind(request.Params)
	if err != nil {
		return nil, err
	}
	sent, err := json.Marshal([]any{params, dayText(request.From), dayText(request.To)})
	if err != nil {
		return nil, fmt.Errorf("noting what was asked: %w", err)
	}
	v.event.Sent = sum(sent)
	engine, view, how, release, err := v.ask(clinic, d)
	if err != nil {
		return nil, err
	}
	request.Released = how.released
	key, err := v.keyOfQuery(clinic, d, params, request, engine, view)
	if err != nil {
		release()
		return nil, err
	}
	return v.kept(key, engine, view, release, func(ctx context.Context) (*query.Answer, error) { return engine.Run(ctx, request) })
}

// keyOfQuery is the key of a named query's answer; what people said since the engine was opened is shown in it.
func (v *visit) keyOfQuery(clinic string, d query.Definition, params map[string]any, request query.Request, engine Engine, view View) (answerKey, error) {
	said, err := v.showSaid(clinic, d.Marts, engine)
	if err != nil {
		return answerKey{}, err
	}
	return keyOf(clinic, engine.Meta().Commit, view, request.Released, said, d.Name, params, request.From, request.To)
}

// kept is the answer that is kept under a key, or the one that asking gives, once for all who ask meanwhile. It lets go of the engine.
func (v *visit) kept(key answerKey, engine Engine, view View, release func(), ask func(context.Context) (*query.Answer, error)) (*reply, error) {
	answer, kept := v.server.answers.get(key)
	v.server.metrics.cached.WithLabelValues(strconv.FormatBool(kept)).Inc()
	if kept {
		release()
	} else {
		var err error
		answer, err = v.server.flights.answer(v.http.Context(), key, release, func(ctx context.Context) (*stored, error) {
			if computed, ok := v.server.answers.get(key); ok { // since this one looked
				return computed, nil
			}
			ctx, computing := v.server.options.Tracer.Start(ctx, "compute")
			defer computing.End()
			computed, err := run(ctx, ask)
			if err == nil {
				v.server.answers.put(key, computed)
			}
			return computed, err
		})
		if err != nil {
			return nil, err
		}
	}
	v.event.Snapshot, v.event.Rows, v.event.Suppressed = engine.Meta().Commit, answer.rows, answer.suppressed
	v.event.Cached, v.event.Caseload = kept, view.AssignedTo != nil
	return &reply{status: http.StatusOK, kind: arrowStream, body: answer.body, headers: map[string]string{
		"X-Falloff-Rows":     strconv.FormatInt(answer.rows, 10),
		"X-Falloff-Snapshot": engine.Meta().Commit,
	}}, nil
}

// run asks the engine and encodes what it says.
func run(ctx context.Context, ask func(context.Context) (*query.Answer, error)) (*stored, error) {
	answer, err := ask(ctx)
	if err != nil {
		return nil, err
	}
	defer answer.Release()
	var body bytes.Buffer
	if err := writeStream(&body, answer); err != nil {
		return nil, fmt.Errorf("encoding the answer: %w", err)
	}
	return &stored{body: body.Bytes(), rows: answer.Rows, suppressed: answer.Withheld}, nil
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

// compressedFrom is from how many cells on an answer is compressed. Below, some 50 KiB, making the compressor takes longer than most
// questions.
const compressedFrom = 5000

func writeStream(w io.Writer, answer *query.Answer) error {
	options := []ipc.Option{ipc.WithSchema(answer.Schema)}
	if answer.Rows*int64(answer.Schema.NumFields()) >= compressedFrom {
		options = append(options, ipc.WithZstd())
	}
	writer := ipc.NewWriter(w, options...)
	for _, batch := range answer.Batches {
		if err := writer.Write(batch); err != nil {
			return errors.Join(err, writer.Close())
		}
	}
	return writer.Close()
}

// asJSON is an answer in JSON.
func asJSON(body any) (*reply, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encoding an answer: %w", err)
	}
	return &reply{status: http.StatusOK, kind: "application/json", body: append(text, '\n')}, nil
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// Nothing can be said to a reader who has gone.
	_ = json.NewEncoder(w).Encode(body)
}
