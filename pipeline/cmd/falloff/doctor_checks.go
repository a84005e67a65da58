package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/falloff-analytics/falloff/extractors/browser"
	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/agreement"
	"github.com/falloff-analytics/falloff/pipeline/backup"
	"github.com/falloff-analytics/falloff/pipeline/schedule"
	"github.com/falloff-analytics/falloff/pipeline/vault"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// What is too little, too old, too far.
const (
	leastMemory     = 1 << 30
	leastInMemory   = 256 << 20
	leastTemporary  = 512 << 20
	clockWarns      = 30 * time.Second
	clockFails      = 5 * time.Minute // S3 refuses signatures that are a quarter of an hour off, second factors far less
	oldestBackup    = 48 * time.Hour
	oldestRehearsal = 40 * 24 * time.Hour
	idleScheduler   = 48 * time.Hour
	longestLook     = 20 * time.Second
)

// checkMachine looks at what this machine has.
func (a *app) checkMachine(ctx context.Context) []finding {
	return []finding{checkBrowser(ctx), checkEngine(ctx), checkMemory(), checkShared(), checkTemporary()}
}

func checkBrowser(ctx context.Context) finding {
	const check = "browser"
	path, err := browser.Find(ctx, "", false)
	if err != nil {
		return failed(check, browser.ErrNoBrowser, "install one (Debian and Ubuntu: apt-get install chromium-headless-shell), or name yours in "+browser.EnvExecutable)
	}
	ctx, cancel := context.WithTimeout(ctx, longestLook)
	defer cancel()
	said, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return failed(check, fmt.Errorf("%s does not start: %w", path, err), "install its libraries (ldd "+path+" names what is missing), or name another one in "+browser.EnvExecutable)
	}
	return good(check, "%s, %s", strings.TrimSpace(string(said)), path)
}

func checkEngine(ctx context.Context) finding {
	const check = "query engine"
	version := ""
	err := func() error {
		connector, err := duckdb.NewConnector(":memory:", nil)
		if err != nil {
			return err
		}
		db := sql.OpenDB(connector)
		defer db.Close()
		return db.QueryRowContext(ctx, "select version()").Scan(&version)
	}()
	if err != nil {
		return failed(check, err, "it is part of this program: get the release for this machine anew, and report it if that does not help")
	}
	return good(check, "DuckDB %s", version)
}

func checkMemory() finding {
	const check = "memory"
	switch n := memoryOfMachine(); {
	case n < 0:
		return good(check, "how much there is cannot be found out on this system")
	case n < leastMemory:
		return good(check, "%s", size(n)).but(warning, "a browser and a build want 1 GiB or more: a night may end as browser_crashed")
	default:
		return good(check, "%s", size(n))
	}
}

func checkShared() finding {
	const check = "files in memory"
	free, memory := freeIn(memoryFolder)
	switch {
	case !memory:
		return good(check, "%s is not in memory", memoryFolder).but(warning, "what the browser writes goes to the temporary folder instead: have that on an encrypted disk, or mount a tmpfs on "+memoryFolder)
	case free < leastInMemory:
		return good(check, "%s free in %s", size(free), memoryFolder).but(failing, "the browser needs 256 MiB there: enlarge it (mount -o remount,size=1g "+memoryFolder+"; for containers --shm-size=1g)")
	default:
		return good(check, "%s free in %s", size(free), memoryFolder)
	}
}

func checkTemporary() finding {
	const check = "temporary folder"
	dir := os.TempDir()
	file, err := os.CreateTemp(dir, "falloff-doctor-*")
	if err != nil {
		return failed(check, err, "let this user write there, or name another folder in TMPDIR")
	}
	_ = file.Close()
	_ = os.Remove(file.Name())
	free, _ := freeIn(dir)
	switch {
	case free < 0:
		return good(check, "%s can be written to", dir)
	case free < leastTemporary:
		return good(check, "%s free in %s", size(free), dir).but(warning, "make room: 512 MiB or more")
	default:
		return good(check, "%s free in %s", size(free), dir)
	}
}

