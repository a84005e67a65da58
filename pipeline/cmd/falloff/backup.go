package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/pipeline/backup"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// entityBackup is what the audit log calls a clinic's backups.
const entityBackup = "backup"

// backedUp is what --json prints of one backup.
type backedUp struct {
	Clinic  lake.ClinicID `json:"clinic"`
	To      string        `json:"to"`
	Backup  int64         `json:"backup"`
	At      time.Time     `json:"at"`
	Commit  int64         `json:"commit"`
	Objects int           `json:"objects"`
	Bytes   int64         `json:"bytes"`
	// Sent is left out where nothing was to be sent.
	Sent      *int  `json:"sent,omitempty"`
	SentBytes int64 `json:"sent_bytes,omitempty"`
	Missing   int   `json:"missing,omitempty"`
	Verified  bool  `json:"verified,omitempty"`
}

func summary(m *backup.Manifest, to lake.Store) backedUp {
	return backedUp{Clinic: m.Clinic, To: to.String(), Backup: m.Number, At: m.CreatedAt, Commit: m.Head, Objects: len(m.Entries), Bytes: m.Bytes(), Missing: len(m.Missing)}
}

// backupFlags are those of backup.
type backupFlags struct {
	to                             []string
	all, snapshot, full, verifying bool
	list                           bool
}

