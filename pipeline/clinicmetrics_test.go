package pipeline

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/civil"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/falloff-analytics/falloff/extractors"
)

func TestClinicMetrics(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, time.March, 3, 9, 0, 0, 0, time.UTC)
	statuses := map[string]*Status{
		"a": {
			State: StateOK, Datasets: []DatasetFreshness{{Dataset: "appointments", Rows: 120, ObservedOn: civil.Date{Year: 2026, Month: 3, Day: 1}}, {Dataset: "claims"}},
			Quarantine: map[string]map[string]int64{"appointments": {"bad_date": 2, "erased": 1}},
			Last:       &Outcome{Began: now.Add(-10 * time.Minute), At: now.Add(-4 * time.Minute), Orders: 12, Of: 12},
		},
		"b": {
			State: StatePerson, Stale: true, BuildFailed: &BuildFailure{At: now, Message: "a check"}, Running: &Lease{},
			Last: &Outcome{At: now, Cause: extractors.PageChanged, Orders: 3, Of: 12},
		},
	}
	asked := 0
	ids := []string{"a", "b", "c"}
	var listing error
	m := NewClinicMetrics(func(context.Context) ([]string, error) {
		asked++
		return ids, listing
	}, func(_ context.Context, clinic string) (*Status, error) {
		if s := statuses[clinic]; s != nil {
			return s, nil
		}
		return nil, errors.New("it cannot be opened")
	}, time.Minute, func() time.Time { return now })
	if problems, err := testutil.CollectAndLint(m); err != nil || len(problems) > 0 {
		t.Errorf("Prometheus' own conventions: %v, %v", problems, err)
	}
	want := `
# HELP falloff_clinic_build_failed 1 where the last build failed, a check among the reasons.
# TYPE falloff_clinic_build_failed gauge
falloff_clinic_build_failed{clinic="a"} 0
falloff_clinic_build_failed{clinic="b"} 1
# HELP falloff_clinic_data_through_timestamp_seconds The newest day that a dataset's reports show, as the instant of its end in UTC.
# TYPE falloff_clinic_data_through_timestamp_seconds gauge
falloff_clinic_data_through_timestamp_seconds{clinic="a",dataset="appointments"} 1.7724096e+09
# HELP falloff_clinic_last_run_failed 1 with the failure's name where the last run did not land, else 0 with an empty one.
# TYPE falloff_clinic_last_run_failed gauge
falloff_clinic_last_run_failed{cause="",clinic="a"} 0
falloff_clinic_last_run_failed{cause="page_changed",clinic="b"} 1
# HELP falloff_clinic_last_run_seconds How long the last run was in the portal.
# TYPE falloff_clinic_last_run_seconds gauge
falloff_clinic_last_run_seconds{clinic="a"} 360
# HELP falloff_clinic_quarantined_rows Rows that a dataset's last reports lost to validation.
# TYPE falloff_clinic_quarantined_rows gauge
falloff_clinic_quarantined_rows{clinic="a",dataset="appointments"} 3
falloff_clinic_quarantined_rows{clinic="a",dataset="claims"} 0
# HELP falloff_clinic_readable 1 where the clinic's state could be read, else 0.
# TYPE falloff_clinic_readable gauge
falloff_clinic_readable{clinic="a"} 1
falloff_clinic_readable{clinic="b"} 1
falloff_clinic_readable{clinic="c"} 0
# HELP falloff_clinic_running 1 while a run, a backup or a deletion is at work.
# TYPE falloff_clinic_running gauge
falloff_clinic_running{clinic="a"} 0
falloff_clinic_running{clinic="b"} 1
# HELP falloff_lake_readable 1 where the lake's clinics could be listed, 0 where not, or where there is none left of those that were there.
# TYPE falloff_lake_readable gauge
falloff_lake_readable 1
`
	names := []string{
		"falloff_clinic_build_failed", "falloff_clinic_data_through_timestamp_seconds", "falloff_clinic_last_run_failed", "falloff_clinic_last_run_seconds",
		"falloff_clinic_quarantined_rows", "falloff_clinic_readable", "falloff_clinic_running", "falloff_lake_readable",
	}
	if err := testutil.CollectAndCompare(m, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
	if asked != 1 {
		t.Errorf("the lake was asked %d times within a minute", asked)
	}
	// The lake goes away, or only its folder is left where it was mounted: what was known stays, and that it is away is told.
	lake := want[strings.Index(want, "# HELP falloff_lake_readable"):]
	for _, away := range []struct {
		ids     []string
		listing error
	}{{ids, errors.New("away")}, {}} {
		now, ids, listing = now.Add(2*time.Minute), away.ids, away.listing
		if got := testutil.CollectAndCount(m, "falloff_clinic_readable"); got != 3 {
			t.Errorf("%d clinics are known", got)
		}
		if err := testutil.CollectAndCompare(m, strings.NewReader(strings.ReplaceAll(lake, "_readable 1\n", "_readable 0\n")), "falloff_lake_readable"); err != nil {
			t.Error(err)
		}
	}
	now, ids = now.Add(2*time.Minute), []string{"a"}
	if err := testutil.CollectAndCompare(m, strings.NewReader(lake), "falloff_lake_readable"); err != nil {
		t.Error(err)
	}
	prometheus.NewPedanticRegistry().MustRegister(m) // which refuses what its description does not say
}
