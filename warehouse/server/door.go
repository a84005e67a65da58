package server

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/falloff-analytics/falloff/warehouse/access"
	"github.com/falloff-analytics/falloff/warehouse/dictionary"
	"github.com/falloff-analytics/falloff/warehouse/disclosure"
	"github.com/falloff-analytics/falloff/warehouse/identity"
	"github.com/falloff-analytics/falloff/warehouse/query"
)

// This file is the only way from a request to data: whoever wants some gets it through a visit, which has asked
// access.Visible. A test holds the other files of the package to that.

// endpoint is one request that the server takes.
type endpoint struct {
	method, path string
	// kind is what the audit log takes it for; empty is Other.
	kind Kind
	// needs is the permission that the caller must hold at the clinic of the request; empty where the answer itself is cut down to
	// what the caller may see. Where lakeWide is set it must be held at all clinics.
	needs    access.Permission
	lakeWide bool
	// answer does the request. It writes nothing: what it returns goes out when it is in the audit log.
	answer func(*visit) (*reply, error)
}

// reply is a whole answer.
type reply struct {
	status  int
	kind    string
	body    []byte
	headers map[string]string
}

// visit is one request of one caller.
type visit struct {
	server *Server
	http   *http.Request
	body   http.ResponseWriter // for http.MaxBytesReader alone
	who    access.Principal
	sees   access.Visible
	event  Event
}

// door is an endpoint's handler: identify, decide, answer, record, send.
func (s *Server) door(e endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		began := s.options.Now()
		v := &visit{server: s, http: r, body: w, event: Event{Kind: cmp.Or(e.kind, Other), Method: e.method, Route: e.path, Address: addressOf(r)}}
		asked, answering := s.options.Tracer.Start(r.Context(), "answer")
		v.http = r.WithContext(asked)
		out, err := v.through(e)
		answering.End()
		if err != nil {
			told := refusalOf(err)
			v.event.Refused = told.Code
			if told.status >= http.StatusInternalServerError && r.Context().Err() == nil {
				s.log.Error("a request failed", "path", e.path, "code", told.Code, "error", err)
			}
			out = told.reply()
		} else {
			v.raise(out)
		}
		size := int64(len(out.body))
		if !s.sending.take(size) {
			v.event.Refused = codeBusy
			out, size = refusalOf(busy()).reply(), 0
		}
		defer s.sending.give(size)
		v.event.Status, v.event.Bytes, v.event.Took = out.status, int64(len(out.body)), s.options.Now().Sub(began)
		// The caller may have gone; the record is kept all the same.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), longestRecord)
		defer cancel()
		ctx, recording := s.options.Tracer.Start(ctx, "record")
		err = s.options.Audit.Record(ctx, v.event)
		recording.End()
		if err != nil {
			s.log.Error("a request cannot be recorded, so it is not answered", "path", e.path, "error", err)
			s.metrics.unrecorded.Inc()
			out = (&refusal{http.StatusServiceUnavailable, codeUnrecorded, "the audit log takes no records, so nothing is answered",
				"ask again in a while; the query server's log says why"}).reply()
		}
		_, sending := s.options.Tracer.Start(ctx, "send")
		defer sending.End()
		if !s.send(w, out) {
			s.metrics.unsent.Inc() // nothing can be said to a reader who has gone, or takes too long
		}
	}
}

// longestRecord bounds the wait for the audit log.
const longestRecord = 15 * time.Second

const (
	// piece is how much of an answer a client gets SendTimeout for.
	piece = 64 << 10
	// longestSend is how many times SendTimeout a whole answer may take.
	longestSend = 12
)

