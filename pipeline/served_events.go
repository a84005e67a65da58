package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/transforms/settings"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/server"
)

// ServerEvents knows what happened at clinics: syncs and changed prices from the lake's history, settings from the audit log, support
// access from its grants.
//
// BUG(ServerEvents): after a start the first question about a clinic reads its commits, up to a thousand, one after the other; and
// changes of settings are looked up in the whole audit log, at most every ten minutes (see ServerAuditLog).
type ServerEvents struct {
	snapshots *Snapshots
	audit     *ServerAuditLog
	support   *ServerSupport
	now       func() time.Time

	// turn is held by whoever reads: what one has read the next need not.
	turn    chan struct{}
	mu      sync.Mutex
	history map[string][]pastCommit
	changes map[string]pastChanges
}

// NewServerEvents is a server's memory of what happened.
func NewServerEvents(snapshots *Snapshots, auditLog *ServerAuditLog, support *ServerSupport, now func() time.Time) *ServerEvents {
	return &ServerEvents{
		snapshots: snapshots, audit: auditLog, support: support, now: now, turn: make(chan struct{}, 1),
		history: map[string][]pastCommit{}, changes: map[string]pastChanges{},
	}
}

const (
	// longestHistory is how many commits are looked back.
	longestHistory = 1000
	// changesEvery is how long a search for changed settings is believed.
	changesEvery = 10 * time.Minute
)

// pastCommit is what is remembered of a commit.
type pastCommit struct {
	number   int64
	at       time.Time
	kind     lake.Kind
	asOf     civil.Date
	datasets []string // that differ from the commit before
	settings *lake.Object
}

type pastChanges struct {
	looked  time.Time
	records []audit.Record
}

// Events are those of one kind.
func (e *ServerEvents) Events(ctx context.Context, clinic string, kind server.EventKind, from, to civil.Date) ([]server.ClinicEvent, error) {
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for what happened at the clinic: %w", ctx.Err())
	}
	var all []server.ClinicEvent
	var err error
	switch kind {
	case server.SyncEvent:
		all, err = e.syncs(ctx, clinic)
	case server.SettingEvent:
		all, err = e.settings(ctx, clinic)
	case server.PriceEvent:
		all, err = e.prices(ctx, clinic)
	case server.SupportEvent:
		all, err = e.supports(ctx, clinic)
	}
	within := slices.DeleteFunc(all, func(event server.ClinicEvent) bool {
		first, last := civil.DateOf(event.At.UTC()), civil.DateOf(event.At.UTC())
		if event.Until != nil {
			last = civil.DateOf(event.Until.UTC())
		}
		return from.IsValid() && last.Before(from) || to.IsValid() && first.After(to)
	})
	slices.SortStableFunc(within, func(a, b server.ClinicEvent) int { return a.At.Compare(b.At) })
	return within, err
}

// commits are those of a clinic, the newest first. Commits never change, so that each is read once.
func (e *ServerEvents) commits(ctx context.Context, clinic string) ([]pastCommit, *Site, error) {
	head, site, err := e.snapshots.head(ctx, clinic)
	if err != nil {
		return nil, nil, err
	}
	e.mu.Lock()
	known := e.history[clinic]
	e.mu.Unlock()
	if len(known) > 0 && (known[0].number > head.Number || known[0].number == head.Number && !known[0].at.Equal(head.CreatedAt.UTC())) {
		known = nil // it is another lake's history by now
	}
	var read []pastCommit
	for is := head; is != nil && len(read) < longestHistory; {
		if len(known) > 0 && is.Number == known[0].number {
			break
		}
		was := &lake.Commit{}
		if is.Parent > 0 {
			was, err = site.Clinic.At(ctx, is.Parent)
			if errors.Is(err, lake.ErrNoCommit) { // a lake that was restored begins later
				was, err = &lake.Commit{}, nil
			}
			if err != nil {
				return nil, nil, storage("reading the lake's history", err)
			}
		}
		read = append(read, remembered(was, is))
		if is = was; was.Number == 0 {
			is = nil
		}
	}
	read = slices.Concat(read, known)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.history[clinic] = read[:min(len(read), longestHistory)]
	return e.history[clinic], site, nil
}

