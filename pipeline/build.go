package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/settings"
	"github.com/falloff-analytics/falloff/warehouse/disclosure"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/models"
)

// BuildOptions say what to build.
type BuildOptions struct {
	// AsOf is the day D; zero means the newest day that the landed reports show.
	AsOf civil.Date
	// Select limits the build to some marts; none is all. A name is a mart's, or with a `+` behind it that of any table, a dataset
	// (`lake.claims+`) included, and stands for every mart that is made from it.
	Select []string
	// Full makes every selected mart, also those that are as a build would make them.
	Full     bool
	Threads  int
	Progress Progress
}

// Built says what a build made.
type Built struct {
	// Commit is the commit that shows the marts, Input the one they were made from.
	Commit int64      `json:"commit"`
	Input  int64      `json:"input"`
	AsOf   civil.Date `json:"as_of"`
	// Marts counts the rows of those that are as of this build, Made names those of them that were made by it.
	Marts map[string]int64 `json:"marts"`
	Made  []string         `json:"made"`
	// Behind are the marts that were not selected and that a build would make anew.
	Behind []string `json:"behind,omitempty"`
	// Warnings are the checks that the marts do not keep, and that do not keep them from being published.
	Warnings []string `json:"warnings,omitempty"`
}

// Build builds the models over what has landed and commits the marts: those that could differ from what is there. Where the newest
// commit changes meanwhile, it builds again over that one.
func (s *Site) Build(ctx context.Context, o BuildOptions) (*Built, error) {
	progress := o.Progress.orSilent()
	for {
		head, err := s.Clinic.Head(ctx)
		if err != nil {
			return nil, storage("looking for what to build from", err)
		}
		if err := s.mayFollow(head); err != nil {
			return nil, err
		}
		built, err := s.buildFrom(ctx, head, o, progress)
		if errors.Is(err, errOvertaken) {
			continue
		}
		if err == nil {
			s.noteBuild(ctx, nil)
		}
		return built, err
	}
}

// errOvertaken says that another run committed data while this one was building.
var errOvertaken = errors.New("newer data was committed meanwhile")

func (s *Site) buildFrom(ctx context.Context, head *lake.Commit, o BuildOptions, progress Progress) (*Built, error) {
	progress(Step{Name: "build"})
	all := len(o.Select) == 0
	if all && !o.Full {
		if basis, err := buildBasis(head, dataCommit(head), o); err != nil || head.Built == basis {
			return asBefore(head, progress), err
		}
	}
	b, err := s.beginBuild(ctx, head, o)
	if err != nil {
		return nil, err
	}
	found, err := b.compareClosings(ctx)
	if err != nil {
		return nil, err
	}
	plan, err := b.plan(ctx)
	if err != nil {
		return nil, err
	}
	if all {
		b.releasing = &releasing{}
	}
	result, err := b.make(ctx, plan.toMake())
	if err != nil {
		s.noteBuild(ctx, err)
		return nil, err
	}
	built := &Built{Input: b.input, AsOf: b.in.AsOf, Marts: map[string]int64{}, Made: plan.toMake(), Behind: plan.behind()}
	for _, w := range result.Warnings {
		built.Warnings = append(built.Warnings, w.Error())
		progress(Step{Name: "build", Note: w.Error()})
	}
	commit, err := s.Clinic.Update(ctx, lake.Build, func(ctx context.Context, tx *lake.Tx) error {
		if tx.Head().Number != head.Number {
			return errOvertaken
		}
		changed, err := noteCompared(ctx, tx, found)
		if err != nil {
			return err
		}
		dropped, err := b.place(ctx, tx, plan, result)
		if err != nil {
			return err
		}
		if all {
			released, err := b.releasing.place(ctx, tx, b)
			if err != nil {
				return err
			}
			basis, err := buildBasis(tx.Snapshot().Commit(), b.input, o)
			if err != nil {
				return err
			}
			changed = changed || released || basis != head.Built
			tx.SetBuilt(basis)
		}
		if !changed && !dropped && maps.Equal(origins(head.Marts), origins(tx.Marts())) {
			return lake.ErrUnchanged
		}
		return nil
	})
	if err != nil {
		if errors.Is(err, errOvertaken) {
			return nil, err
		}
		return nil, storage("committing the marts", err)
	}
	if warning := b.releasing.warning(); warning != "" {
		built.Warnings = append(built.Warnings, warning)
		progress(Step{Name: "build", Note: warning})
	}
	built.Commit = commit.Number
	for _, m := range plan.Marts {
		if !m.Behind {
			built.Marts[m.Name] = commit.Marts[m.Name].Rows
		}
	}
	progress(Step{Name: "build", Ended: true, Note: built.note()})
	return built, nil
}

