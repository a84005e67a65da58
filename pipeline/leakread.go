package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// LeakHistory is what became of a leak.
type LeakHistory struct {
	LeakID string `json:"leak_id"`
	// State is how it stands: money makes it recovered, and a bounce undoes that.
	State string `json:"state"`
	// InLedger says that the newest ledger has it.
	InLedger bool       `json:"in_ledger"`
	Said     []LeakSaid `json:"said"`
	// Money is what came in for it, nil where nothing did.
	Money *LeakMoney `json:"money,omitempty"`
}

// LeakMoney is what came in for a leak, as of the newest build.
type LeakMoney struct {
	Leaked       int64      `json:"leaked_cents"`
	Recovered    int64      `json:"recovered_cents"`
	ByUs         int64      `json:"recovered_by_us_cents"`
	Currency     string     `json:"currency"`
	FirstOn      civil.Date `json:"first_money_on"`
	LastOn       civil.Date `json:"last_money_on"`
	AllRecovered bool       `json:"all_recovered"`
}

// The marts that leaks are known from.
const (
	ledgerMart     = "leak_ledger"
	recoveriesMart = "leak_recoveries"
	outlookMart    = "patient_outlook"
)

// LeakHistory says what people said of a leak, and what came in for it. Of a leak that nobody knows it is a *LeakError.
func (s *Site) LeakHistory(ctx context.Context, leakID string) (*LeakHistory, error) {
	head, err := s.Clinic.Head(ctx)
	if err != nil {
		return nil, storage("reading the lake", err)
	}
	leaks, _, err := s.leaksAt(ctx, head, []string{leakID})
	if err != nil {
		return nil, err
	}
	leak := leaks[leakID]
	if leak == nil {
		return nil, refused("", &LeakError{
			Problem: LeakUnknown, Place: 1, What: "is in no ledger", Hint: "falloff leaks --format csv prints every leak_id of the newest build",
		})
	}
	return &LeakHistory{LeakID: leakID, State: leak.state(), InLedger: leak.inLedger, Said: saidOf(leak.said), Money: leak.money}, nil
}

// LeakStates are what people last said of each leak of which anybody said something, by leak_id, as of now and whatever day the marts
// are of. Money is not looked at.
func (v *View) LeakStates(ctx context.Context) (map[string]LeakSaid, error) {
	steps, err := leakSteps(ctx, v.snapshot, nil)
	if err != nil {
		return nil, err
	}
	out := make(map[string]LeakSaid, len(steps))
	for id, of := range steps {
		said := saidOf(of)
		out[id] = said[len(said)-1]
	}
	return out, nil
}

// saidOf shows the steps of one leak, which are in order.
func saidOf(steps []contract.LeakStep) []LeakSaid {
	out := make([]LeakSaid, len(steps))
	from := contract.LeakOpen
	for i, step := range steps {
		out[i] = LeakSaid{
			LeakID: step.LeakID, Sequence: step.Sequence, At: time.UnixMicro(step.SaidAt).UTC(), From: from, State: step.State,
			Actor: step.Actor, Assignee: textOf(step.Assignee), Note: textOf(step.Note),
		}
		from = step.State
	}
	return out
}

// leakSteps reads what was said of some leaks, or of all where ids is nil, by leak and in order.
func leakSteps(ctx context.Context, snapshot *lake.Snapshot, ids []string) (map[string][]contract.LeakStep, error) {
	wanted := map[string]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	out := map[string][]contract.LeakStep{}
	for step, err := range lake.Rows(ctx, snapshot, lake.LeakStates) {
		if err != nil {
			return nil, storage("reading what was said of leaks", err)
		}
		if ids == nil || wanted[step.LeakID] {
			out[step.LeakID] = append(out[step.LeakID], step)
		}
	}
	for _, steps := range out {
		slices.SortFunc(steps, func(a, b contract.LeakStep) int { return cmp.Compare(a.Sequence, b.Sequence) })
	}
	return out, nil
}

