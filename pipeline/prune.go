package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/pipeline/backup"
	"github.com/falloff-analytics/falloff/transforms/settings"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// PruneOptions say which backups stay.
type PruneOptions struct {
	Keep lake.Retention
	// Retired drops, beside what Keep lets go, every backup that holds months whose retention period is over and that were
	// removed from the lake.
	Retired bool
}

// Prunable is what goes from a clinic's backups, for people to read before it does.
type Prunable struct {
	*backup.Pruning
	// Months are the months of datasets that lie in dropped backups only: their rows are in no backup any more afterwards.
	Months []LostMonth
	// Held are the months past their period that the newest backup has still, because snapshots of its lake do.
	Held []LostMonth

	place backup.Place
}

// LostMonth is a month of a dataset.
type LostMonth struct {
	Dataset string `json:"dataset"`
	Month   string `json:"month"`
}

// PrunableBackups lists what goes from a clinic's backups in a store.
func PrunableBackups(ctx context.Context, o SiteOptions, from lake.Store, p PruneOptions, now time.Time) (*Prunable, error) {
	id, err := lake.ParseClinicID(o.Clinic)
	if err != nil {
		return nil, err
	}
	v, err := OpenVault(ctx, o)
	if err != nil {
		return nil, err
	}
	o.Vault = v
	newest, err := OpenBackup(ctx, v, from, id, 0)
	if err != nil {
		return nil, err
	}
	keys, err := v.BackupKeys(ctx, o.Clinic)
	if err != nil {
		return nil, keyed(err)
	}
	out := &Prunable{place: backup.At(from, id, backup.Keys(keys))}
	var must func(e backup.Entry) bool
	if p.Retired {
		kept, err := keptFrom(ctx, newest, o)
		if err != nil {
			return nil, err
		}
		must = func(e backup.Entry) bool {
			m, ok := datedRows(id, e)
			from, limited := kept[m.Dataset]
			return ok && limited && m.Month < from.String()[:len("2006-01")]
		}
		for _, e := range newest.Manifest.Entries {
			if m, ok := datedRows(id, e); ok && must(e) && !slices.Contains(out.Held, m) {
				out.Held = append(out.Held, m)
			}
		}
	}
	if out.Pruning, err = out.place.Prunable(ctx, p.Keep, must, now); err != nil {
		return nil, kinded("looking for what can be pruned", err)
	}
	stays := map[LostMonth]bool{}
	for _, manifest := range out.Kept {
		for _, e := range manifest.Entries {
			if m, ok := datedRows(id, e); ok {
				stays[m] = true
			}
		}
	}
	for _, e := range out.Lost {
		if m, ok := datedRows(id, e); ok && !stays[m] && !slices.Contains(out.Months, m) {
			out.Months = append(out.Months, m)
		}
	}
	return out, nil
}

// Prune removes what was listed.
func (p *Prunable) Prune(ctx context.Context) error {
	return kinded("pruning", p.place.Prune(ctx, p.Pruning))
}

// datedRows says of which month of which dataset an object of a backup has rows. Undated rows have none.
func datedRows(id lake.ClinicID, e backup.Entry) (LostMonth, bool) {
	rest, inside := strings.CutPrefix(e.Name, lake.Prefix(id)+"data/")
	if !inside {
		return LostMonth{}, false
	}
	dataset, rest, _ := strings.Cut(rest, "/")
	month, _, _ := strings.Cut(strings.TrimPrefix(rest, "month="), "/")
	_, err := time.Parse("2006-01", month)
	return LostMonth{dataset, month}, err == nil && strings.HasPrefix(rest, "month=")
}

// keptFrom reads, from the newest commit of a backup, from which day on the rows of datasets are kept: what was removed from the
// lake at the end of its period, unless the settings keep it for longer by now.
func keptFrom(ctx context.Context, view *backup.View, o SiteOptions) (map[string]civil.Date, error) {
	source, err := openSite(ctx, view, o)
	if err != nil {
		return nil, fmt.Errorf("opening what was backed up: %w", err)
	}
	head, err := source.Clinic.Head(ctx)
	if err != nil {
		return nil, storage("opening what was backed up", err)
	}
	removed, err := retiredBefore(head.Sources[retiredSource])
	if err != nil || len(removed) == 0 {
		return nil, err
	}
	typed, err := source.settings(ctx, source.Clinic.Snapshot(head))
	if err != nil {
		return nil, err
	}
	keeps, out := typed.Keeps(), map[string]civil.Date{}
	for dataset, from := range removed {
		if months, limited := keeps[dataset]; limited && head.AsOf.IsValid() {
			out[dataset] = earlierOf(from, settings.KeptFrom(head.AsOf, months))
		}
	}
	return out, nil
}