// checkInstallation looks at lake, vault, backups and clinics.
func (a *app) checkInstallation(ctx context.Context) []finding {
	out := []finding{a.checkManners(), a.checkRegion()}
	o, err := a.lakeOptions()
	if err != nil {
		return append(out, failed("lake", err, "name it in falloff.yaml, or with --lake"))
	}
	v, f := checkVault(ctx, o)
	out = append(out, f)
	if path, folder := pipeline.LocalFolder(o.Lake); folder {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return append(out, good("lake", "there is none yet at %s", path).but(warning, "the first falloff import, or falloff connect and falloff run, makes it"))
		}
	}
	store, err := lake.OpenStore(ctx, o.Lake)
	if err != nil {
		return append(out, failed("lake", err, "check the address, and for a bucket AWS_REGION, the credentials and AWS_ENDPOINT_URL"))
	}
	out = append(out, a.checkLake(ctx, store)...)
	if v == nil {
		return out
	}
	o.Vault = v
	s, err := a.scheduled(ctx)
	if err != nil {
		return append(out, failed("schedule", err, "docs/running.md lists what the section may hold"))
	}
	s.options = o
	clinics, _, err := s.clinics(ctx, a.flags.Clinic)
	if err != nil {
		return append(out, failed("clinics", err, "mend what is above first"))
	}
	if len(clinics) == 0 {
		return append(out, good("clinics", "none is connected, and none has been imported").but(warning, "falloff connect connects one"))
	}
	out = append(out, a.checkSchedule(ctx, s, clinics))
	for _, c := range clinics {
		out = append(out, a.checkClinic(ctx, v, store, c))
	}
	return append(out, a.checkBackups(ctx, v, s, clinics)...)
}

func (a *app) checkManners() finding {
	m, err := a.file.Politeness.parse()
	if err != nil {
		return failed("politeness", err, "docs/running.md, \"Being polite\", says how to write it")
	}
	quiet := "no quiet hours"
	if m.QuietFrom != m.QuietTo {
		quiet = "quiet hours " + a.file.Politeness.QuietHours
	}
	pause := "pauses of 3 to 20 s"
	if m.MaxPause > 0 {
		pause = fmt.Sprintf("pauses of %s to %s", m.MinPause, m.MaxPause)
	}
	if m.budget < 0 {
		return good("politeness", "%s, %s, any number of requests a day", pause, quiet).but(warning, "requests_a_day: -1 lets a run that goes wrong ask the portal without end: give a number")
	}
	return good("politeness", "%s, %s, %d requests a day at most", pause, quiet, m.budget)
}

func (a *app) checkRegion() finding {
	if a.file.Region == "" {
		return good("region", "where this machine is was not said").but(warning, "write region into falloff.yaml (ca-central-1, us-west-2, ap-southeast-2 or eu-west-2): without it nobody checks that folders lie where the clinic's data must")
	}
	return good("region", "%s", a.file.Region)
}

func checkVault(ctx context.Context, o pipeline.SiteOptions) (*vault.Vault, finding) {
	const check = "vault"
	v, err := pipeline.OpenVault(ctx, o)
	if err != nil {
		return nil, failed(check, err, "docs/running.md, \"The vault\", has a table of what to do")
	}
	path := v.Paths().Vault
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return v, good(check, "there is none yet at %s", path).but(warning, "falloff connect, or the first import, makes it. Where a lake is there already, name the folder that has its vault with --config-dir, or restore your copy")
	}
	portals, err := v.Portals(ctx)
	if err != nil {
		return nil, failed(check, err, "docs/running.md, \"The vault\", has a table of what to do")
	}
	kind, err := v.Kind()
	if err != nil {
		return nil, failed(check, err, "docs/running.md, \"The vault\", has a table of what to do")
	}
	f := good(check, "opens, sealed by %s, with the credentials of %d connected clinics; %s", kind, len(portals), path)
	f.Remedy = "keep a copy of it apart from the lake and its backups: without it both are noise"
	if kind == vault.ByKeyFile {
		return v, f.but(warning, "its key lies beside it: whoever copies "+filepath.Dir(path)+" can open it. falloff credentials rotate --to passphrase seals it otherwise; keep a copy of vault and key apart from the lake")
	}
	return v, f
}

