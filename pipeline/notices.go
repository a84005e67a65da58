package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/pipeline/notify"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/watch"
)

// watchMart is what the watch over falloff counts.
const watchMart = "falloff_watch"

// Messages is the outbox of the clinic. record puts deliveries on record.
func (s *Site) Messages(settings *notify.Settings, record func(context.Context, notify.Delivery) error) *notify.Outbox {
	return &notify.Outbox{Register: s.Clinic.Register(notify.RegisterName), Settings: settings, Record: record, Now: s.clock, Random: s.random}
}

// Notices are what there is to tell of a clinic by the rules, whether it was told before or not, but for leaks: those are the ones that
// have come since messages last told of them. What is to be noted in the outbox when they are told is noted by the function.
func (s *Site) Notices(ctx context.Context, rules notify.Rules, state *notify.State) ([]notify.Event, func(*notify.State), error) {
	status, err := s.Status(ctx)
	if err != nil {
		return nil, nil, err
	}
	var events []notify.Event
	if rules.NeedsPerson {
		if events, err = s.personNotices(ctx, status); err != nil {
			return nil, nil, err
		}
	}
	note := func(*notify.State) {}
	if status.Commit == 0 {
		return events, note, nil
	}
	head, err := s.Clinic.Head(ctx)
	if err != nil {
		return nil, nil, storage("reading the lake", err)
	}
	if rules.StaleAfter > 0 {
		stale, err := s.staleNotice(ctx, head, status, rules.StaleAfter)
		if err != nil {
			return nil, nil, err
		}
		events = append(events, stale...)
	}
	if rules.Falloff {
		alarm, err := s.falloffNotice(ctx, head)
		if err != nil {
			return nil, nil, err
		}
		events = append(events, alarm...)
	}
	if rules.LeaksOver > 0 {
		leaks, advance, err := s.leakNotice(ctx, head, int64(rules.LeaksOver*100+0.5), state)
		if err != nil {
			return nil, nil, err
		}
		events = append(events, leaks...)
		if advance {
			note = func(state *notify.State) { state.LeaksOf, state.LeaksKeys = head.Number, head.KeyVersion }
		}
	}
	return events, note, nil
}

// personNotices say that extraction, or an erasure, waits for a person: by the name of the cause, since what a hint says is for those who may look.
func (s *Site) personNotices(ctx context.Context, status *Status) ([]notify.Event, error) {
	var out []notify.Event
	event := notify.Event{Kind: notify.NeedsPerson, Clinic: status.Clinic, AsOf: status.AsOf}
	if status.State == StatePerson || status.State == StateRevoked {
		hold, err := s.Hold(ctx)
		if err != nil {
			return nil, err
		}
		e := event
		e.State = string(status.State)
		switch {
		case hold.Rejected != nil:
			e.Cause = string(hold.Rejected.Cause)
		case hold.Last != nil && hold.Last.Cause != "":
			e.Cause = string(hold.Last.Cause)
		case hold.BuildFailed != nil:
			e.Cause = "build_failed"
		}
		e.About = e.State + "/" + e.Cause
		out = append(out, e)
	}
	if status.Erasing {
		e := event
		e.State, e.About = "unfinished erasure", "erasure"
		out = append(out, e)
	}
	return out, nil
}

// staleNotice looks at the newest day that is shown to people: that of the marts, where there are any.
func (s *Site) staleNotice(ctx context.Context, head *lake.Commit, status *Status, after time.Duration) ([]notify.Event, error) {
	day := status.AsOf
	if status.BuiltAsOf.IsValid() {
		day = status.BuiltAsOf
	}
	if !day.IsValid() {
		return nil, nil
	}
	zone, err := s.zoneOf(ctx, head)
	if err != nil {
		return nil, err
	}
	since := day.AddDays(1).In(zone)
	if s.clock().Sub(since) <= after {
		return nil, nil
	}
	return []notify.Event{{Kind: notify.StaleData, Clinic: status.Clinic, AsOf: day, Since: since.UTC(), About: day.String()}}, nil
}

// recentAlarm is how old an alarm may be to be told of: weeks that are gone are no news.
const recentAlarm = 14

// falloffNotice is an alarm of the newest weeks.
func (s *Site) falloffNotice(ctx context.Context, head *lake.Commit) ([]notify.Event, error) {
	mart, built := head.Marts[watchMart]
	if !built || mart.Rows == 0 {
		return nil, nil
	}
	view, err := s.openView(ctx, head, lake.Want{Datasets: []string{}, Marts: []string{watchMart}})
	if err != nil {
		return nil, err
	}
	defer func() { _ = view.Close() }()
	counts, err := view.watched(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the watch over falloff: %w", err)
	}
	last := lastWeek(counts, mart.AsOf)
	for _, w := range watch.Weeks(counts, last) {
		if !w.Alarm || last.DaysSince(w.From) >= recentAlarm {
			continue
		}
		var lapses, most int64
		expected := 0.0
		by := map[string]int64{}
		for _, week := range watch.Weeks(counts, w.From) {
			if !week.From.Before(w.Raised) {
				lapses, expected = lapses+week.Lapses, expected+week.Expected
			}
		}
		for _, c := range counts {
			if !c.Week.Before(w.Raised) && !c.Week.After(w.From) {
				by[c.Discipline] += c.Lapses
				most = max(most, by[c.Discipline])
			}
		}
		return []notify.Event{notify.FalloffEvent(string(s.Clinic.ID()), mart.AsOf, w.Raised, w.From.AddDays(6), most, lapses, expected)}, nil
	}
	return nil, nil
}

