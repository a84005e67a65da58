package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/query"
	"github.com/falloff-analytics/falloff/warehouse/server"
)

// recorded keeps the records that a server would; full takes none.
type recorded struct {
	entries []audit.Entry
	full    bool
}

func (r *recorded) Append(_ context.Context, e audit.Entry) (audit.Record, error) {
	if r.full {
		return audit.Record{}, errors.New("the disk is full")
	}
	if err := e.Check(); err != nil {
		return audit.Record{}, err
	}
	r.entries = append(r.entries, e)
	return audit.Record{Entry: e}, nil
}

var mia = server.Asker{Person: "mia", Address: "192.0.2.7", Session: "s1"}

// servedLake is a clinic with a ledger in a folder, as a server sees it.
func servedLake(t *testing.T) (*pipeline.Snapshots, *pipeline.Site) {
	t.Helper()
	o := pipeline.SiteOptions{Lake: filepath.Join(t.TempDir(), "lake"), Clinic: "c", ConfigDir: t.TempDir()}
	site, err := pipeline.OpenSite(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	land(t, site, smallReports(t))
	if _, err := site.Build(t.Context(), pipeline.BuildOptions{}); err != nil {
		t.Fatal(err)
	}
	snapshots, err := pipeline.NewSnapshots(t.Context(), o, query.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return snapshots, site
}

// What people say of leaks is no other snapshot: nothing is loaded again for it. A build is one, and so is data.
func TestSayingsAreNoOtherSnapshot(t *testing.T) {
	snapshots, site := servedLake(t)
	leaks := leaky{Site: site}.leaks(t)
	chain := &recorded{}
	desk := pipeline.ServerLeaks{Snapshots: snapshots, Chain: chain}
	name := func() string {
		t.Helper()
		name, err := snapshots.Head(t.Context(), "c")
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	before := name()
	balance := leaks["patient_balance_aged"][0]
	version, said, err := desk.Said(t.Context(), "c")
	if err != nil || len(said) != 0 {
		t.Fatalf("%v, %v", said, err)
	}
	for i, step := range []server.LeakStep{
		{LeakID: balance, State: contract.LeakAssigned, Assignee: "kim"},
		{LeakID: balance, State: contract.LeakContacted, Expected: contract.LeakAssigned},
		{LeakID: balance, Note: "no_answer"},
	} {
		if _, err := desk.Say(t.Context(), mia, "c", []server.LeakStep{step}); err != nil {
			t.Fatal(err)
		}
		if got := name(); got != before {
			t.Errorf("after saying %d the snapshot is %s, and it was %s", i+1, got, before)
		}
		next, _, err := desk.Said(t.Context(), "c")
		if err != nil || next <= version {
			t.Errorf("after saying %d the version is %d, and it was %d: %v", i+1, next, version, err)
		}
		version = next
	}
	// A server that starts now gives the snapshot the same name, and opens it under that.
	again, err := pipeline.NewSnapshots(t.Context(), pipeline.SiteOptions{Lake: site.Clinic.Store().String(), ConfigDir: filepath.Dir(site.Vault.Paths().Vault)}, query.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Head(t.Context(), "c"); err != nil || got != before {
		t.Errorf("to another server the snapshot is %s, %v", got, err)
	}
	engine, err := again.Open(t.Context(), "c", server.View{Marts: []string{"leak_ledger"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = engine.Close() }()
	if got := engine.Meta().Commit; got != before {
		t.Errorf("it is opened as %s", got)
	}
	_, said, err = desk.Said(t.Context(), "c")
	if err != nil || len(said) != 1 || said[0].State != contract.LeakContacted || said[0].Note != "no_answer" || said[0].Since.IsZero() {
		t.Errorf("it stands as %+v, %v", said, err)
	}
	if len(chain.entries) != 3 || chain.entries[0].Person != "mia" || chain.entries[0].Address != "192.0.2.7" || chain.entries[0].After["session"] != "s1" {
		t.Errorf("recorded as %+v", chain.entries)
	}
	// What cannot be recorded is not said.
	chain.full = true
	if _, err := desk.Say(t.Context(), mia, "c", []server.LeakStep{{LeakID: balance, State: contract.LeakOpen}}); err == nil {
		t.Error("it was said without a record")
	}
	if after, _, err := desk.Said(t.Context(), "c"); err != nil || after != version {
		t.Errorf("the version is %d, and it was %d: %v", after, version, err)
	}
	if _, err := site.Build(t.Context(), pipeline.BuildOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := name(); got == before {
		t.Error("a build is the snapshot that was before it")
	}
}

func TestSupportAccess(t *testing.T) {
	l := newLeaky(t)
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	l.o.Now = func() time.Time { return now }
	l.Site = openAgain(t, l.store, l.o)
	var entries []audit.Entry
	record := func(e audit.Entry) error {
		entries = append(entries, e)
		return nil
	}
	uses := func(pipeline.SupportGrant) (int, error) { return 7, nil }
	grant := func(reason string, length time.Duration) (*pipeline.SupportGrant, error) {
		return l.GrantSupport(t.Context(), pipeline.SupportGrant{Issuer: "grafana", Login: "sam", Reason: reason, GrantedBy: "mia"}, length, record)
	}
	for _, wrong := range []struct {
		reason string
		length time.Duration
		words  string
	}{{"", time.Hour, "needs a reason"}, {"Rosalind Oyelaran called", time.Hour, "needs a reason"}, {"ticket/1", 0, "ends before it begins"}, {"ticket/1", 73 * time.Hour, "longer than 72 hours"}} {
		if _, err := grant(wrong.reason, wrong.length); err == nil || !strings.Contains(err.Error(), wrong.words) {
			t.Errorf("%q for %s: %v", wrong.reason, wrong.length, err)
		}
	}
	if len(entries) != 0 {
		t.Errorf("what was refused is recorded: %+v", entries)
	}
	first, err := grant("ticket/1", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	second, err := grant("ticket/2", 2*time.Hour)
	if err != nil || first.Session == second.Session {
		t.Fatalf("%+v, %v", second, err)
	}
	now = now.Add(10 * time.Minute)
	ended, err := l.EndSupport(t.Context(), first.Session, "mia", uses, record)
	if err != nil || ended.Active(now) || ended.EndedBy != "mia" || ended.Uses != 7 {
		t.Errorf("%+v, %v", ended, err)
	}
	if _, err := l.EndSupport(t.Context(), first.Session, "mia", uses, record); !errors.Is(err, pipeline.ErrNoSuchSupport) {
		t.Errorf("ending it again: %v", err)
	}
	now = now.Add(3 * time.Hour)
	for _, want := range []int{1, 0} { // once
		if settled, err := l.SettleSupport(t.Context(), uses, record); err != nil || settled != want {
			t.Errorf("settled %d, %v, want %d", settled, err, want)
		}
	}
	if len(entries) != 4 {
		t.Fatalf("%d records: %+v", len(entries), entries)
	}
	for i, want := range []string{"support_access.granted ticket/1 60", "support_access.granted ticket/2 120", "support_access.ended revoked 600", "support_access.ended expired 7200"} {
		e := entries[i]
		number := e.After["minutes"]
		if number == nil {
			number = e.After["seconds"]
		}
		if got := fmt.Sprint(e.Action, " ", e.After["reason"], " ", number); got != want || e.After["session"] == "" {
			t.Errorf("record %d is %+v, want %s", i, e, want)
		}
		if err := (audit.Entry{Person: "mia", Action: e.Action, Entity: e.Entity, After: e.After}).Check(); err != nil {
			t.Errorf("record %d: %v", i, err)
		}
	}
	grants, err := l.SupportGrants(t.Context())
	if err != nil || len(grants) != 2 || grants[0].Session != second.Session || grants[0].EndedBy != "" || !grants[0].Ended.Equal(second.Until) {
		t.Errorf("%+v, %v", grants, err)
	}
	// Nothing is granted or ended without a record.
	no := func(audit.Entry) error { return errors.New("no record") }
	if _, err := l.GrantSupport(t.Context(), pipeline.SupportGrant{Issuer: "grafana", Login: "sam", Reason: "ticket/3"}, time.Hour, no); err == nil {
		t.Error("granted without a record")
	}
	if after, err := l.SupportGrants(t.Context()); err != nil || len(after) != 2 {
		t.Errorf("%+v, %v", after, err)
	}
}

func TestWhatAClinicChoseIsRecordedFirst(t *testing.T) {
	snapshots, site := servedLake(t)
	chain := &recorded{}
	desk := pipeline.ServerSettings{Snapshots: snapshots, Chain: chain, QuietHours: func(text string) error {
		if text != "08:00-18:00" {
			return errors.New("quiet hours: write them as 07:00-20:00")
		}
		return nil
	}}
	hours, wrong, days, many, yes, none := "08:00-18:00", "always", 5, 61, true, ""
	change := func(c server.SettingsChange) error { return desk.Change(t.Context(), mia, "c", c) }
	for _, c := range []server.SettingsChange{{QuietHours: &wrong}, {StaleAfterDays: &many}} {
		if err := change(c); err == nil || len(chain.entries) != 0 {
			t.Errorf("%+v: %v, recorded as %+v", c, err, chain.entries)
		}
	}
	chain.full = true
	for _, c := range []server.SettingsChange{{QuietHours: &hours}, {Paused: &yes}} {
		if err := change(c); err == nil {
			t.Errorf("%+v was changed without a record", c)
		}
	}
	if hold, err := site.Hold(t.Context()); err != nil || hold.Paused != nil {
		t.Errorf("%+v, %v", hold, err)
	}
	chain.full = false
	for range 2 { // what changes nothing is no record
		if err := change(server.SettingsChange{QuietHours: &hours, StaleAfterDays: &days, Paused: &yes}); err != nil {
			t.Fatal(err)
		}
	}
	if err := change(server.SettingsChange{QuietHours: &none}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range chain.entries {
		got = append(got, fmt.Sprintf("%s %s %v %v", e.Action, e.Entity, e.Before, e.After))
	}
	want := []string{
		"setting.changed settings/quiet_hours map[value:none] map[session:s1 value:08:00-18:00]",
		"setting.changed settings/stale_after_days map[number:2] map[number:5 session:s1]",
		"extraction.paused extraction map[] map[]",
		"setting.changed settings/quiet_hours map[value:08:00-18:00] map[session:s1 value:none]",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("recorded:\n%s", strings.Join(got, "\n"))
	}
	if chosen, err := site.Choices(t.Context()); err != nil || chosen.QuietHours != "" || chosen.StaleAfter() != 5 {
		t.Errorf("%+v, %v", chosen, err)
	}
}

// One patient is revealed at a time, in recovery mode, to who may see them, and never without a record; the record does not say who.
func TestReveal(t *testing.T) {
	n := newNamedClinic(t)
	o := pipeline.SiteOptions{Lake: filepath.Join(t.TempDir(), "lake"), Clinic: "c", ConfigDir: t.TempDir()}
	site, err := pipeline.OpenSite(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	never := func(audit.Entry) error { t.Error("recorded"); return nil }
	n.land(t, site)
	if _, err := site.Reveal(t.Context(), "p1_x", nil, never); !errors.Is(err, pipeline.ErrPrivacyMode) {
		t.Errorf("in privacy mode: %v", err)
	}
	if _, err := site.EnterRecovery(t.Context()); err != nil {
		t.Fatal(err)
	}
	if site, err = pipeline.OpenExistingSite(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	n.land(t, site)
	if _, err := site.Build(t.Context(), pipeline.BuildOptions{}); err != nil {
		t.Fatal(err)
	}
	view, err := site.OpenMarts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, rows, err := view.Query(t.Context(), "select patient, min(staff_member), max(staff_member) from marts.caseload group by 1 order by 1 limit 1")
	if closing := view.Close(); err != nil || closing != nil || len(rows) != 1 {
		t.Fatal(err, closing, rows)
	}
	patient, seenBy := rows[0][0].(string), rows[0][1].(string)

	log := &bytes.Buffer{}
	snapshots, err := pipeline.NewSnapshots(t.Context(), o, query.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	chain := &recorded{}
	desk := pipeline.ServerIdentities{Snapshots: snapshots, Chain: chain}
	for _, staff := range [][]string{nil, {seenBy}, {"Nobody Known", seenBy}} {
		who, err := desk.Reveal(t.Context(), mia, "c", patient, staff)
		if err != nil || who.FirstName == "" || who.FirstName != n.first[who.GUID] || who.Patient != patient {
			t.Errorf("to the caseload of %q: %v", staff, err)
		}
	}
	if len(chain.entries) != 3 {
		t.Errorf("%d records of 3 reveals", len(chain.entries))
	}
	slog.New(slog.NewTextHandler(log, nil)).Info("records", "entries", chain.entries)
	if found := n.searcher.Bytes(log.Bytes()); len(found) > 0 || strings.Contains(log.String(), patient) {
		t.Error("the records say who was revealed")
	}
	for name, try := range map[string]struct {
		patient string
		staff   []string
	}{"nobody": {"p1_aaaaaaaaaaaaaaaaaaaaaaaaaa", nil}, "another caseload": {patient, []string{"Nobody Known"}}} {
		if _, err := site.Reveal(t.Context(), try.patient, try.staff, never); !errors.Is(err, pipeline.ErrUnknownPatient) {
			t.Errorf("%s: %v", name, err)
		}
	}
	chain.full = true
	if who, err := desk.Reveal(t.Context(), mia, "c", patient, nil); err == nil || who != nil {
		t.Error("revealed without a record")
	}
}