// checkLake writes one small object, tries to write it again, and looks at the store's clock.
func (a *app) checkLake(ctx context.Context, store lake.Store) []finding {
	const check = "lake"
	ctx, cancel := context.WithTimeout(ctx, longestLook)
	defer cancel()
	if _, err := lake.Clinics(ctx, store); err != nil {
		return []finding{failed(check, err, "let this user, or its role, list and read "+store.String())}
	}
	name := "doctor/" + strings.ToLower(rand.Text())
	if err := store.Create(ctx, name, []byte("may falloff write here?\n")); err != nil {
		return []finding{failed(check, err, "let this user, or its role, write to "+store.String()+"; infra/terraform has the permissions that are needed")}
	}
	defer func() { _ = store.Delete(context.WithoutCancel(ctx), name) }()
	if err := store.Create(ctx, name, []byte("or overwrite?\n")); !errors.Is(err, lake.ErrExists) {
		return []finding{good(check, "%s lets an object be created that is there already", store).but(failing, "two runs could overwrite each other's commits there: use a store that keeps If-None-Match, such as S3 itself")}
	}
	out := []finding{good(check, "%s can be read and written, and keeps what is there", store)}
	now := a.now()
	for e, err := range store.Entries(ctx, name, "") {
		if err != nil || e.Modified.IsZero() {
			break
		}
		if path, folder := pipeline.LocalFolder(store.String()); folder && path != "" {
			break // its clock is this machine's
		}
		off := now.Sub(e.Modified).Abs()
		f := good("clock", "within %s of the store's", max(off.Round(time.Second), time.Second))
		switch {
		case off > clockFails:
			f = good("clock", "%s off the store's", off.Round(time.Second)).but(failing, "set it (timedatectl set-ntp true): codes of a second factor are refused with it, and so are signatures")
		case off > clockWarns:
			f = good("clock", "%s off the store's", off.Round(time.Second)).but(warning, "set it (timedatectl set-ntp true): codes of a second factor count for half a minute")
		}
		out = append(out, f)
	}
	return out
}

func (a *app) checkSchedule(ctx context.Context, s *scheduled, clinics []pipeline.ScheduledClinic) finding {
	const check = "schedule"
	book, newest, connected := pipeline.Schedules(s.store), time.Time{}, 0
	for _, c := range clinics {
		if !c.Connected {
			continue
		}
		connected++
		state, _, err := book.Read(ctx, c.ID)
		if err != nil {
			return failed(check, err, "mend the lake first")
		}
		if begun := state.Tasks[schedule.Run].Begun; begun.After(newest) {
			newest = begun
		}
	}
	how := "have falloff schedule run (infra/systemd/falloff-schedule.service), or the timers, or CronJobs: docs/running.md, \"Every night\""
	switch {
	case connected == 0:
		return good(check, "no clinic is connected: nothing has to run")
	case newest.IsZero():
		return good(check, "falloff schedule has never run a night of this lake").but(warning, how+". Timers and CronJobs leave no trace here")
	case a.now().Sub(newest) > idleScheduler:
		return good(check, "the last night began %s ago", ago(a.now().Sub(newest))).but(failing, how)
	default:
		return good(check, "the last night began %s ago", ago(a.now().Sub(newest)))
	}
}

