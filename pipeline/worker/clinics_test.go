package worker_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/unit"
	"github.com/falloff-analytics/falloff/pipeline/worker"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/secret"
	"github.com/falloff-analytics/falloff/transforms/settings"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// visitsADay is how many appointments a tiny clinic has each day.
const visitsADay = 2

var firstDay = civil.Date{Year: 2026, Month: time.March, Day: 1}

// tinyPortal is the portal of a tiny clinic: one report, no waits, no browser.
type tinyPortal struct{ day civil.Date }

func (p tinyPortal) Kinds() []extractors.ReportKind {
	return []extractors.ReportKind{{Name: "appointments", Dataset: contract.Appointments, Period: extractors.WholeWindow}}
}

func (p tinyPortal) Visit(orders []extractors.Order, w pipeline.Watch) (extractors.Source, error) {
	return tinySource{p, orders, w}, nil
}

type tinySource struct {
	tinyPortal
	orders []extractors.Order
	watch  pipeline.Watch
}

func (s tinySource) Reports(ctx context.Context, each func(extractors.Report) error) error {
	s.watch.Access(extractors.Access{At: time.Now(), Action: extractors.ActionSignedIn, Rows: -1, Bytes: -1, Outcome: extractors.AccessDone})
	for _, o := range s.orders {
		if err := s.watch.Before(ctx); err != nil {
			return err
		}
		var body strings.Builder
		body.WriteString("id,patient_guid,location_name,staff_member_name,treatment_name,state,start_at,end_at,booked_at,arrived_at,cancelled_at\n")
		rows := 0
		for day := firstDay; !day.After(s.day); day = day.AddDays(1) {
			for n := range visitsADay {
				if !o.Window.Contains(day) {
					continue
				}
				rows++
				_, _ = fmt.Fprintf(&body, "%d,11111111-0000-4000-8000-0000000000%02d,Main,A. Moreau,Physio Visit,arrived,%[3]s 15:00:00 UTC,%[3]s 15:45:00 UTC,2026-02-01 12:00:00 UTC,%[3]s 15:00:00 UTC,\n",
					day.DaysSince(firstDay)*visitsADay+n+1, n+1, day)
			}
		}
		if err := each(extractors.Report{
			Name: o.Report + ".csv", Body: []byte(body.String()), Dataset: o.Dataset, Range: o.Window, Complete: true, ObservedOn: s.day, StatedRows: rows, Order: o.ID(),
		}); err != nil {
			return err
		}
	}
	return nil
}

// openCipher hides nothing: these tests are not about secrecy.
type openCipher struct{}

func (openCipher) Encrypt(plain, _ []byte) ([]byte, error)  { return plain, nil }
func (openCipher) Decrypt(sealed, _ []byte) ([]byte, error) { return sealed, nil }

// world is the folder that all workers of a test share.
type world string

func (w world) lake() string { return filepath.Join(string(w), "lake") }

func (w world) clinics() []worker.Clinic {
	body, err := os.ReadFile(filepath.Join(string(w), "clinics"))
	if err != nil {
		panic(err)
	}
	var out []worker.Clinic
	for i, id := range strings.Fields(string(body)) {
		out = append(out, worker.Clinic{ID: id, Zone: time.UTC, Host: []string{"one.example", "two.example"}[i%2]})
	}
	return out
}

// Clinics implements worker.Fleet.
func (w world) Clinics(context.Context) ([]worker.Clinic, error) { return w.clinics(), nil }

// Paused implements worker.Fleet.
func (w world) Paused(context.Context, string) (bool, error) { return false, nil }

// now is six in the morning of the day that the test has come to.
func (w world) now() time.Time {
	body, err := os.ReadFile(filepath.Join(string(w), "today"))
	if err != nil {
		panic(err)
	}
	day, err := civil.ParseDate(string(body))
	if err != nil {
		panic(err)
	}
	return day.In(time.UTC).Add(6 * time.Hour)
}