func (a *app) backupCommand() *cobra.Command {
	var f backupFlags
	cmd := &cobra.Command{
		Use:   "backup --lake DIR (--clinic NAME|--all) --to STORE",
		Short: "copy a clinic to a second store, encrypted",
		Example: `  falloff backup --lake lake --clinic harbour-street --to s3://clinic-backups/falloff
  falloff backup --lake lake --all --to /mnt/backup --verify`,
		Args: cobra.NoArgs,
		Long: `Copies a clinic's commits and everything they name, its registers, and of the lake's root its agreements and the audit log, to a
second store: a folder, or s3://bucket/prefix. Every object is sealed under keys that only the vault has, whatever the lake does;
what is there already is not sent again; what is sent is read back and compared. A backup counts when it is whole: one that was
cut short is gone on with by the next.

Without the vault a backup cannot be opened by anybody. Keep a copy of the vault apart from both.

Without --to it goes to every store that falloff.yaml lists under backups.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.backUp(cmd.Context(), f) },
	}
	a.lakeFlags(cmd)
	cmd.AddCommand(a.backupPruneCommand(), a.backupRehearseCommand())
	flags := cmd.Flags()
	flags.StringArrayVar(&f.to, "to", nil, "the second `store`: a folder, or s3://bucket/prefix; may be said several times")
	flags.BoolVar(&f.all, "all", false, "every clinic of the lake")
	flags.BoolVar(&f.snapshot, "snapshot", false, "the newest commit's rows only; of those before it only the history")
	flags.BoolVar(&f.full, "full", false, "trust no earlier backup: read and compare everything, and replace what is damaged")
	flags.BoolVar(&f.verifying, "verify", false, "back nothing up; read the newest backup and name what is lost or damaged")
	flags.BoolVar(&f.list, "list", false, "back nothing up; list the backups that are there")
	return cmd
}

func (a *app) backUp(ctx context.Context, f backupFlags) error {
	o, err := a.lakeOptions()
	if err != nil {
		return err
	}
	if f.verifying && f.list || (f.verifying || f.list) && (f.full || f.snapshot) {
		return usagef("--verify and --list back nothing up: give one of them alone")
	}
	stores, err := a.secondStores(ctx, f.to)
	if err != nil {
		return err
	}
	if f.verifying || f.list {
		return a.lookAtBackups(ctx, o, f, stores)
	}
	return a.eachClinic(ctx, o, f.all, func(o *pipeline.SiteOptions) error { return a.backUpOne(ctx, o, f, stores) })
}

// eachClinic does something with the clinic that is named, or with each of the lake: one that fails must not keep the others from it.
func (a *app) eachClinic(ctx context.Context, o pipeline.SiteOptions, all bool, do func(*pipeline.SiteOptions) error) error {
	ids, err := a.clinicsOf(all, func() ([]lake.ClinicID, error) {
		store, err := a.openStore(ctx, o)
		if err != nil {
			return nil, err
		}
		return lake.Clinics(ctx, store)
	})
	if err != nil {
		return err
	}
	var failed []error
	for _, id := range ids {
		o := o
		o.Clinic = string(id)
		failed = append(failed, do(&o))
	}
	return errors.Join(failed...)
}

// clinicsOf are the clinics that a command is about.
func (a *app) clinicsOf(all bool, every func() ([]lake.ClinicID, error)) ([]lake.ClinicID, error) {
	switch {
	case all && a.flags.Clinic != "":
		return nil, usagef("give one of --clinic and --all")
	case all:
		ids, err := every()
		if err != nil {
			return nil, &pipeline.StorageError{Doing: "looking for clinics", Err: err}
		}
		if len(ids) == 0 {
			return nil, &pipeline.RefusedError{Err: errors.New("there is no clinic")}
		}
		return ids, nil
	}
	clinic, err := need("clinic", "harbour-street", a.flags.Clinic, a.file.Clinic)
	if err != nil {
		return nil, err
	}
	id, err := lake.ParseClinicID(clinic)
	if err != nil {
		return nil, usagef("--clinic: %v", err)
	}
	return []lake.ClinicID{id}, nil
}

func (a *app) backUpOne(ctx context.Context, o *pipeline.SiteOptions, f backupFlags, stores []lake.Store) error {
	k, err := a.keep(ctx, *o)
	if err != nil {
		return err
	}
	o.Vault = k.vault // it is opened once: a passphrase may be readable only once
	site, err := pipeline.OpenExistingSite(ctx, k.options)
	if err != nil {
		return err
	}
	for _, store := range stores {
		checked, err := site.Resides(ctx, store)
		if err != nil {
			return err
		}
		if !checked {
			a.tellf("Where %s lies cannot be found out: that it is in the clinic's region is for you to see to (falloff.yaml's region says where this machine is).", store)
		}
		head, err := site.Clinic.Head(ctx)
		if err != nil {
			return &pipeline.StorageError{Doing: "backing up", Err: err}
		}
		if err := k.record(ctx, audit.BackupStarted, entityBackup, nil, audit.Fields{"commit": head.Number, "snapshot": f.snapshot, "full": f.full}); err != nil {
			return err
		}
		progress, stop := a.progress()
		taken, err := site.Backup(ctx, store, pipeline.BackupOptions{Snapshot: f.snapshot, Full: f.full, Progress: progress})
		stop()
		if err != nil {
			return err
		}
		s := summary(taken.Manifest, store)
		s.Sent, s.SentBytes = &taken.Sent, taken.SentBytes
		if err := a.printBackup(s, fmt.Sprintf("%d of %d objects (%s) were sent", taken.Sent, s.Objects, size(taken.SentBytes))); err != nil {
			return err
		}
		if s.Missing > 0 {
			a.tellf("%d objects that earlier commits name are not in the lake any more: those snapshots are not whole in this backup.", s.Missing)
		}
	}
	return nil
}

func (a *app) printBackup(s backedUp, what string) error {
	if a.json {
		return json.NewEncoder(a.stdout).Encode(s)
	}
	_, err := fmt.Fprintf(a.stdout, "clinic %s, backup %d of %s in %s: up to commit %d; %s\n", s.Clinic, s.Backup, s.At.UTC().Format("2006-01-02 15:04 MST"), s.To, s.Commit, what)
	return err
}

func (a *app) lookAtBackups(ctx context.Context, o pipeline.SiteOptions, f backupFlags, stores []lake.Store) error {
	v, err := pipeline.OpenVault(ctx, o)
	if err != nil {
		return err
	}
	for _, store := range stores {
		ids, err := a.clinicsOf(f.all, func() ([]lake.ClinicID, error) { return backup.Clinics(ctx, store) })
		if err != nil {
			return err
		}
		for _, id := range ids {
			newest, err := pipeline.OpenBackup(ctx, v, store, id, 0)
			if err != nil {
				return err
			}
			numbers := []int64{newest.Manifest.Number}
			if f.list {
				if numbers, err = backup.Numbers(ctx, store, id); err != nil {
					return &pipeline.StorageError{Doing: "listing the backups", Err: err}
				}
			}
			for _, n := range numbers {
				view, err := pipeline.OpenBackup(ctx, v, store, id, n)
				if err != nil {
					return err
				}
				s := summary(view.Manifest, store)
				what := fmt.Sprintf("%d objects, %s", s.Objects, size(s.Bytes))
				if f.verifying {
					progress, stop := a.progress()
					err := view.Verify(ctx, progress.Counted("verify"))
					stop()
					if errors.Is(err, backup.ErrDamaged) {
						return &pipeline.StorageError{Doing: "verifying", Err: fmt.Errorf("%w\nfalloff backup --full sends them anew, as far as the lake has them", err)}
					}
					if err != nil {
						return &pipeline.StorageError{Doing: "verifying", Err: err}
					}
					s.Verified = true
					what += ", each as it was backed up"
				}
				if err := a.printBackup(s, what); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (a *app) restoreCommand() *cobra.Command {
	var from, at string
	var number, commit int64
	var all bool
	cmd := &cobra.Command{
		Use:   "restore --from STORE --lake DIR (--clinic NAME|--all)",
		Short: "rebuild a clinic, or a lake, from a backup",
		Example: `  falloff restore --from s3://clinic-backups/falloff --lake new-lake --all
  falloff restore --from /mnt/backup --lake new-lake --clinic harbour-street --at 2026-03-31`,
		Args: cobra.NoArgs,
		Long: `Rebuilds a clinic where there is nothing of it: as it was at the newest backup, or with --commit or --at as it was then, with its
history up to there. Everything is compared with what was backed up, byte by byte, and the clinic is opened at the end. A restore that
was cut short is no clinic, and no other command takes it for one; the same command goes on with it.

The vault must have the keys that the backup was made with.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			o, err := a.lakeOptions()
			if err != nil {
				return err
			}
			if from == "" {
				return usagef("no backup: say where it lies with --from, for example --from s3://clinic-backups/falloff")
			}
			when := backup.Moment{Commit: commit}
			if when.At, err = parseMoment(at); err != nil {
				return err
			}
			if commit != 0 && at != "" || commit < 0 || number < 0 {
				return usagef("--commit and --backup are numbers from 1, and one of --commit and --at says the moment")
			}
			store, err := openPlace(ctx, "--from", from)
			if err != nil {
				return err
			}
			ids, err := a.clinicsOf(all, func() ([]lake.ClinicID, error) { return backup.Clinics(ctx, store) })
			if err != nil {
				return err
			}
			for _, id := range ids {
				o := o
				o.Clinic = string(id)
				if err := a.restoreOne(ctx, o, store, number, when); err != nil {
					return err
				}
			}
			return nil
		},
	}
	a.lakeFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&from, "from", "", "the `store` with the backup: a folder, or s3://bucket/prefix")
	flags.Int64Var(&number, "backup", 0, "`number` of the backup (default the newest)")
	flags.Int64Var(&commit, "commit", 0, "`number` of the commit that is to be the newest")
	flags.StringVar(&at, "at", "", "`time` whose newest commit is to be the newest: 2026-03-31 (its end, UTC) or 2026-03-31T18:00:00Z")
	flags.BoolVar(&all, "all", false, "every clinic of the backup")
	return cmd
}