// leaksAt finds leaks in the marts of a commit and in what was said of them; one that neither has is not in the result. It gives the
// staff members that the marts know as well.
func (s *Site) leaksAt(ctx context.Context, head *lake.Commit, ids []string) (map[string]*knownLeak, []string, error) {
	if _, built := head.Marts[ledgerMart]; !built {
		return nil, nil, refused("looking for the leaks", ErrNotBuilt)
	}
	steps, err := leakSteps(ctx, s.Clinic.Snapshot(head), ids)
	if err != nil {
		return nil, nil, err
	}
	leaks := map[string]*knownLeak{}
	at := func(id string) *knownLeak {
		if leaks[id] == nil {
			leaks[id] = &knownLeak{said: steps[id]}
			if last := leaks[id].last(); last != nil {
				leaks[id].patient = last.PatientRef()
			}
		}
		return leaks[id]
	}
	for id := range steps {
		at(id)
	}
	view, err := s.openView(ctx, head, lake.Want{Datasets: []string{}, Marts: append([]string{ledgerMart, recoveriesMart, outlookMart}, staffMarts...)})
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = view.Close() }()
	if err := view.findLeaks(ctx, ids, at); err != nil {
		return nil, nil, fmt.Errorf("looking for the leaks: %w", err)
	}
	staff, err := view.staff(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("looking who works there: %w", err)
	}
	return leaks, staff, nil
}

// findLeaks notes what the marts say of leaks.
func (v *View) findLeaks(ctx context.Context, ids []string, at func(id string) *knownLeak) error {
	among := "leak_id in (" + strings.TrimSuffix(strings.Repeat("?, ", len(ids)), ", ") + ")"
	arguments := make([]any, len(ids))
	for i, id := range ids {
		arguments[i] = id
	}
	rows, err := v.DB.QueryContext(ctx, `
		select leak_id, bool_or(category = 'write_off'), coalesce(min(patient), '')
		from marts.leak_ledger
		where `+among+`
		group by leak_id`, arguments...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id, patient string
		var writtenOff bool
		if err := rows.Scan(&id, &writtenOff, &patient); err != nil {
			return err
		}
		leak := at(id)
		leak.inLedger, leak.portal, leak.patient = true, writtenOff, patient
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if err := v.findAtRisk(ctx, among, arguments, at); err != nil {
		return err
	}
	if _, built := v.Commit.Marts[recoveriesMart]; !built {
		return nil
	}
	paid, err := v.DB.QueryContext(ctx, `
		select leak_id, patient, leaked_cents, recovered_cents, recovered_by_us_cents, currency, first_money_on, last_money_on
		from marts.leak_recoveries
		where `+among, arguments...)
	if err != nil {
		return err
	}
	defer func() { _ = paid.Close() }()
	for paid.Next() {
		var id, patient string
		var m LeakMoney
		var first, last time.Time
		if err := paid.Scan(&id, &patient, &m.Leaked, &m.Recovered, &m.ByUs, &m.Currency, &first, &last); err != nil {
			return err
		}
		m.FirstOn, m.LastOn, m.AllRecovered = civil.DateOf(first), civil.DateOf(last), m.Recovered >= m.Leaked
		leak := at(id)
		leak.money, leak.paid, leak.patient = &m, m.AllRecovered, cmp.Or(leak.patient, patient)
	}
	return paid.Err()
}

// findAtRisk notes which of the leaks are of patients with nothing booked: an episode has the same name before it has fallen off.
func (v *View) findAtRisk(ctx context.Context, among string, arguments []any, at func(id string) *knownLeak) error {
	if _, built := v.Commit.Marts[outlookMart]; !built {
		return nil
	}
	rows, err := v.DB.QueryContext(ctx, `
		select leak_id, patient
		from (select 'falloff/' || episode_id as leak_id, patient from marts.patient_outlook where list_rank is not null)
		where `+among, arguments...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id, patient string
		if err := rows.Scan(&id, &patient); err != nil {
			return err
		}
		leak := at(id)
		leak.atRisk, leak.patient = true, patient
	}
	return rows.Err()
}

// staffMarts are where staff members are known from.
var staffMarts = []string{"caseload", "staff_hours"}

// staff are the staff members that the marts show, as they show them.
func (v *View) staff(ctx context.Context) ([]string, error) {
	from := []string{"select staff_member from marts." + ledgerMart}
	for _, mart := range staffMarts {
		if _, built := v.Commit.Marts[mart]; built {
			from = append(from, "select staff_member from marts."+mart)
		}
	}
	rows, err := v.DB.QueryContext(ctx, "select distinct staff_member from ("+strings.Join(from, " union all ")+") where staff_member is not null order by 1")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		out = append(out, name)
	}
	return out, rows.Err()
}

// zoneOf is the clinic's time zone as a commit has it.
func (s *Site) zoneOf(ctx context.Context, head *lake.Commit) (*time.Location, error) {
	clinic, err := s.settings(ctx, s.Clinic.Snapshot(head))
	if err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(clinic.TimeZone)
	if err != nil {
		return nil, refused("reading the clinic's settings", errors.New("its time_zone is none that is known"))
	}
	return zone, nil
}

// categoryOf is the category that a leak's name begins with.
func categoryOf(leakID string) string {
	category, _, _ := strings.Cut(leakID, "/")
	return category
}