func remembered(was, is *lake.Commit) pastCommit {
	past := pastCommit{number: is.Number, at: is.CreatedAt.UTC(), kind: is.Kind, asOf: is.AsOf}
	for _, name := range sortedKeys(is.Datasets) {
		if !slices.EqualFunc(is.Datasets[name].Objects, was.Datasets[name].Objects, func(a, b lake.Object) bool { return a.Path == b.Path }) {
			past.datasets = append(past.datasets, name)
		}
	}
	if is.Settings != nil && (was.Settings == nil || was.Settings.Path != is.Settings.Path) {
		past.settings = is.Settings
	}
	return past
}

// syncs are the commits that brought rows.
func (e *ServerEvents) syncs(ctx context.Context, clinic string) ([]server.ClinicEvent, error) {
	commits, _, err := e.commits(ctx, clinic)
	if err != nil {
		return nil, err
	}
	var events []server.ClinicEvent
	for _, c := range commits {
		if c.kind != lake.Ingest || len(c.datasets) == 0 {
			continue
		}
		text := strings.ReplaceAll(strings.Join(c.datasets, ", "), "_", " ")
		if c.asOf.IsValid() {
			text += ", up to " + c.asOf.String()
		}
		events = append(events, server.ClinicEvent{At: c.at, Kind: server.SyncEvent, Title: "Data landed", Text: text})
	}
	return events, nil
}

// settings are changes that people made through servers and commands.
func (e *ServerEvents) settings(ctx context.Context, clinic string) ([]server.ClinicEvent, error) {
	if _, err := e.snapshots.site(ctx, clinic); err != nil {
		return nil, err
	}
	e.mu.Lock()
	known := e.changes[clinic]
	e.mu.Unlock()
	if now := e.now(); known.looked.IsZero() || now.Sub(known.looked) >= changesEvery {
		found, err := e.audit.find(ctx, audit.Filter{Clinic: clinic})
		if err != nil {
			return nil, err
		}
		known = pastChanges{looked: now}
		for _, r := range found {
			if r.Action == audit.SettingChanged || r.Action == audit.Paused || r.Action == audit.Resumed {
				known.records = append(known.records, r)
			}
		}
		e.mu.Lock()
		e.changes[clinic] = known
		e.mu.Unlock()
	}
	var events []server.ClinicEvent
	for _, r := range known.records {
		event := server.ClinicEvent{At: r.At.UTC(), Kind: server.SettingEvent}
		switch r.Action {
		case audit.Paused:
			event.Title, event.Text = "Reading of the portal paused", "nothing is read until somebody resumes it"
		case audit.Resumed:
			event.Title, event.Text = "Reading of the portal resumed", "it goes on with the next run"
		default:
			_, name, _ := strings.Cut(r.Entity, "/")
			event.Title = "Setting changed: " + strings.ReplaceAll(name, "_", " ")
			event.Text = fmt.Sprintf("%s, before %s", settingValue(r.After), settingValue(r.Before))
		}
		events = append(events, event)
	}
	return events, nil
}

func settingValue(f audit.Fields) string {
	for _, name := range []string{"value", "number", "on"} {
		if value, ok := f[name]; ok {
			return fmt.Sprint(value)
		}
	}
	return "none"
}

// prices are changes of clinic.yaml as the lake keeps it, and the days on which a price begins that it has.
func (e *ServerEvents) prices(ctx context.Context, clinic string) ([]server.ClinicEvent, error) {
	commits, site, err := e.commits(ctx, clinic)
	if err != nil {
		return nil, err
	}
	var events []server.ClinicEvent
	var before, now *settings.Clinic
	for _, c := range slices.Backward(commits) {
		if c.settings == nil {
			continue
		}
		typed, err := settingsAt(ctx, site, c.number)
		if err != nil {
			return nil, err
		}
		if before, now = now, typed; before != nil && now != nil {
			if text := policyChanges(*before, *now); text != "" {
				events = append(events, server.ClinicEvent{At: c.at, Kind: server.PriceEvent, Title: "Prices or policies changed", Text: text})
			}
		}
	}
	if now == nil {
		return events, nil
	}
	begins, err := priceBegins(*now)
	return append(events, begins...), err
}