// set replaces a file whole, so that no reader sees half of it.
func (w world) set(name, text string) error {
	at := filepath.Join(string(w), name)
	if err := os.WriteFile(at+".new", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(at+".new", at)
}

func (w world) site(ctx context.Context, clinic string) (*pipeline.Site, error) {
	return pipeline.OpenSite(ctx, pipeline.SiteOptions{Lake: w.lake(), Clinic: clinic, ConfigDir: filepath.Join(string(w), "keys", clinic), Unencrypted: true})
}

// diary is where the runs of a clinic's night write what they did.
func (w world) diary(clinic string, day civil.Date) string {
	return filepath.Join(string(w), "diaries", clinic+" "+day.String())
}

func (w world) write(clinic string, day civil.Date, format string, args ...any) error {
	f, err := os.OpenFile(w.diary(clinic, day), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, format+"\n", args...)
	return errors.Join(err, f.Close())
}

// doomed are the clinics in whose first run of a day the worker dies right after the commit: nobody learns of it.
func doomed(clinic string, day civil.Date) bool {
	hash := fnv.New32a()
	_, _ = fmt.Fprint(hash, clinic, day)
	return hash.Sum32()%12 == 0
}

// Run implements unit.Runner: one night of a tiny clinic, in this process, into the real lake.
func (w world) Run(ctx context.Context, order unit.Order) (unit.Outcome, error) {
	before, err := os.ReadFile(w.diary(order.Clinic, order.To))
	first := errors.Is(err, os.ErrNotExist)
	if err != nil && !first {
		return unit.Outcome{}, err
	}
	if err := w.write(order.Clinic, order.To, "begun by %d", os.Getpid()); err != nil {
		return unit.Outcome{}, err
	}
	credentials, err := os.ReadFile(filepath.Join(string(w), "credentials", order.Clinic))
	if err != nil {
		return unit.Outcome{}, err
	}
	site, err := w.site(ctx, order.Clinic)
	if err != nil {
		return unit.Outcome{}, err
	}
	typed := settings.Clinic{Name: order.Clinic, TimeZone: "UTC", Currency: "CAD", TaxName: "HST"}
	out, err := site.Extract(ctx, pipeline.ExtractOptions{
		Portal: tinyPortal{order.To}, Credentials: string(credentials), Account: secret.FromText("clerk"), Settings: &typed, Seal: openCipher{}, Budget: -1,
		Plan: pipeline.PlanOptions{Day: order.To, Trailing: 2, Ahead: 1}, Once: order.Once,
	})
	if first && err == nil && doomed(order.Clinic, order.To) {
		if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
			return unit.Outcome{}, err
		}
		select {}
	}
	result := outcome(order, out, err)
	return result, w.write(order.Clinic, order.To, "ended with %d, commit %d, new %v, after %d bytes", result.Exit, result.Commit, result.New, len(before))
}

// outcome is what falloff run would end with.
func outcome(order unit.Order, out *pipeline.Extracted, err error) unit.Outcome {
	if err == nil {
		return unit.Outcome{Day: order.To, Commit: out.Commit, New: out.Changed}
	}
	result := unit.Outcome{Exit: 1, Message: err.Error()}
	if failure, ok := errors.AsType[*extractors.Failure](err); ok {
		result.Cause, result.Exit = string(failure.Cause), 4
		if failure.Cause.Retryable() {
			result.Exit = 5
		}
	} else if _, ok := errors.AsType[*pipeline.BusyError](err); ok || errors.Is(err, lake.ErrOtherKeys) {
		result.Exit = 5
	} else if _, ok := errors.AsType[*pipeline.StorageError](err); ok {
		result.Exit = 6
	}
	if errors.Is(err, context.Canceled) {
		result.Exit = 130
	}
	return result
}

// exitAway is how a worker ends that finds no database when it begins; whoever supervises it starts it again.
const exitAway = 5

// beWorker is a worker process of TestManyMachines.
func beWorker(dir string) int {
	ctx := context.Background()
	pool, err := worker.Open(ctx, os.Getenv("FALLOFF_TEST_DATABASE"))
	if err != nil {
		return endedWith(err)
	}
	defer pool.Close()
	w := world(dir)
	err = worker.Run(ctx, worker.Options{
		Pool: pool, Fleet: w, Runner: w, Parallel: 4, PerHost: 6, Now: w.now, Log: os.Stderr, Every: time.Second, Lease: 3 * time.Second,
		Pauses: worker.Pauses{First: 100 * time.Millisecond, Longest: time.Second, Slow: time.Second, Refused: time.Second, Bug: 100 * time.Millisecond},
		Tell:   func(format string, args ...any) { _, _ = fmt.Fprintf(os.Stderr, format+"\n", args...) },
	})
	return endedWith(err)
}

func endedWith(err error) int {
	if err == nil {
		return 0
	}
	_, _ = fmt.Fprintln(os.Stderr, err)
	if away, ok := errors.AsType[*worker.DatabaseError](err); ok && away.Later {
		return exitAway
	}
	return 1
}