// buildBasis is a hash of all that a build of every mart looks at in a commit: where it is what the last one saw, nothing can come out
// differently.
func buildBasis(head *lake.Commit, input int64, o BuildOptions) (string, error) {
	fingerprint, err := models.Fingerprint()
	if err != nil {
		return "", err
	}
	asOf := o.AsOf
	if !asOf.IsValid() {
		asOf = head.AsOf
	}
	body, err := json.Marshal(struct {
		Program, Models string
		Input           int64
		AsOf            civil.Date
		Settings        *lake.Object
		Datasets        map[string]lake.Dataset
		Closed          map[string]lake.Closing
	}{models.Program(), fingerprint, input, asOf, head.Settings, head.Datasets, head.Closed})
	if err != nil {
		return "", fmt.Errorf("looking at what there is to build from: %w", err)
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:]), nil
}

// asBefore is what a build says that has nothing to make.
func asBefore(head *lake.Commit, progress Progress) *Built {
	built := &Built{Commit: head.Number, Input: dataCommit(head), Marts: map[string]int64{}, Made: []string{}}
	for name, m := range head.Marts {
		built.Marts[name], built.AsOf = m.Rows, m.AsOf
	}
	progress(Step{Name: "build", Ended: true, Note: built.note()})
	return built
}

// note says in a line what was made.
func (b *Built) note() string {
	var text string
	switch {
	case len(b.Made) == 0:
		text = fmt.Sprintf("nothing to make: %d marts are as of %s, commit %d", len(b.Marts), b.AsOf, b.Commit)
	case len(b.Made) == len(b.Marts):
		text = fmt.Sprintf("%d marts as of %s, commit %d", len(b.Marts), b.AsOf, b.Commit)
	default:
		text = fmt.Sprintf("%d marts as of %s, %d of them made anew, commit %d", len(b.Marts), b.AsOf, len(b.Made), b.Commit)
	}
	if len(b.Behind) > 0 {
		text += fmt.Sprintf("; behind: %s", strings.Join(b.Behind, ", "))
	}
	return text
}

// building is a build over one commit.
type building struct {
	site     *Site
	head     *lake.Commit
	snapshot *lake.Snapshot
	options  BuildOptions
	// input is the number of the commit that brought the data.
	input  int64
	months []*closedMonth
	// in has no files yet, made says what it makes each mart of once there is a plan.
	in   models.Inputs
	made map[string]models.Made
	// releasing is what a build of every mart decides besides; nil for a build of some.
	releasing *releasing
}

func (s *Site) beginBuild(ctx context.Context, head *lake.Commit, o BuildOptions) (*building, error) {
	b := &building{site: s, head: head, snapshot: s.Clinic.Snapshot(head), options: o, input: dataCommit(head)}
	clinic, err := s.settings(ctx, b.snapshot)
	if err != nil {
		return nil, err
	}
	asOf := o.AsOf
	if !asOf.IsValid() {
		asOf = head.AsOf
	}
	if !asOf.IsValid() {
		return nil, refused("building", errors.New("no report says which day it shows; say it with --as-of"))
	}
	if b.months, err = readClosings(ctx, b.snapshot); err != nil {
		return nil, err
	}
	b.in = models.Inputs{
		Contents: contents(head), Settings: clinic, AsOf: asOf, HistoryFrom: historyFrom(head), Covered: covered(head), Threads: o.Threads,
	}
	b.in.Closed, b.in.Restatements = modelInputs(b.months)
	return b, nil
}

// contents names what is in each dataset's objects: a path says which rows lie there.
func contents(head *lake.Commit) map[string][]string {
	out := map[string][]string{}
	for name, d := range head.Datasets {
		for _, o := range d.Objects {
			out[name] = append(out[name], o.Path)
		}
	}
	return out
}

// compareClosings looks at what has become of the figures of closed months, where something changed that could change them.
func (b *building) compareClosings(ctx context.Context) ([]compared, error) {
	var local *lake.Local
	defer func() {
		if local != nil {
			_ = local.Close()
		}
	}()
	found, err := b.site.compareClosings(ctx, b.head, b.months, func() (in models.Inputs, err error) {
		datasets, err := models.Datasets()
		if err != nil {
			return b.in, fmt.Errorf("finding what the models read: %w", err)
		}
		if local, err = b.materialise(ctx, datasets, nil); err != nil {
			return b.in, err
		}
		in = b.in
		in.Tables, in.Keys = local.Datasets, local.Keys
		in.Closed, in.Restatements = nil, nil
		return in, nil
	})
	if err != nil {
		return nil, b.failed(ctx, err)
	}
	b.in.Closed, b.in.Restatements = modelInputs(b.months)
	return found, nil
}

func (b *building) materialise(ctx context.Context, datasets, marts []string) (*lake.Local, error) {
	if err := b.site.mayCache(ctx, b.snapshot); err != nil {
		return nil, err
	}
	local, err := b.snapshot.Materialise(ctx, lake.Want{Datasets: append([]string{}, datasets...), Marts: append([]string{}, marts...)})
	if err != nil {
		return nil, storage("reading the lake", err)
	}
	return local, nil
}

