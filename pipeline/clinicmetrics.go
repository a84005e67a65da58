package pipeline

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
)

// ClinicMetrics tells Prometheus how the clinics of a lake stand, from what the lake itself says: which day each dataset shows, how the last
// run ended, what was quarantined. It needs no job to be alive, so a scheduler that died shows as data that grows old.
//
// The lake is asked at most once in a while; a clinic that cannot be read is told as unreadable, and hides no other. Labels are clinics' ids,
// datasets and causes: nothing of a patient, nothing of an account.
type ClinicMetrics struct {
	list  func(ctx context.Context) ([]string, error)
	of    func(ctx context.Context, clinic string) (*Status, error)
	every time.Duration
	now   func() time.Time

	mu     sync.Mutex
	asked  time.Time
	kept   []clinicStatus
	failed bool
}

type clinicStatus struct {
	clinic string
	*Status
}

// Every label value of a state is told, 0 or 1, so that a rule sees it change.
var clinicStates = []State{StateOK, StatePaused, StateRevoked, StatePerson, StateLater}

// clinicMetric makes a description; names and units are Prometheus' conventions.
func clinicMetric(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("falloff_clinic_"+name, help, append([]string{"clinic"}, labels...), nil)
}

var (
	lakeReadable        = prometheus.NewDesc("falloff_lake_readable", "1 where the lake's clinics could be listed, 0 where not, or where there is none left of those that were there.", nil, nil)
	clinicReadable      = clinicMetric("readable", "1 where the clinic's state could be read, else 0.")
	clinicState         = clinicMetric("state", "1 for the state that extraction of the clinic is in, 0 for the others.", "state")
	clinicRunning       = clinicMetric("running", "1 while a run, a backup or a deletion is at work.")
	clinicDataThrough   = clinicMetric("data_through_timestamp_seconds", "The newest day that a dataset's reports show, as the instant of its end in UTC.", "dataset")
	clinicRows          = clinicMetric("rows", "Rows of a dataset.", "dataset")
	clinicQuarantined   = clinicMetric("quarantined_rows", "Rows that a dataset's last reports lost to validation.", "dataset")
	clinicLastRun       = clinicMetric("last_run_timestamp_seconds", "When the last run ended.")
	clinicLastRunFailed = clinicMetric("last_run_failed", "1 with the failure's name where the last run did not land, else 0 with an empty one.", "cause")
	clinicLastRunTook   = clinicMetric("last_run_seconds", "How long the last run was in the portal.")
	clinicLastRunAsked  = clinicMetric("last_run_reports", "How many reports the last run read.")
	clinicMartsBehind   = clinicMetric("marts_behind", "1 while newer data has landed than the marts were built from.")
	clinicBuildFailed   = clinicMetric("build_failed", "1 where the last build failed, a check among the reasons.")
	clinicErasing       = clinicMetric("erasing", "1 while the erasure of a patient was begun and has not ended.")
)

// NewClinicMetrics asks for clinics and their states at most once every while.
func NewClinicMetrics(list func(ctx context.Context) ([]string, error), of func(ctx context.Context, clinic string) (*Status, error),
	every time.Duration, now func() time.Time,
) *ClinicMetrics {
	return &ClinicMetrics{list: list, of: of, every: every, now: now}
}

// Describe implements prometheus.Collector.
func (m *ClinicMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		lakeReadable, clinicReadable, clinicState, clinicRunning, clinicDataThrough, clinicRows, clinicQuarantined, clinicLastRun, clinicLastRunFailed,
		clinicLastRunTook, clinicLastRunAsked, clinicMartsBehind, clinicBuildFailed, clinicErasing,
	} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (m *ClinicMetrics) Collect(to chan<- prometheus.Metric) {
	clinics, failed := m.statuses()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	gauge(lakeReadable, truth(!failed))
	for _, c := range clinics {
		gauge(clinicReadable, truth(c.Status != nil), c.clinic)
		if c.Status == nil {
			continue
		}
		for _, state := range clinicStates {
			gauge(clinicState, truth(c.State == state), c.clinic, string(state))
		}
		gauge(clinicRunning, truth(c.Running != nil), c.clinic)
		gauge(clinicMartsBehind, truth(c.Stale), c.clinic)
		gauge(clinicBuildFailed, truth(c.BuildFailed != nil), c.clinic)
		gauge(clinicErasing, truth(c.Erasing), c.clinic)
		for _, d := range c.Datasets {
			if d.ObservedOn.IsValid() {
				gauge(clinicDataThrough, float64(d.ObservedOn.AddDays(1).In(time.UTC).Unix()), c.clinic, d.Dataset)
			}
			gauge(clinicRows, float64(d.Rows), c.clinic, d.Dataset)
			gauge(clinicQuarantined, float64(c.Quarantined(d.Dataset)), c.clinic, d.Dataset)
		}
		if c.Last == nil {
			continue
		}
		gauge(clinicLastRun, float64(c.Last.At.Unix()), c.clinic)
		gauge(clinicLastRunFailed, truth(c.Last.Cause != ""), c.clinic, string(c.Last.Cause))
		gauge(clinicLastRunAsked, float64(c.Last.Orders), c.clinic)
		if !c.Last.Began.IsZero() {
			gauge(clinicLastRunTook, c.Last.At.Sub(c.Last.Began).Seconds(), c.clinic)
		}
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// statusTimeout bounds what a scrape waits for the lake.
const statusTimeout = 20 * time.Second

// statuses are those of the moment, or of a little earlier. failed says that the lake could not be asked which clinics there are; those
// that were known stay.
func (m *ClinicMetrics) statuses() (kept []clinicStatus, failed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := m.now(); m.asked.IsZero() || now.Sub(m.asked) >= m.every {
		m.asked = now
		m.ask()
	}
	return m.kept, m.failed
}

func (m *ClinicMetrics) ask() {
	ctx, cancel := context.WithTimeout(context.Background(), statusTimeout)
	defer cancel()
	ids, err := m.list(ctx)
	// A lake that had clinics and has none was seldom emptied: its folder is not mounted any more. Whoever deletes the last clinic is told,
	// too, until the server is started anew.
	if m.failed = err != nil || len(ids) == 0 && len(m.kept) > 0; m.failed {
		return
	}
	m.kept = make([]clinicStatus, len(ids))
	var all errgroup.Group
	all.SetLimit(8)
	for i, clinic := range ids {
		m.kept[i].clinic = clinic
		all.Go(func() error {
			if status, err := m.of(ctx, clinic); err == nil {
				m.kept[i].Status = status
			}
			return nil
		})
	}
	_ = all.Wait()
}

// BuildFailure says that the models could not be built over what had landed.
type BuildFailure struct {
	At time.Time `json:"at"`
	// Message is what a person is told: models, checks and counts, no row.
	Message string `json:"message"`
}

// noteBuild keeps in the clinic's state whether the last build failed. A build that was interrupted says nothing. That it cannot be kept
// changes nothing of the build: the next one says it again.
func (s *Site) noteBuild(ctx context.Context, failed error) {
	if failed != nil && ctx.Err() != nil {
		return
	}
	_ = s.hold().change(ctx, func(h *Hold) error {
		if failed == nil && h.BuildFailed == nil {
			return errAsItIs
		}
		if h.BuildFailed = nil; failed != nil {
			h.BuildFailed = &BuildFailure{At: s.clock().UTC(), Message: failed.Error()}
		}
		return nil
	})
}