// parseMoment reads a day, which stands for its end in UTC, or an instant; zero for nothing.
func parseMoment(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return time.Time{}, usagef("--at %q is no moment: write 2026-03-31, or 2026-03-31T18:00:00Z", text)
	}
	return day.AddDate(0, 0, 1).Add(-time.Nanosecond), nil
}

func (a *app) restoreOne(ctx context.Context, o pipeline.SiteOptions, from lake.Store, number int64, when backup.Moment) error {
	k, err := a.keep(ctx, o)
	if err != nil {
		return err
	}
	progress, stop := a.progress()
	restored, err := pipeline.Restore(ctx, k.options, from, k.store, number, when, progress)
	stop()
	if err != nil {
		return err
	}
	// Afterwards, because the log itself came with the rest.
	e := k.actor
	e.Action, e.Entity = audit.ClinicRestored, entityBackup
	e.After = audit.Fields{"backup": restored.Backup, "commit": restored.Commit, "objects": restored.Objects}
	r, err := k.log.Append(ctx, e)
	if err != nil {
		return &pipeline.StorageError{Doing: "the clinic is restored, but recording that is not done", Err: err}
	}
	// A log that came back ends where the backup was made, and this machine may have seen more of the lost one.
	tip, see := audit.Tip{Number: r.Number, Hash: r.Hash}, k.remember
	if !restored.OwnAudit {
		see = func(ctx context.Context, tip audit.Tip) error {
			return pipeline.ReplaceKnownAudit(ctx, k.vault, k.store, tip)
		}
	}
	if err := see(ctx, tip); err != nil {
		return err
	}
	if restored.OwnAudit {
		a.tellf("The lake has an audit log of its own, which stayed; the one in the backup can be read there only.")
	}
	if a.json {
		return json.NewEncoder(a.stdout).Encode(restored)
	}
	_, err = fmt.Fprintf(a.stdout, "clinic %s is restored from backup %d into %s, at commit %d: %d objects (%s), each compared with the backup\n",
		restored.Clinic, restored.Backup, k.store, restored.Commit, restored.Objects, size(restored.Bytes))
	return err
}

// secondStores opens the stores of backups that --to names, or those of falloff.yaml.
func (a *app) secondStores(ctx context.Context, to []string) ([]lake.Store, error) {
	if len(to) == 0 {
		to = a.file.Backups
	}
	if len(to) == 0 {
		return nil, usagef("no second store: say it with --to, for example --to s3://clinic-backups/falloff, or list it in falloff.yaml under backups")
	}
	stores := make([]lake.Store, len(to))
	for i, at := range to {
		var err error
		if stores[i], err = openPlace(ctx, "--to", at); err != nil {
			return nil, err
		}
	}
	return stores, nil
}

// openPlaces opens stores of backups that a flag or falloff.yaml names, by what names them.
func openPlaces(ctx context.Context, flag string, named []string) (map[string]lake.Store, error) {
	stores := make(map[string]lake.Store, len(named))
	for _, at := range named {
		store, err := openPlace(ctx, flag, at)
		if err != nil {
			return nil, err
		}
		stores[at] = store
	}
	return stores, nil
}

// openPlace opens a store that a flag names. An address that is not quite one must not become a folder of that name.
func openPlace(ctx context.Context, flag, at string) (lake.Store, error) {
	if address.MatchString(at) && !isURL(at) {
		return nil, usagef("%s %q is neither a folder nor s3://bucket/prefix (a folder of such a name is written ./%s)", flag, at, at)
	}
	store, err := lake.OpenStore(ctx, at)
	if err != nil {
		return nil, &pipeline.StorageError{Doing: "opening the second store", Err: err}
	}
	return store, nil
}
