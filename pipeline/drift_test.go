package pipeline_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/jane"
	"github.com/falloff-analytics/falloff/extractors/simclinic"
	"github.com/falloff-analytics/falloff/extractors/simclinic/portal"
	"github.com/falloff-analytics/falloff/transforms"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/identity"
	"github.com/falloff-analytics/falloff/transforms/settings"
)

// writeDrift has the tests of drift write what became of every mutation into docs/drift.md.
var writeDrift = flag.Bool("drift", false, "write the outcomes of all mutations into docs/drift.md (with FALLOFF_LONG=1)")

// An outcome is what became of an extraction from a portal that is not as it was.
type outcome string

const (
	right       outcome = "right data"
	changed     outcome = "page_changed"
	incomplete  outcome = "export_incomplete"
	refusedFile outcome = "file refused, by name"
	quarantined outcome = "rows in quarantine, the others right"
	lessKnown   outcome = "right, less an optional column"
	otherCause  outcome = "another named cause"
	notTold     outcome = "not told apart (below)"
	wrong       outcome = "WRONG DATA"
)

// driftClinic is small, so that a run takes a second or two. Its second state has other visits and invoices.
func driftClinic(t *testing.T, seed uint64) *simclinic.Clinic {
	t.Helper()
	dials := simclinic.DefaultDials()
	dials.Seed, dials.Patients = seed, 50
	dials.From = civil.Date{Year: 2025, Month: time.October, Day: 1}
	clinic, err := simclinic.New(dials)
	if err != nil {
		t.Fatal(err)
	}
	return clinic
}

// theAccount is ours in the portal's activity log.
const theAccount = "billing.reader"

