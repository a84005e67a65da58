package server

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/falloff-analytics/falloff/warehouse/access"
	"github.com/falloff-analytics/falloff/warehouse/query"
)

// Leaks keeps what people say of leaks. Its methods may be called concurrently.
type Leaks interface {
	// Said gives how every leak stands of which anybody said anything, and a version that grows with what was said.
	Said(ctx context.Context, clinic string) (version int64, said []query.LeakSaid, err error)
	// History says what became of a leak.
	History(ctx context.Context, clinic, leakID string) (*LeakHistory, error)
	// Say keeps what somebody says of leaks, all of it or nothing, each step recorded before it is kept.
	Say(ctx context.Context, by Asker, clinic string, steps []LeakStep) ([]LeakStepSaid, error)
}

// LeakStep is what somebody asks to be said of a leak.
type LeakStep struct {
	LeakID string `json:"leak_id"`
	// State is the new one; empty where nothing but a note is made.
	State string `json:"state"`
	// Expected, where given, is the state that the leak must still have.
	Expected string `json:"expected"`
	// Assignee has it as a task from now on, with the state assigned and only there.
	Assignee string `json:"assignee"`
	// Note is a code of the fixed list.
	Note string `json:"note"`
}

// LeakStepSaid is one step of a leak, as it is kept.
type LeakStepSaid struct {
	LeakID   string    `json:"leak_id"`
	Sequence int32     `json:"sequence"`
	At       time.Time `json:"said_at"`
	From     string    `json:"from"`
	State    string    `json:"state"`
	// Actor is a pseudonym: the audit log has the name.
	Actor    string `json:"actor"`
	Assignee string `json:"assignee,omitempty"`
	Note     string `json:"note,omitempty"`
}

// LeakHistory is what became of a leak.
type LeakHistory struct {
	LeakID   string         `json:"leak_id"`
	State    string         `json:"state"`
	InLedger bool           `json:"in_ledger"`
	Said     []LeakStepSaid `json:"said"`
	// Money is what came in for it as of the newest build, nil where nothing did.
	Money *LeakMoney `json:"money,omitempty"`
}

// LeakMoney is what came in for a leak. Days are YYYY-MM-DD.
type LeakMoney struct {
	Leaked       int64  `json:"leaked_cents"`
	Recovered    int64  `json:"recovered_cents"`
	ByUs         int64  `json:"recovered_by_us_cents"`
	Currency     string `json:"currency"`
	FirstOn      string `json:"first_money_on"`
	LastOn       string `json:"last_money_on"`
	AllRecovered bool   `json:"all_recovered"`
}

// needed is the permission that it takes to bring a leak into a state. That it is too late for one takes it off the list for good as
// writing it off does.
var needed = map[string]access.Permission{
	"":            access.LeaksNote,
	"assigned":    access.LeaksAssign,
	"contacted":   access.LeaksContact,
	"written_off": access.LeaksWriteOff,
	"expired":     access.LeaksWriteOff,
	"open":        access.LeaksReopen,
}

// taskNeeded is what it takes of a task of winning a patient back. Assigning it to oneself makes it one; giving it to others is more.
var taskNeeded = map[string]access.Permission{
	"":            access.TasksWork,
	"assigned":    access.TasksAssign,
	"contacted":   access.TasksWork,
	"written_off": access.TasksWork,
	"expired":     access.TasksWork,
	"open":        access.TasksWork,
}

// isTask says whether a leak is a patient to be won back. Before they fall off the name is the same.
func isTask(leakID string) bool { return strings.HasPrefix(leakID, "falloff/") }

// needs are the permissions that a step takes; none where there is no such state.
func (step LeakStep) needs(person string) []access.Permission {
	states, note := needed, access.LeaksNote
	if isTask(step.LeakID) {
		states, note = taskNeeded, access.TasksWork
	}
	permission, ok := states[step.State]
	if !ok {
		return nil
	}
	if permission == access.TasksAssign && step.Assignee == person {
		permission = access.TasksCreate
	}
	if step.Note == "" {
		return []access.Permission{permission}
	}
	return []access.Permission{permission, note}
}

func (v *visit) leaks(clinic string, needs ...access.Permission) (Leaks, error) {
	return desk(v, v.server.options.Leaks, v.server.options.Leaks != nil, "leak states", clinic, needs...)
}

func (v *visit) leakHistory() (*reply, error) {
	asked := v.http.URL.Query()
	leaks, err := v.leaks(asked.Get("clinic"), access.LeaksView)
	if err != nil {
		return nil, err
	}
	if asked.Get("leak") == "" {
		return nil, &refusal{http.StatusBadRequest, codeBadRequest, "the leak is missing", "name its leak_id, as leak_worklist answers it"}
	}
	history, err := leaks.History(v.http.Context(), asked.Get("clinic"), asked.Get("leak"))
	if err != nil {
		return nil, err
	}
	v.event.Rows = int64(len(history.Said))
	return asJSON(history)
}