func (a *app) checkClinic(ctx context.Context, v *vault.Vault, store lake.Store, c pipeline.ScheduledClinic) finding {
	check := "clinic " + c.ID
	if c.Err != nil {
		return failed(check, c.Err, "docs/running.md, \"The vault\", has a table of what to do")
	}
	var missing []string
	stored, err := v.Credentials(ctx, c.ID)
	switch {
	case errors.Is(err, vault.ErrNoCredentials):
		missing = append(missing, "no credentials for its portal")
	case err != nil:
		return failed(check, err, "docs/running.md, \"The vault\", has a table of what to do")
	default:
		stored.Wipe()
	}
	status, err := agreement.Current(ctx, store, lake.ClinicID(c.ID))
	if err != nil {
		return failed(check, err, "mend the lake first")
	}
	if !status.Accepted {
		missing = append(missing, "nobody has accepted the agreement")
	}
	if len(missing) == 2 {
		return good(check, "is imported, and not connected to a portal")
	}
	if len(missing) > 0 {
		return good(check, "%s", strings.Join(missing, ", ")).but(failing, "falloff connect asks for what is missing")
	}
	if c.Site == nil || !c.AsOf.IsValid() {
		return good(check, "connected, and nothing was read yet").but(warning, todoNew)
	}
	hold, err := c.Site.Hold(ctx)
	if err != nil {
		return failed(check, err, "mend the lake first")
	}
	switch state, todo := hold.State(); state {
	case pipeline.StateOK:
		return good(check, "agreement and credentials are there, state ok")
	case pipeline.StatePerson, pipeline.StateRevoked:
		return good(check, "%s", state).but(failing, todo)
	default:
		return good(check, "%s", state).but(warning, todo)
	}
}

func (a *app) checkBackups(ctx context.Context, v *vault.Vault, s *scheduled, clinics []pipeline.ScheduledClinic) (out []finding) {
	const check = "backup"
	if len(a.file.Backups) == 0 {
		return []finding{good(check, "no second store is named in falloff.yaml").but(warning, "list one under backups: a folder on another disk, or s3://bucket/prefix. Where something else copies the lake, see that it copies the vault too")}
	}
	book := pipeline.Schedules(s.store)
	for _, at := range a.file.Backups {
		store, err := openPlace(ctx, "backups", at)
		if err == nil {
			_, err = backup.Clinics(ctx, store)
		}
		if err != nil {
			out = append(out, failed(check, err, "let this user, or its role, read and write there"))
			continue
		}
		for _, c := range clinics {
			if !c.Landed {
				continue
			}
			view, err := pipeline.OpenBackup(ctx, v, store, lake.ClinicID(c.ID), 0)
			if err != nil {
				out = append(out, failed(check+" of "+c.ID, err, "falloff backup --clinic "+c.ID+" makes one"))
				continue
			}
			age := a.now().Sub(view.Manifest.CreatedAt)
			f := good(check+" of "+c.ID, "%s old, in %s", ago(age), store)
			if age > oldestBackup {
				f = f.but(failing, "falloff backup makes another; falloff schedule makes one every night")
			}
			out = append(out, f)
		}
	}
	for _, c := range clinics {
		if !c.Landed {
			continue
		}
		state, _, err := book.Read(ctx, c.ID)
		if err != nil {
			return append(out, failed("rehearsal", err, "mend the lake first"))
		}
		good := state.Tasks[schedule.Rehearsal].Good
		f := finding{Check: "rehearsal of " + c.ID, Result: fine, Says: "a restore went well " + ago(a.now().Sub(good)) + " ago"}
		if good.IsZero() {
			f = finding{Check: f.Check, Says: "no scheduled restore on trial went well yet"}.but(warning, "falloff backup rehearse tries one; falloff schedule does once a month")
		} else if a.now().Sub(good) > oldestRehearsal {
			f = f.but(warning, "falloff backup rehearse tries another")
		}
		out = append(out, f)
	}
	return out
}