func readerOf(t *testing.T, clinic *simclinic.Clinic) *transforms.Transformer {
	t.Helper()
	typed, err := settings.Parse(clinic.SettingsYAML(), "clinic.yaml")
	if err != nil {
		t.Fatal(err)
	}
	secret, err := identity.NewSecret([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := identity.Derive(secret)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := transforms.New(transforms.Options{Keys: keys, Settings: typed, Account: theAccount})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// rowsOf is everything that would land of a batch, in an order of its own, a text a row.
func rowsOf(t *testing.T, b *transforms.Batch) []string {
	t.Helper()
	var out []string
	add := func(row contract.Row) {
		text, err := json.Marshal(row)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(text))
	}
	for _, r := range b.Appointments {
		add(r)
	}
	for _, r := range b.InvoiceLines {
		add(r)
	}
	for _, r := range b.Claims {
		add(r)
	}
	for _, r := range b.Policies {
		add(r)
	}
	for _, r := range b.Shifts {
		add(r)
	}
	for _, r := range b.Payments {
		add(r)
	}
	for _, r := range b.AppliedPayments {
		add(r)
	}
	for _, r := range b.Adjustments {
		add(r)
	}
	for _, r := range b.Credits {
		add(r)
	}
	for _, r := range b.Receivables {
		add(r)
	}
	for _, r := range b.Unscheduled {
		add(r)
	}
	for _, r := range b.Activity {
		add(r)
	}
	slices.Sort(out)
	return out
}

// judge says what became of reading: err is the extraction's or the reader's.
func judge(err error, got, want []string, inQuarantine int) outcome {
	var failure *extractors.Failure
	switch {
	case errors.As(err, &failure) && failure.Cause == extractors.PageChanged:
		return changed
	case errors.As(err, &failure) && failure.Cause == extractors.ExportIncomplete:
		return incomplete
	case errors.As(err, &failure):
		return otherCause
	case err != nil:
		return refusedFile
	case slices.Equal(got, want):
		return right
	case inQuarantine > 0 && len(got) > 0 && !slices.ContainsFunc(got, func(row string) bool { _, ok := slices.BinarySearch(want, row); return !ok }):
		return quarantined
	case len(got) == len(want) && slices.Equal(without(got, got), without(want, got)):
		return lessKnown
	default:
		return wrong
	}
}

// without takes from rows what no row of others has: values that may be left out, in columns that are blank there in
// every row. Nothing is known of them then, which is not the same as something wrong.
func without(rows, others []string) []string {
	parse := func(text string) (row map[string]any) {
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		if decoder.Decode(&row) != nil {
			panic("a row is no JSON")
		}
		return row
	}
	filled, blank := map[string]bool{}, map[string]any{}
	for _, text := range others {
		for column, value := range parse(text) {
			if value == nil || value == "" {
				blank[column] = value
			} else {
				filled[column] = true
			}
		}
	}
	out := make([]string, len(rows))
	for i, text := range rows {
		row := parse(text)
		for column := range row {
			if optional[column] && !filled[column] {
				row[column] = blank[column]
			}
		}
		again, err := json.Marshal(row)
		if err != nil {
			panic(err)
		}
		out[i] = string(again)
	}
	slices.Sort(out)
	return out
}

// optional are the columns, by the names of their fields, that the contract neither requires nor derives.
var optional = map[string]bool{
	"EndDate": true, "FirstVisit": true, "BookedOnline": true, "CancelledReason": true, "PolicyID": true, "ClaimedCents": true, "ApprovedCents": true,
	"Patient": true, "ProcessedOn": true, "TipCents": true, "PaidToClinicCents": true, "AppliedTo": true, "PurchaseDate": true,
	"TreatmentsUsed": true, "StaffMember": true, "Location": true, "IncomeCategory": true, "Discipline": true, "LastVisitOn": true, "Rows": true,
	"MaxTreatments": true, "PolicyMaximumCents": true,
}

// A stage is a clinic and what a portal that nobody changed gives of it.
type driftStage struct {
	clinic *simclinic.Clinic
	reader *transforms.Transformer

	mu    sync.Mutex
	sound map[string][]string
}

var driftWindow = extractors.Window{From: civil.Date{Year: 2025, Month: 11, Day: 10}, To: civil.Date{Year: 2025, Month: 12, Day: 31}}

// expected is what a report holds, straight from the clinic.
func (s *driftStage) expected(t *testing.T, report string) []string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if rows, ok := s.sound[report]; ok {
		return rows
	}
	window := driftWindow
	if report == simclinic.Appointments {
		window.To = window.To.AddDays(180)
	}
	table, err := s.clinic.Table(report, window.From, window.To)
	if err != nil {
		t.Fatal(err)
	}
	var body strings.Builder
	if err := s.clinic.WriteCSV(&body, table); err != nil {
		t.Fatal(err)
	}
	batch, err := s.reader.Read(t.Context(), extractors.Report{
		Name: s.clinic.FileName(report, window.From, window.To, "csv"), Body: []byte(body.String()), Range: window, Complete: true,
		ObservedOn: driftWindow.To, StatedRows: len(table.Rows),
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.sound == nil {
		s.sound = map[string][]string{}
	}
	s.sound[report] = rowsOf(t, batch)
	if len(s.sound[report]) < 10 {
		t.Fatalf("%s has %d rows: too few to tell right from wrong", report, len(s.sound[report]))
	}
	return s.sound[report]
}

// patientWaits are for changes that harm nothing, hastyWaits for those where something will be waited for in vain.
var (
	patientWaits = jane.Timeouts{Element: 20 * time.Second, Report: 20 * time.Second, Export: 20 * time.Second, Download: 20 * time.Second}
	hastyWaits   = jane.Timeouts{Open: 10 * time.Second, Element: time.Second, Report: 2 * time.Second, Export: 2 * time.Second, Download: 2 * time.Second, SignOut: time.Second}
)

// extract runs the extractor over a portal with a mutation in it, and judges what it brought.
func (s *driftStage) extract(t *testing.T, m portal.Mutation, profile *jane.Profile, before *simclinic.Clinic) (outcome, error) {
	t.Helper()
	var mutated atomic.Bool
	var met func() int
	wrap := func(next http.Handler) http.Handler {
		var handler http.Handler
		handler, met = m.Wrap(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if mutated.Load() {
				handler.ServeHTTP(w, r)
			} else {
				next.ServeHTTP(w, r)
			}
		})
	}
	shown := s.clinic
	if m.Twice {
		shown = before
	}
	p, err := portal.New(shown, portal.Options{Wrap: wrap, ExportDelay: portal.DelayRange{Min: time.Millisecond, Max: 2 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	url, stop, err := p.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	report := m.Report
	if report == "" {
		report = simclinic.Sales
	}
	clerk := portal.DefaultClerk()
	read := func(waits jane.Timeouts) (rows []string, inQuarantine int, err error) {
		orders, err := driftOrders(profile, report)
		if err != nil {
			t.Fatal(err)
		}
		source, err := jane.New(jane.Config{
			BaseURL: url, Account: jane.NewCredentials(clerk.Username, clerk.Password), Orders: orders, Profile: profile, Timeouts: waits,
			// What is tried again shall not take longer.
			Wait: func(ctx context.Context, _ time.Duration) error { return context.Cause(ctx) },
		})
		if err != nil {
			t.Fatal(err)
		}
		err = source.Reports(t.Context(), func(r extractors.Report) error {
			batch, err := s.reader.Read(t.Context(), r)
			if err != nil {
				if !strings.Contains(err.Error(), r.Name) {
					t.Errorf("the refusal does not name the file: %v", err)
				}
				return err
			}
			rows, inQuarantine = append(rows, rowsOf(t, batch)...), inQuarantine+len(batch.Quarantine)
			return nil
		})
		return rows, inQuarantine, err
	}
	if m.Twice {
		if _, _, err := read(patientWaits); err != nil {
			t.Fatalf("before the change: %v", err)
		}
		p.ReplaceClinic(s.clinic)
	}
	mutated.Store(true)
	waits := hastyWaits
	if m.Harmless {
		waits = patientWaits
	}
	rows, inQuarantine, err := read(waits)
	if met() == 0 { // on a loaded machine, haste can end the run before the change
		rows, inQuarantine, err = read(patientWaits)
	}
	if met() == 0 {
		t.Errorf("%s: nothing was changed, so nothing was tried", m.Name)
	}
	for _, r := range p.Trespasses() {
		t.Errorf("%s: the portal received %s %s (%s)", m.Name, r.Method, r.Path, r.Nature)
	}
	return judge(err, rows, s.expected(t, report), inQuarantine), err
}

// driftOrders plans one report over the window of these tests.
func driftOrders(profile *jane.Profile, report string) ([]extractors.Order, error) {
	if profile == nil {
		var err error
		if profile, err = jane.DefaultProfile(); err != nil {
			return nil, err
		}
	}
	return profile.Orders(driftWindow, 180, report)
}

// otherCauses are the mutations that end in a cause of another name, and rightly so.
var otherCauses = map[string]extractors.Cause{
	"application at another address":         extractors.Network,
	"a report the account lost":              extractors.PermissionMissing,
	"an old result that cannot be refreshed": extractors.ExportStale,
	"a fresh copy that is not":               extractors.ExportStale,
	// A call that writes, to another address, by another method or with another field than the profile allows, is stopped by the
	// guard as any other write is: whether the portal has changed it, or somebody else has, cannot be told.
	"another call for filters":         extractors.RefusedWrite,
	"filters sent by POST":             extractors.RefusedWrite,
	"filters with a field more":        extractors.RefusedWrite,
	"reset that keeps the location":    extractors.RefusedWrite,
	"an export in another form":        extractors.RefusedWrite,
	"an export with a field more":      extractors.RefusedWrite,
	"signing in through another call":  extractors.RefusedWrite,
	"a secret question sent along":     extractors.RefusedWrite,
	"password sent under another name": extractors.RefusedWrite,
}

// sample takes a part of a list, by a seed that FALLOFF_SEED changes, or all of it in the long suite.
func sample[T any](t *testing.T, all []T, size int) []T {
	t.Helper()
	if os.Getenv("FALLOFF_LONG") != "" || len(all) <= size {
		return all
	}
	seed := uint64(1)
	if text := os.Getenv("FALLOFF_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("FALLOFF_SEED: %v", err)
		}
	}
	t.Logf("%d of %d, by seed %d", size, len(all), seed)
	picked := slices.Clone(all)
	rand.New(rand.NewPCG(seed, seed)).Shuffle(len(picked), func(i, j int) { picked[i], picked[j] = picked[j], picked[i] })
	return picked[:size]
}

// TestPageMutations changes the portal in one way after the other and runs the extractor, with its browser, against
// each. It must bring the right data or say that it can't, and never bring anything else.
func TestPageMutations(t *testing.T) {
	t.Parallel()
	s := &driftStage{clinic: driftClinic(t, 5)}
	s.reader = readerOf(t, s.clinic)
	before := driftClinic(t, 6)
	var tally tally
	t.Run("each", func(t *testing.T) {
		for _, m := range sample(t, portal.Mutations(), 12) {
			t.Run(m.Name, func(t *testing.T) {
				t.Parallel()
				got, err := s.extract(t, m, nil, before)
				tally.add(m.Class, m.Name, got)
				t.Logf("%s: %v", got, err)
				switch {
				case got == wrong:
					t.Error("wrong data was brought")
				case m.Harmless && got != right:
					t.Errorf("nothing that matters changed, and it ended in %s: %v", got, err)
				case got == otherCause && !isCause(err, otherCauses[m.Name]):
					t.Errorf("it ended in %v", err)
				}
			})
		}
	})
	tally.write(t, "pages")
}

func isCause(err error, cause extractors.Cause) bool {
	failure, ok := errors.AsType[*extractors.Failure](err)
	return ok && failure.Cause == cause
}

// TestBlindProfile takes from the contract the line that finds a note beside the count. An old result must then pass for
// the present one: the test that looks for wrong data is able to find some.
func TestBlindProfile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../extractors/jane/profile.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const seeing = ", alone: screen.fresh_copy"
	if !strings.Contains(string(text), seeing) {
		t.Fatal("the profile no longer looks for what is written beside the count")
	}
	blind, err := jane.ParseProfile([]byte(strings.Replace(string(text), seeing, "", 1)))
	if err != nil {
		t.Fatal(err)
	}
	s := &driftStage{clinic: driftClinic(t, 5)}
	s.reader = readerOf(t, s.clinic)
	all := portal.Mutations()
	m := all[slices.IndexFunc(all, func(m portal.Mutation) bool { return m.Name == "link to a fresh copy renamed" })]
	m.Harmless = true // so that it is waited for with patience
	if got, err := s.extract(t, m, blind, driftClinic(t, 6)); got != wrong {
		t.Errorf("a blind profile ends in %s, %v", got, err)
	}
	m.Harmless = false
	if got, err := s.extract(t, m, nil, driftClinic(t, 6)); got != changed {
		t.Errorf("the profile ends in %s, %v", got, err)
	}
}

// tally counts outcomes by class.
type tally struct {
	mu  sync.Mutex
	all map[string]map[outcome]int
}

func (c *tally) add(class, _ string, o outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = map[string]map[outcome]int{}
	}
	if c.all[class] == nil {
		c.all[class] = map[outcome]int{}
	}
	c.all[class][o]++
}

// write puts the counts into docs/drift.md, in the place of those between the marks of a section.
func (c *tally) write(t *testing.T, section string) {
	t.Helper()
	if !*writeDrift || os.Getenv("FALLOFF_LONG") == "" {
		return
	}
	const file = "../docs/drift.md"
	columns := []outcome{right, lessKnown, quarantined, changed, incomplete, refusedFile, otherCause, notTold, wrong}
	var out strings.Builder
	out.WriteString("| change |")
	for _, o := range columns {
		fmt.Fprintf(&out, " %s |", o)
	}
	out.WriteString("\n|---|" + strings.Repeat("---:|", len(columns)) + "\n")
	sums := map[outcome]int{}
	classes := make([]string, 0, len(c.all))
	for class := range c.all {
		classes = append(classes, class)
	}
	slices.Sort(classes)
	line := func(name string, counts map[outcome]int) {
		out.WriteString("| " + name + " |")
		for _, o := range columns {
			fmt.Fprintf(&out, " %d |", counts[o])
			sums[o] += counts[o]
		}
		out.WriteString("\n")
	}
	for _, class := range classes {
		line(class, c.all[class])
	}
	total := sums
	sums = map[outcome]int{}
	line("**all**", total)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	start, end := "<!-- "+section+" -->\n", "<!-- end of "+section+" -->"
	head, rest, ok := strings.Cut(string(text), start)
	_, tail, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no section %s", file, section)
	}
	if err := os.WriteFile(file, []byte(head+start+out.String()+end+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}