// mostSteps is how many leaks somebody may speak of in one request.
const mostSteps = 500

// sayLeaks is POST /v1/leaks.
func (v *visit) sayLeaks() (*reply, error) {
	var body struct {
		Clinic string     `json:"clinic"`
		Steps  []LeakStep `json:"steps"`
	}
	if err := v.read(&body); err != nil {
		return nil, err
	}
	if len(body.Steps) == 0 || len(body.Steps) > mostSteps {
		return nil, &refusal{http.StatusBadRequest, codeBadRequest, "no leak is named, or too many are", fmt.Sprintf("send 1 to %d steps", mostSteps)}
	}
	var needs []access.Permission
	for _, step := range body.Steps {
		more := step.needs(v.asker().Person)
		if more == nil {
			return nil, &refusal{http.StatusBadRequest, "malformed_step", "a leak is given a state that people do not give", "GET /openapi.json lists those that they do"}
		}
		needs = append(needs, more...)
	}
	slices.Sort(needs)
	leaks, err := v.leaks(body.Clinic, slices.Compact(needs)...)
	if err != nil {
		return nil, err
	}
	said, err := leaks.Say(v.http.Context(), v.asker(), body.Clinic, body.Steps)
	if err != nil {
		return nil, err
	}
	v.server.said.forget(body.Clinic)
	v.event.Rows = int64(len(said))
	return asJSON(map[string]any{"said": said})
}

// showSaid has an engine that is to answer a query about leaks show what people say of them by now, and gives the version of that,
// so that what was kept before it is not given out after.
func (v *visit) showSaid(clinic string, marts []string, engine Engine) (int64, error) {
	if !slices.Contains(marts, query.LedgerMart) && !slices.Contains(marts, query.OutlookMart) {
		return 0, nil
	}
	return v.server.said.show(v.http.Context(), clinic, engine)
}

// Sayer is an engine that shows what people say of leaks; *query.Engine is one.
type Sayer interface {
	Say(ctx context.Context, version int64, said []query.LeakSaid) error
}

// saidKeeper knows what people say of the leaks of each clinic, and looks again now and then, and whenever somebody said something
// here.
type saidKeeper struct {
	source    Leaks
	now       func() time.Time
	headEvery time.Duration
	failed    func(clinic string, err error)

	mu      sync.Mutex
	clinics map[string]*saidOf
}

// saidOf is what was said at one clinic. Its turn is held while it is read.
type saidOf struct {
	turn    chan struct{}
	version int64
	said    []query.LeakSaid
	known   bool
	checked time.Time
	// words counts what was said here, heard how much of that is in what is known.
	words, heard int64
}

func (k *saidKeeper) at(clinic string) *saidOf {
	k.mu.Lock()
	defer k.mu.Unlock()
	at, ok := k.clinics[clinic]
	if !ok {
		at = &saidOf{turn: make(chan struct{}, 1)}
		k.clinics[clinic] = at
	}
	return at
}

// forget has what is known of a clinic read again before the next answer.
func (k *saidKeeper) forget(clinic string) {
	at := k.at(clinic)
	k.mu.Lock()
	defer k.mu.Unlock()
	at.words++
}

// show has an engine show what people say by now, and gives the version of that.
func (k *saidKeeper) show(ctx context.Context, clinic string, engine Engine) (int64, error) {
	sayer, ok := engine.(Sayer)
	if k.source == nil || !ok {
		return 0, nil
	}
	at := k.at(clinic)
	select {
	case at.turn <- struct{}{}:
	case <-ctx.Done():
		return 0, fmt.Errorf("waiting for what was said of the leaks of clinic %s: %w", clinic, ctx.Err())
	}
	defer func() { <-at.turn }()
	if err := k.look(ctx, clinic, at); err != nil {
		return 0, err
	}
	return at.version, sayer.Say(ctx, at.version, at.said)
}

// look reads what was said, where it is time. The caller has the turn.
func (k *saidKeeper) look(ctx context.Context, clinic string, at *saidOf) error {
	k.mu.Lock()
	words := at.words
	k.mu.Unlock()
	if at.known && at.heard == words && k.now().Sub(at.checked) < k.headEvery {
		return nil
	}
	version, said, err := k.source.Said(ctx, clinic)
	switch {
	case err == nil:
		at.version, at.said, at.known, at.heard, at.checked = version, said, true, words, k.now()
		return nil
	case !at.known || at.heard != words || ctx.Err() != nil: // what was said here must not be missing in an answer
		return fmt.Errorf("reading what was said of the leaks of clinic %s: %w", clinic, err)
	default:
		k.failed(clinic, err)
		at.checked = k.now()
		return nil
	}
}