// send writes an answer out, and says whether the client took it. Whoever takes less than a piece in its time is cut off: what they hold
// is only the answer, since snapshot and turn were given back before, and that not for ever.
func (s *Server) send(w http.ResponseWriter, out *reply) bool {
	for name, value := range out.headers {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Type", out.kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(out.body)))
	control := http.NewResponseController(w)
	w.WriteHeader(out.status)
	last := time.Now().Add(longestSend * s.options.SendTimeout)
	for rest := out.body; ; {
		deadline := time.Now().Add(s.options.SendTimeout)
		if deadline.After(last) {
			deadline = last
		}
		// A writer without a connection, as tests have it, takes no deadline and needs none.
		_ = control.SetWriteDeadline(deadline)
		n := min(piece, len(rest))
		if _, err := w.Write(rest[:n]); err != nil {
			return false
		}
		if rest = rest[n:]; len(rest) == 0 {
			err := control.Flush()
			return err == nil || errors.Is(err, http.ErrNotSupported)
		}
	}
}

// through goes the way from the signature to the answer.
func (v *visit) through(e endpoint) (*reply, error) {
	ctx, cancel := context.WithTimeout(v.http.Context(), v.server.options.QueryTimeout)
	defer cancel()
	v.http = v.http.WithContext(ctx)
	who, err := v.server.options.Identify(ctx, v.http)
	if err != nil {
		return nil, unidentified(err)
	}
	v.who = who
	v.event.Person, v.event.Session = who.Person, who.Session
	if who.Address != "" {
		v.event.Address = who.Address
	}
	v.sees = v.server.options.Policy().Visible(who, v.server.options.Now())
	if why := v.sees.Refused(); why != "" {
		if !who.SecondFactor && !who.Service && v.server.options.Policy().RequiresSecondFactor() {
			return nil, &refusal{http.StatusForbidden, codeSecondFactor, why, "sign in again with a second factor"}
		}
		return nil, forbidden(why)
	}
	v.event.Support = v.supportedBy()
	if e.needs != "" && e.lakeWide && !v.sees.AllowsLakeWide(e.needs) {
		return nil, forbidden("it needs " + string(e.needs) + " at all clinics")
	}
	if e.needs != "" && !e.lakeWide {
		clinic := v.http.URL.Query().Get("clinic")
		if clinic == "" {
			return nil, noClinic()
		}
		if err := v.may(clinic, e.needs); err != nil {
			return nil, err
		}
	}
	return e.answer(v)
}

// supportedBy is the reason of the support access that the caller's sight rests on, empty for none.
func (v *visit) supportedBy() string {
	for _, s := range v.sees.Support() {
		return s.Reason
	}
	return ""
}

// may refuses, unless the caller holds a permission at a clinic. A clinic that is not there is refused like one that is not
// theirs: whoever may not see it learns nothing of it.
func (v *visit) may(clinic string, p access.Permission) error {
	v.event.Clinic = clinicName(clinic)
	if !v.sees.Allows(clinic, p) {
		return forbidden("it needs " + string(p) + " at this clinic")
	}
	return nil
}

// clinics lists the clinics at which the caller may see something.
func (v *visit) clinics() ([]string, error) {
	all, err := v.server.options.Snapshots.Clinics(v.http.Context())
	if err != nil {
		return nil, err
	}
	return v.sees.Clinics(all), nil
}

// sight is how a caller sees what a named query is about: whose rows, or the released tables alone.
type sight struct {
	reach    access.Reach
	released bool
}

// ask opens the snapshot that answers a named query, holding what the caller may see and nothing else. Whoever may not see it is
// refused before anything is opened.
func (v *visit) ask(clinic string, d query.Definition) (engine Engine, view View, how sight, release func(), err error) {
	v.event.Clinic, v.event.Query = clinicName(clinic), d.Name
	return v.open(clinic, v.sight(clinic, d))
}

// askMetric is ask of a metric.
func (v *visit) askMetric(clinic string, m dictionary.Metric) (engine Engine, view View, how sight, release func(), err error) {
	v.event.Clinic, v.event.Query = clinicName(clinic), "metric."+m.Name
	return v.open(clinic, v.sightOfMetric(clinic, m))
}

// open opens the snapshot as somebody sees it.
func (v *visit) open(clinic string, seen sight) (engine Engine, view View, how sight, release func(), err error) {
	how = seen
	if how.reach.None() {
		return nil, View{}, how, nil, forbidden("it needs another permission at this clinic: falloff access explain says which")
	}
	view = v.view(clinic, how.reach)
	engine, release, err = v.server.snapshots.acquire(v.http.Context(), clinic, view)
	return engine, view, how, release, err
}

// sight says how a named query may be answered. Aggregates that are counted from rows stand beside those rows: they are for those alone
// who may read them. Others who may see aggregates have them from the released tables, where what would tell of single patients is
// withheld.
func (v *visit) sight(clinic string, d query.Definition) sight {
	allowed := v.sees.Query(clinic, d.Name)
	if d.IsReleasedOnly() {
		if !allowed.Everyones() {
			return sight{}
		}
		return sight{allowed, true}
	}
	return v.sightOf(clinic, allowed, d.Marts, d.Released != nil)
}

// sightOfMetric says how a metric may be answered, by the same rule.
func (v *visit) sightOfMetric(clinic string, m dictionary.Metric) sight {
	return v.sightOf(clinic, v.sees.Metric(clinic, m.Name), query.MetricMarts(m), query.MetricIsReleased(m))
}

// sightOf is whose rows somebody sees who may see figures of some marts, or that they see what is released.
func (v *visit) sightOf(clinic string, allowed access.Reach, marts []string, isReleased bool) sight {
	if allowed.None() {
		return sight{}
	}
	rows := allowed
	for _, mart := range marts {
		reach := v.sees.Rows(clinic, mart)
		switch {
		case reach.None():
			if isReleased && allowed.Everyones() {
				return sight{allowed, true}
			}
			return sight{reach, false}
		case !reach.Everyones():
			rows = reach
		}
	}
	return sight{rows, false}
}

// statement gives the marts that an analyst's SQL may read at a clinic: those whose rows are all visible to them.
func (v *visit) statement(clinic string) ([]string, error) {
	if err := v.may(clinic, access.SQLRun); err != nil {
		return nil, err
	}
	var marts []string
	for _, m := range access.Marts() {
		if v.sees.Rows(clinic, m.Name).Everyones() {
			marts = append(marts, m.Name)
		}
	}
	return marts, nil
}

// about opens a snapshot to say what it is: its commit, its day and its freshness.
func (v *visit) about(clinic string) (query.Meta, error) {
	v.event.Clinic = clinicName(clinic)
	if len(v.sees.Clinics([]string{clinic})) == 0 {
		return query.Meta{}, forbidden("nothing is to be seen at this clinic")
	}
	// Any view says it. The one of the whole clinic is the likeliest to be open.
	view := v.view(clinic, access.Reach{})
	engine, release, err := v.server.snapshots.acquire(v.http.Context(), clinic, view)
	if err != nil {
		return query.Meta{}, err
	}
	defer release()
	return engine.Meta(), nil
}

// view is what a snapshot is loaded with for a caller who is answered about everyone, or about a caseload.
func (v *visit) view(clinic string, reach access.Reach) View {
	view := View{Marts: []string{}, AssignedTo: reach.Staff()}
	for _, m := range access.Marts() {
		if m.Name == "caseload" && view.AssignedTo != nil { // it says whose the others are
			view.Marts = append(view.Marts, m.Name)
			continue
		}
		rows := v.sees.Rows(clinic, m.Name)
		if rows.Everyones() || view.AssignedTo != nil && !rows.None() {
			view.Marts = append(view.Marts, m.Name)
		}
	}
	if view.AssignedTo == nil {
		view.Released = v.releasedTables(clinic)
	}
	return view
}

// releasedTables are the released tables that the caller may see: those of groups of which they may see aggregates of every mart.
func (v *visit) releasedTables(clinic string) []string {
	var names []string
	for _, g := range disclosure.Groups() {
		if slices.ContainsFunc(g.Marts, func(mart string) bool { return !v.sees.Aggregates(clinic, mart).Everyones() }) {
			continue
		}
		for _, t := range g.Tables {
			names = append(names, t.Name)
		}
	}
	return names
}

// addressOf is where a request comes from.
func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return "local" // a Unix socket
	}
	return host
}

// Refuser is an error that says for itself what a client is told.
type Refuser interface {
	error
	// Code names it for programs, Hint says what to do.
	Code() string
	Hint() string
}

func unidentified(err error) error {
	if refused, ok := errors.AsType[*identity.Refusal](err); ok {
		status := http.StatusUnauthorized
		switch refused.Code {
		case identity.NoSecondFactor:
			return &refusal{http.StatusForbidden, codeSecondFactor, refused.Message, refused.Hint}
		case identity.KeysMissing:
			status = http.StatusServiceUnavailable
		}
		return &refusal{status, string(refused.Code), refused.Message, refused.Hint}
	}
	if refuser, ok := errors.AsType[Refuser](err); ok {
		return &refusal{http.StatusUnauthorized, refuser.Code(), refuser.Error(), refuser.Hint()}
	}
	return err
}

func forbidden(why string) error {
	return &refusal{http.StatusForbidden, codeForbidden, why, "ask whoever keeps the access policy"}
}

func noClinic() error {
	return &refusal{http.StatusBadRequest, codeBadRequest, "the clinic is missing", "name it; GET /v1/clinics lists those that you may see"}
}