// settingsAt are a commit's settings, nil where they were let go.
func settingsAt(ctx context.Context, site *Site, number int64) (*settings.Clinic, error) {
	commit, err := site.Clinic.At(ctx, number)
	if errors.Is(err, lake.ErrNoCommit) {
		return nil, nil //nolint:nilnil // what was let go is not there
	}
	if err != nil {
		return nil, storage("reading the lake's history", err)
	}
	body, err := site.Clinic.Snapshot(commit).Settings(ctx)
	if errors.Is(err, lake.ErrNotFound) || body == nil && err == nil {
		return nil, nil //nolint:nilnil // as above
	}
	if err != nil {
		return nil, storage("reading the lake's history", err)
	}
	typed, err := settings.FromJSON(body)
	return &typed, err
}

// policyChanges says what differs between two settings, empty for nothing that money depends on.
func policyChanges(was, is settings.Clinic) string {
	var said []string
	for _, item := range itemsOf(was.Prices, is.Prices, func(p settings.Price) string { return p.Item }) {
		said = append(said, "prices of "+item)
	}
	if len(said) > 4 {
		said = append(said[:3], fmt.Sprintf("prices of %d more", len(said)-3))
	}
	if len(itemsOf(was.Fees, is.Fees, func(f settings.Fee) string { return f.Item })) > 0 {
		said = append(said, "fees for missed appointments")
	}
	if len(itemsOf(was.FilingLimits, is.FilingLimits, func(f settings.FilingLimit) string { return f.Insurer })) > 0 {
		said = append(said, "insurers' filing limits")
	}
	if was.PatientDueDays != is.PatientDueDays || was.InsurerDueDays != is.InsurerDueDays {
		said = append(said, "when invoices are due")
	}
	if was.TaxPerMillion != is.TaxPerMillion {
		said = append(said, "tax")
	}
	return strings.Join(said, ", ")
}

// itemsOf names what differs between two lists, each once.
func itemsOf[T any](was, is []T, name func(T) string) []string {
	lines := func(of []T) map[string]string {
		out := map[string]string{}
		for _, one := range of {
			text, err := json.Marshal(one) // of strings, numbers and days, which always encode
			if err != nil {
				panic(err)
			}
			out[string(text)] = name(one)
		}
		return out
	}
	before, after := lines(was), lines(is)
	differs := map[string]bool{}
	for line, item := range before {
		differs[item] = differs[item] || after[line] == ""
	}
	for line, item := range after {
		differs[item] = differs[item] || before[line] == ""
	}
	var out []string
	for _, item := range sortedKeys(differs) {
		if differs[item] {
			out = append(out, item)
		}
	}
	return out
}

// priceBegins are the days on which one of the prices takes another's place.
func priceBegins(of settings.Clinic) ([]server.ClinicEvent, error) {
	zone, err := of.Zone()
	if err != nil {
		return nil, err
	}
	begins := map[civil.Date][]string{}
	for _, p := range of.Prices {
		if p.From == nil {
			continue
		}
		replaced := slices.ContainsFunc(of.Prices, func(other settings.Price) bool {
			return other.Item == p.Item && other.Location == p.Location && (other.From == nil || other.From.Before(*p.From))
		})
		if replaced {
			begins[*p.From] = append(begins[*p.From], fmt.Sprintf("%s costs %d.%02d", p.Item, p.GrossCents/100, p.GrossCents%100))
		}
	}
	var events []server.ClinicEvent
	for day, lines := range begins {
		slices.Sort(lines)
		if len(lines) > 5 {
			lines = append(lines[:4], fmt.Sprintf("and %d more", len(lines)-4))
		}
		events = append(events, server.ClinicEvent{At: day.In(zone).UTC(), Kind: server.PriceEvent, Title: "New prices begin", Text: strings.Join(lines, ", ")})
	}
	return events, nil
}

// supports are support access, from its grant to its end.
func (e *ServerEvents) supports(ctx context.Context, clinic string) ([]server.ClinicEvent, error) {
	grants, err := e.support.List(ctx, clinic)
	if err != nil {
		return nil, err
	}
	var events []server.ClinicEvent
	for _, g := range grants {
		until := g.Until
		if g.Ended != nil {
			until = *g.Ended
		}
		text := fmt.Sprintf("%s, granted to %s by %s", g.Reason, g.Login, g.GrantedBy)
		if g.Ended != nil {
			text += fmt.Sprintf("; %d requests rested on it", g.Uses)
		}
		events = append(events, server.ClinicEvent{At: g.From, Until: &until, Kind: server.SupportEvent, Title: "Support access", Text: text})
	}
	return events, nil
}