// lastWeek is the newest week of which all lapses can be told: the day after its last is over.
func lastWeek(counts []watch.Count, asOf civil.Date) civil.Date {
	if len(counts) == 0 {
		return civil.Date{}
	}
	first := counts[0].Week
	days := asOf.AddDays(-7).DaysSince(first)
	if days < 0 {
		return first.AddDays(-7)
	}
	return first.AddDays(days / 7 * 7)
}

// watched reads the mart, in order of weeks.
func (v *View) watched(ctx context.Context) ([]watch.Count, error) {
	rows, err := v.DB.QueryContext(ctx, `
		select week_from, discipline, visits, last_was, trials, lapses
		from marts.falloff_watch
		order by week_from, discipline, visits, last_was`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []watch.Count
	for rows.Next() {
		var c watch.Count
		var week time.Time
		if err := rows.Scan(&week, &c.Discipline, &c.Visits, &c.LastWas, &c.Trials, &c.Lapses); err != nil {
			return nil, err
		}
		c.Week = civil.DateOf(week)
		out = append(out, c)
	}
	return out, rows.Err()
}

// leakNotice finds the leaks that the ledger has and that of the commit did not have of which messages told last. They wait until they
// come to an amount together. Where that commit cannot be read any more, or its leaks have other names, all are taken for told: advance
// says that from now on this commit counts.
func (s *Site) leakNotice(ctx context.Context, head *lake.Commit, over int64, state *notify.State) (events []notify.Event, advance bool, err error) {
	mart, built := head.Marts[ledgerMart]
	if !built || state.LeaksOf == head.Number {
		return nil, false, nil
	}
	if state.LeaksOf == 0 || state.LeaksKeys != head.KeyVersion {
		return nil, true, nil
	}
	before, err := s.Clinic.At(ctx, state.LeaksOf)
	if err != nil && !errors.Is(err, lake.ErrNoCommit) {
		return nil, false, storage("reading the lake", err)
	}
	if err != nil {
		return nil, true, nil //nolint:nilerr // the commit is gone
	}
	if before.Marts[ledgerMart].Path == mart.Path {
		return nil, false, nil
	}
	known, _, err := s.owed(ctx, before)
	if errors.Is(err, lake.ErrNotFound) {
		return nil, true, nil
	}
	if err != nil {
		return nil, false, err
	}
	now, currency, err := s.owed(ctx, head)
	if err != nil {
		return nil, false, err
	}
	everybody, by := map[string]bool{}, map[string]map[string]bool{}
	counts := map[string]*notify.CategoryCount{}
	var sum int64
	for id, leak := range now {
		if _, told := known[id]; told || leak.cents <= 0 {
			continue
		}
		c := counts[leak.category]
		if c == nil {
			c, by[leak.category] = &notify.CategoryCount{Category: leak.category}, map[string]bool{}
			counts[leak.category] = c
		}
		c.Count++
		c.Cents += leak.cents
		sum += leak.cents
		everybody[leak.patient], by[leak.category][leak.patient] = true, true
	}
	if sum < over {
		return nil, false, nil
	}
	var categories []notify.CategoryCount
	for _, category := range sortedKeys(counts) {
		counts[category].Patients = int64(len(by[category]))
		categories = append(categories, *counts[category])
	}
	return []notify.Event{notify.LeaksEvent(string(s.Clinic.ID()), fmt.Sprintf("commit/%d", head.Number), mart.AsOf, over, currency, int64(len(everybody)), categories)}, true, nil
}

// owedLeak is a leak that is money owed and that nobody has ended.
type owedLeak struct {
	category, patient string
	cents             int64
}

// owed reads the open leaks of a commit's ledger, without estimates.
func (s *Site) owed(ctx context.Context, commit *lake.Commit) (map[string]owedLeak, string, error) {
	if commit.Marts[ledgerMart].Rows == 0 {
		return nil, "", nil
	}
	view, err := s.openView(ctx, commit, lake.Want{Datasets: []string{}, Marts: []string{ledgerMart}})
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = view.Close() }()
	rows, err := view.DB.QueryContext(ctx, `
		select leak_id, category, coalesce(patient, leak_id), amount_cents, currency
		from marts.leak_ledger
		where certainty <> 'estimate' and state not in ('recovered', 'expired')`)
	if err != nil {
		return nil, "", fmt.Errorf("reading the ledger: %w", err)
	}
	defer func() { _ = rows.Close() }()
	out, currency := map[string]owedLeak{}, ""
	for rows.Next() {
		var id string
		var leak owedLeak
		if err := rows.Scan(&id, &leak.category, &leak.patient, &leak.cents, &currency); err != nil {
			return nil, "", fmt.Errorf("reading the ledger: %w", err)
		}
		leak.cents += out[id].cents
		out[id] = leak
	}
	return out, currency, rows.Err()
}
