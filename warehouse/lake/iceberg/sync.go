package iceberg

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// parallel is how many tables are worked on at once.
const parallel = 8

// Options say how much Sync looks at.
type Options struct {
	// Thorough looks at every table, also at those that nothing changed in since the last Sync, and removes what no snapshot
	// needs any more.
	Thorough bool
	// Rebuild makes every table anew from the commits, whatever is there, and removes everything else.
	Rebuild bool
}

// Report is what Sync did.
type Report struct {
	// Commit is the newest of our commits that the tables show.
	Commit int64 `json:"commit"`
	// Tables are those that were looked at, in order of name.
	Tables []Table `json:"tables,omitempty"`
}

// Table is one table after a Sync.
type Table struct {
	// Name is namespace.name.
	Name string `json:"name"`
	// Metadata is the location of the newest metadata, empty where the table could not be made.
	Metadata string `json:"metadata,omitempty"`
	// Commit is the number of our commit that the newest snapshot is, Snapshot the snapshot's id.
	Commit   int64 `json:"commit,omitempty"`
	Snapshot int64 `json:"snapshot,omitempty"`
	// Added counts the snapshots that were added.
	Added int `json:"added,omitempty"`
	// Anew says why the table was made anew, empty where it was not.
	Anew string `json:"anew,omitempty"`
}

// state is what a clinic's register says of its tables. It saves work and decides nothing: without it all tables are looked at.
type state struct {
	// Commit is the number of a commit that every table has caught up with.
	Commit int64 `json:"commit"`
}

const register = "iceberg"

// manyBehind is how many commits that change no table are looked at again before the register says that they need not be.
const manyBehind = 16

// Follows says whether a clinic's tables follow each commit without being asked: in S3 they do; on this machine once they were
// asked for.
func Follows(ctx context.Context, clinic *lake.Clinic) (bool, error) {
	if !clinic.Plain() {
		return false, nil
	}
	if strings.HasPrefix(clinic.Store().String(), "s3://") {
		return true, nil
	}
	_, version, err := clinic.Register(register).Read(ctx)
	if err != nil || version == 0 {
		return false, err
	}
	head, err := clinic.Head(ctx)
	return err == nil && !head.Encrypted(), err // it may have been encrypted since
}

// Sync brings a clinic's tables up to its newest commit, with one snapshot for every commit that changed a table. It may be
// called at any time, by several processes, and again after it failed: a table is changed as a whole or not at all, and what
// is missing or damaged is made anew. The error names every table that could not be brought up; the report has the others.
func Sync(ctx context.Context, clinic *lake.Clinic, o Options) (*Report, error) {
	s := &syncing{clinic: clinic, options: o}
	report, err := s.run(ctx)
	if err != nil {
		return report, fmt.Errorf("describe clinic %s to other engines: %w", clinic.ID(), err)
	}
	return report, nil
}

// moment is one of our commits with its tables.
type moment struct {
	commit *lake.Commit
	tables map[tableName][]located
}

// syncing is one call of Sync.
type syncing struct {
	clinic  *lake.Clinic
	options Options
	head    *lake.Commit
	numbers []int64 // of all commits that there are, in order

	mu  sync.Mutex
	all []moment // once somebody needed them
}

func (s *syncing) run(ctx context.Context) (*Report, error) {
	var err error
	if s.head, err = s.clinic.Head(ctx); err != nil {
		return nil, err
	}
	if err := refusedBecause(s.clinic, s.head); err != nil {
		return nil, err
	}
	known, version, err := s.known(ctx)
	if err != nil {
		return nil, err
	}
	report := &Report{Commit: s.head.Number}
	thorough := s.options.Thorough || s.options.Rebuild || known == 0 || known > s.head.Number
	if !thorough && known == s.head.Number {
		return report, nil
	}
	if s.numbers, err = s.clinic.Numbers(ctx); err != nil {
		return nil, err
	}
	if !thorough && !slices.Contains(s.numbers, known) {
		thorough = true
	}
	moments, err := s.moments(ctx, known, thorough)
	if err != nil {
		return nil, err
	}
	work := names(moments)
	if !thorough {
		work = changed(moments, work)
	}
	report.Tables = make([]Table, len(work))
	failed := make([]error, len(work))
	var group errgroup.Group
	group.SetLimit(parallel)
	for i, name := range work {
		group.Go(func() error {
			if report.Tables[i], failed[i] = s.table(ctx, name, moments, thorough); failed[i] != nil {
				failed[i] = fmt.Errorf("table %s: %w", name, failed[i])
			}
			return nil
		})
	}
	_ = group.Wait() // no function returns an error
	if err := errors.Join(failed...); err != nil {
		return report, err
	}
	if s.options.Rebuild {
		if err := s.sweep(ctx, work); err != nil {
			return report, err
		}
	}
	if len(work) == 0 && s.head.Number-known < manyBehind {
		return report, nil
	}
	return report, s.remember(ctx, version)
}

// known reads the register; commit 0 where it says nothing that can be used.
func (s *syncing) known(ctx context.Context) (commit, version int64, err error) {
	body, version, err := s.clinic.Register(register).Read(ctx)
	if err != nil {
		return 0, 0, err
	}
	var st state
	if version == 0 || json.Unmarshal(body, &st) != nil {
		return 0, version, nil //nolint:nilerr // what cannot be read counts as nothing, and all tables are looked at
	}
	return st.Commit, version, nil
}

// remember notes in the register that all tables have caught up with the head.
func (s *syncing) remember(ctx context.Context, version int64) error {
	body, err := json.Marshal(state{Commit: s.head.Number})
	if err != nil {
		return err
	}
	for {
		_, err := s.clinic.Register(register).Swap(ctx, version, body)
		if !errors.Is(err, lake.ErrOvertaken) {
			return err
		}
		var commit int64
		if commit, version, err = s.known(ctx); err != nil || commit >= s.head.Number {
			return err
		}
	}
}

// moments reads the commits from a number on, or all that there are.
func (s *syncing) moments(ctx context.Context, from int64, all bool) ([]moment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all != nil {
		return s.all, nil
	}
	var wanted []int64
	for _, n := range s.numbers {
		if n <= s.head.Number && (all || n >= from) {
			wanted = append(wanted, n)
		}
	}
	replaced, err := s.clinic.Replaced(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]moment, len(wanted))
	where := newFiles(ctx, s.clinic.Store())
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, n := range wanted {
		group.Go(func() error {
			commit, err := s.clinic.At(ctx, n)
			if err != nil {
				return err
			}
			out[i] = moment{commit, contents(where, s.clinic, commit, replaced)}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if all {
		s.all = out
	}
	return out, nil
}

// changed are those tables whose objects are not the same in all the moments.
func changed(moments []moment, of []tableName) []tableName {
	return slices.DeleteFunc(of, func(n tableName) bool {
		for i := 1; i < len(moments); i++ {
			if !same(moments[i-1].tables[n], moments[i].tables[n]) {
				return false
			}
		}
		return true
	})
}

// sweep removes the folders of tables that no commit has.
func (s *syncing) sweep(ctx context.Context, tables []tableName) error {
	prefix := s.clinic.Name(folder)
	for name, err := range s.clinic.Store().List(ctx, prefix, "") {
		if err != nil {
			return err
		}
		if slices.ContainsFunc(tables, func(n tableName) bool { return strings.HasPrefix(name, s.clinic.Name(n.folder())+"/") }) {
			continue
		}
		if err := s.clinic.Store().Delete(ctx, name); err != nil {
			return err
		}
	}
	return nil
}