// failed says of a failed build what a person can do about it.
func (b *building) failed(ctx context.Context, err error) error {
	if damaged := damage(ctx, b.snapshot, err); damaged != nil {
		return damaged
	}
	return fmt.Errorf("building the models over commit %d: %w", b.head.Number, err)
}

// make runs the models that some marts need, and no file of the lake is opened that they do not read.
func (b *building) make(ctx context.Context, marts []string) (*models.Result, error) {
	if len(marts) == 0 && b.releasing == nil {
		return &models.Result{}, nil
	}
	var upToDate []string
	for name, made := range b.made {
		if b.head.Marts[name].Made == made.Hash && !slices.Contains(marts, name) {
			upToDate = append(upToDate, name)
		}
	}
	datasets, ready, err := models.Needs(marts, upToDate)
	if err != nil {
		return nil, fmt.Errorf("finding what the models read: %w", err)
	}
	in := b.in
	if b.releasing != nil {
		in.Then = b.releasing.count
		for _, name := range disclosure.Marts() {
			if !slices.Contains(marts, name) && !slices.Contains(ready, name) {
				ready = append(ready, name)
			}
		}
	}
	local, err := b.materialise(ctx, datasets, ready)
	if err != nil {
		return nil, err
	}
	defer func() { _ = local.Close() }()
	in.Tables, in.Keys, in.Only, in.Ready = local.Datasets, local.Keys, marts, map[string]string{}
	for _, name := range ready {
		in.Ready[name] = local.Marts[name][0] // a mart is one object
	}
	result, err := models.Build(ctx, in)
	if err != nil {
		return nil, b.failed(ctx, err)
	}
	return result, nil
}

// place puts the marts into the commit in the making, and says whether one went that no model makes any more.
func (b *building) place(ctx context.Context, tx *lake.Tx, plan *BuildPlan, result *models.Result) (dropped bool, err error) {
	for _, m := range plan.Marts {
		from := lake.Origin{Input: b.input, AsOf: b.in.AsOf, Made: m.made.Hash, Of: m.made.Parts}
		switch mart, isMade := result.Mart(m.Name); {
		case isMade:
			err = tx.PutMart(ctx, m.Name, mart.Parquet, from)
		case m.Behind:
		default:
			err = tx.KeepMart(m.Name, from)
		}
		if err != nil {
			return false, err
		}
	}
	for name := range b.head.Marts {
		if !plan.has(name) {
			tx.DropMart(name)
			dropped = true
		}
	}
	return dropped, nil
}

// origins are the marts' objects with what they say about themselves.
func origins(marts map[string]lake.Mart) map[string]string {
	out := map[string]string{}
	for name, m := range marts {
		out[name] = fmt.Sprintf("%s %d %s %s", m.Path, m.Input, m.AsOf, m.Made)
	}
	return out
}

// dataCommit is the number of the commit that last brought data: what marts are made from. A build commit carries the same
// data on, and its marts name it.
func dataCommit(head *lake.Commit) int64 {
	switch head.Kind {
	case lake.Build:
		if len(head.Marts) > 0 {
			newest := int64(0)
			for _, m := range head.Marts {
				newest = max(newest, m.Input)
			}
			return newest
		}
	case Access, lake.Close, lake.Encrypting:
		return carriedData(head)
	}
	return head.Number
}

// historyFrom is the first day that a complete report covered, zero where none was.
func historyFrom(head *lake.Commit) civil.Date { return coveredFrom(head, contract.Appointments) }

func coveredFrom(head *lake.Commit, dataset string) civil.Date {
	var first civil.Date
	for _, c := range head.Datasets[dataset].Covers {
		if c.From.IsValid() && (!first.IsValid() || c.From.Before(first)) {
			first = c.From
		}
	}
	return first
}

// covered is the first day that a dataset's complete reports cover, for those of which one is known.
func covered(head *lake.Commit) map[string]civil.Date {
	out := map[string]civil.Date{}
	for dataset := range head.Datasets {
		if first := coveredFrom(head, dataset); first.IsValid() {
			out[dataset] = first
		}
	}
	return out
}

// Settings reads the clinic's settings as the newest commit has them.
func (s *Site) Settings(ctx context.Context) (settings.Clinic, error) {
	clinic, _, err := s.clinicSettings(ctx, nil)
	return clinic, err
}

// settings reads the clinic's settings of a snapshot.
func (s *Site) settings(ctx context.Context, snapshot *lake.Snapshot) (settings.Clinic, error) {
	body, err := snapshot.Settings(ctx)
	if err != nil {
		return settings.Clinic{}, storage("reading the clinic's settings", err)
	}
	if body == nil {
		return settings.Clinic{}, refused("reading the clinic's settings",
			errors.New("the lake has none: give a clinic.yaml to falloff run or falloff import with --settings (docs/import.md says what goes in)"))
	}
	return settings.FromJSON(body)
}

// sortedKeys are a map's keys in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
