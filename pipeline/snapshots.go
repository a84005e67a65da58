package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/transforms/settings"
	"github.com/falloff-analytics/falloff/warehouse/disclosure"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/query"
	"github.com/falloff-analytics/falloff/warehouse/server"
)

// Snapshots shows the clinics of a lake to the query server.
type Snapshots struct {
	store  lake.Store
	only   string
	open   func(ctx context.Context, clinic string) (*Site, error)
	limits query.Limits

	mu sync.Mutex
	// names are those of the newest commits, by clinic.
	names map[string]servedAs
}

// servedAs is the name that a commit is served under.
type servedAs struct {
	number  int64
	created time.Time
	name    string
}

// NewSnapshots serves the lake that o names; o.Clinic limits it to one clinic where it is set.
func NewSnapshots(ctx context.Context, o SiteOptions, limits query.Limits) (*Snapshots, error) {
	store, err := existingStore(ctx, o.Lake)
	if err != nil {
		return nil, err
	}
	if o.Vault, err = OpenVault(ctx, o); err != nil { // once: a passphrase may be readable only once
		return nil, err
	}
	s := &Snapshots{store: store, only: o.Clinic, limits: limits, names: map[string]servedAs{}}
	s.open = func(ctx context.Context, clinic string) (*Site, error) {
		served, err := s.Clinics(ctx)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(served, clinic) {
			return nil, server.ErrUnknownClinic
		}
		options := o
		options.Clinic = clinic
		return openSite(ctx, store, options)
	}
	return s, nil
}

// Clinics lists the clinics that are served, those too that cannot be opened: opening them says why.
func (s *Snapshots) Clinics(ctx context.Context) ([]string, error) {
	ids, err := lake.Clinics(ctx, s.store)
	if err != nil {
		return nil, storage("looking for the clinics of the lake", err)
	}
	out := make([]string, 0, len(ids))
	for _, id := range ids {
		if s.only == "" || s.only == string(id) {
			out = append(out, string(id))
		}
	}
	return out, nil
}

// Head names the newest commit of a clinic.
func (s *Snapshots) Head(ctx context.Context, clinic string) (string, error) {
	head, site, err := s.head(ctx, clinic)
	if err != nil {
		return "", err
	}
	return s.name(ctx, site, head)
}

// name is what a commit is served under: the newest one, itself or before it, that is more than people saying something of leaks.
// Its marts are the same, and what was said shows in them without their being loaded again (see ServerLeaks).
func (s *Snapshots) name(ctx context.Context, site *Site, head *lake.Commit) (string, error) {
	clinic := string(site.Clinic.ID())
	s.mu.Lock()
	known := s.names[clinic]
	s.mu.Unlock()
	at := head
	for at.Kind == LeakSteps && at.Number > 1 {
		if at.Number == known.number && at.CreatedAt.Equal(known.created) {
			break
		}
		before, err := site.Clinic.At(ctx, at.Number-1)
		if err != nil {
			return "", storage("reading the lake", err)
		}
		at = before
	}
	name := strconv.FormatInt(at.Number, 10)
	if at.Kind == LeakSteps && at.Number == known.number {
		name = known.name
	}
	s.mu.Lock()
	s.names[clinic] = servedAs{head.Number, head.CreatedAt, name}
	s.mu.Unlock()
	return name, nil
}

// Status says how a served clinic stands.
func (s *Snapshots) Status(ctx context.Context, clinic string) (*Status, error) {
	site, err := s.open(ctx, clinic)
	if err != nil {
		return nil, err
	}
	return site.Status(ctx)
}

// site opens a clinic that is served and holds something.
func (s *Snapshots) site(ctx context.Context, clinic string) (*Site, error) {
	_, site, err := s.head(ctx, clinic)
	return site, err
}

func (s *Snapshots) head(ctx context.Context, clinic string) (*lake.Commit, *Site, error) {
	site, err := s.open(ctx, clinic)
	if err != nil {
		return nil, nil, err
	}
	head, err := site.Clinic.Head(ctx)
	if errors.Is(err, lake.ErrNoCommit) {
		return nil, nil, server.ErrUnknownClinic
	}
	return head, site, err
}

// Open loads those marts of a clinic's newest commit that a view shows. No other object is fetched.
func (s *Snapshots) Open(ctx context.Context, clinic string, view server.View) (server.Engine, error) {
	head, site, err := s.head(ctx, clinic)
	if err != nil {
		return nil, err
	}
	snapshot := site.Clinic.Snapshot(head)
	body, err := snapshot.Settings(ctx)
	if err != nil {
		return nil, err
	}
	var typed settings.Clinic
	if body != nil {
		if typed, err = settings.FromJSON(body); err != nil {
			return nil, err
		}
	}
	shown := slices.DeleteFunc(sortedKeys(head.Marts), func(mart string) bool { return !slices.Contains(view.Marts, mart) })
	local, err := snapshot.Materialise(ctx, lake.Want{Datasets: []string{}, Marts: shown})
	if err != nil {
		return nil, err
	}
	defer func() { _ = local.Close() }() // the engine has loaded what it needs by then
	about, err := meta(clinic, head, typed)
	if err != nil {
		return nil, err
	}
	if about.Commit, err = s.name(ctx, site, head); err != nil {
		return nil, err
	}
	files := query.Files{Marts: local.Marts, Keys: local.Keys, AssignedTo: view.AssignedTo, ReleasedTables: view.Released}
	if len(view.Released) > 0 {
		if files.Released, err = released(ctx, snapshot, about.AsOf); err != nil {
			return nil, err
		}
	}
	engine, err := query.OpenFiles(ctx, files, about, s.limits)
	if err != nil {
		return nil, fmt.Errorf("opening commit %d of clinic %s: %w", head.Number, clinic, err)
	}
	return engine, nil
}

// released are the released tables of a snapshot, nil where it has none.
func released(ctx context.Context, snapshot *lake.Snapshot, asOf civil.Date) (*disclosure.Released, error) {
	body, err := snapshot.Released(ctx)
	if err != nil || body == nil {
		return nil, err
	}
	pattern, err := disclosure.ParsePattern(body)
	if err != nil {
		return nil, err
	}
	return pattern.Released(asOf), nil
}

func meta(clinic string, head *lake.Commit, typed settings.Clinic) (query.Meta, error) {
	m := query.Meta{
		Clinic: clinic, Name: typed.Name, Commit: strconv.FormatInt(head.Number, 10), AsOf: head.AsOf,
		TimeZone: typed.TimeZone, Currency: typed.Currency, CommittedAt: head.CreatedAt,
	}
	for _, mart := range head.Marts {
		m.AsOf = mart.AsOf
		break
	}
	landed, err := Freshness(head)
	if err != nil {
		return m, err
	}
	for _, f := range landed {
		m.Freshness = append(m.Freshness, query.Freshness{
			Dataset: f.Dataset, CoveredFrom: f.From, CoveredTo: f.To, ObservedOn: f.ObservedOn, Rows: f.Rows,
		})
	}
	return m, nil
}

// DatasetFreshness says what has landed of one dataset.
type DatasetFreshness struct {
	Dataset string `json:"dataset"`
	Rows    int64  `json:"rows"`
	Objects int    `json:"objects"`
	Bytes   int64  `json:"bytes"`
	// From and To bound the days that its reports were about, ObservedOn is the newest day whose end they show; zero where
	// nothing is known of it.
	From       civil.Date `json:"reports_from,omitzero"`
	To         civil.Date `json:"reports_to,omitzero"`
	ObservedOn civil.Date `json:"observed_on,omitzero"`
}

// Freshness tells of every dataset of a commit what has landed, in the order of their names.
func Freshness(head *lake.Commit) ([]DatasetFreshness, error) {
	ranges, err := reportRanges(head.Sources[rangesSource])
	if err != nil {
		return nil, err
	}
	out := make([]DatasetFreshness, 0, len(head.Datasets))
	for _, name := range sortedKeys(head.Datasets) {
		d, r := head.Datasets[name], ranges[name]
		f := DatasetFreshness{Dataset: name, Rows: d.Rows(), Objects: len(d.Objects), From: r.From, To: r.To, ObservedOn: r.ObservedOn}
		for _, o := range d.Objects {
			f.Bytes += o.Bytes
		}
		out = append(out, f)
	}
	return out, nil
}
