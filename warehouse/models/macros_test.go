package models

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/sql"
	"github.com/falloff-analytics/falloff/transforms/settings"
)

// The macros know nothing of clinics: they are tried here on tables of letters and days.

func openMacros(t *testing.T) *session {
	t.Helper()
	return openMacrosOf(t, sql.Files())
}

func openMacrosOf(t testing.TB, tree fs.FS) *session {
	t.Helper()
	project, err := Load(t.Context(), tree)
	if err != nil {
		t.Fatal(err)
	}
	s, err := open(t.Context(), Inputs{Threads: 1, ScratchDir: t.TempDir(), Settings: settings.Clinic{}, AsOf: civil.Date{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	if _, err := s.run(t.Context(), project, nil, true); err != nil {
		t.Fatal(err)
	}
	return s
}

// given makes a table of rows written as SQL values.
func given(t testing.TB, s *session, name, columns string, rows ...string) {
	t.Helper()
	statement := fmt.Sprintf("create table %s %s", name, columns)
	if err := s.exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
	if len(rows) > 0 {
		if err := s.exec(t.Context(), fmt.Sprintf("insert into %s values %s", name, strings.Join(rows, ", "))); err != nil {
			t.Fatal(err)
		}
	}
}

func expectRows(t testing.TB, s *session, query string, want ...string) {
	t.Helper()
	rows, err := s.conn.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got []string
	for rows.Next() {
		var row string
		if err := rows.Scan(&row); err != nil {
			t.Fatal(err)
		}
		got = append(got, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestEngagementGapsAndFirstLapse(t *testing.T) { engagementGaps(t, openMacros(t)) }

func engagementGaps(t testing.TB, s *session) {
	t.Helper()
	given(t, s, "engagements", "(entity varchar, begins_on date, ends_on date, is_visit boolean)",
		"('a', '2026-01-01', '2026-01-01', true)",
		"('a', '2025-12-20', '2026-01-10', false)", // began before the first visit
		"('a', '2026-01-05', '2026-01-05', true)",  // within the booking
		"('a', '2026-02-20', '2026-06-30', false)", // ends after the observation
		"('a', '2026-04-01', '2026-04-01', true)",  // after the observation
		"('a', '2025-11-01', '2025-12-01', false)", // over before it
		"('b', '2026-01-01', '2026-01-01', true)",
		"('b', '2026-03-31', '2026-03-31', false)", // the last day counts
		"('c', '2026-01-01', '2026-01-01', true)",  // nobody observes c
	)
	given(t, s, "observations", "(entity varchar, first_on date, observed_until date, falloff_days integer)",
		"('a', '2026-01-01', '2026-03-31', 41)", "('b', '2026-01-01', '2026-03-31', 89)")
	expectRows(t, s, `
		select concat_ws(' ', entity, visit_number, visit_on, reached_on, resumes_on, gap_days, is_last)
		from engagement_gaps('engagements', 'observations')
		order by entity, reached_on, visit_number`,
		"a 1 2026-01-01 2026-01-01 2026-01-01 0 false",
		"a 1 2026-01-01 2026-01-10 2026-01-05 -5 false", // the booking, cut to the first visit; the next visit lies within it
		"a 2 2026-01-05 2026-01-10 2026-02-20 41 false",
		"a 2 2026-01-05 2026-03-31 2026-03-31 0 true",
		"b 1 2026-01-01 2026-01-01 2026-03-31 89 false",
		"b 1 2026-01-01 2026-03-31 2026-03-31 0 true",
	)
}

func TestFirstLapseTakesTheFirst(t *testing.T) { firstLapse(t, openMacros(t)) }

func firstLapse(t testing.TB, s *session) {
	t.Helper()
	given(t, s, "gaps", "(entity varchar, reached_on date, gap_days bigint)",
		"('a', '2026-03-01', 90)", "('a', '2026-01-11', 43)", "('a', '2026-01-04', 42)",
		"('b', '2026-01-04', 42)",
		"('z', '2026-01-04', 99)") // not observed
	given(t, s, "observations", "(entity varchar, first_on date, observed_until date, falloff_days integer)",
		"('a', '2026-01-01', '2026-06-30', 42)", "('b', '2026-01-01', '2026-02-15', 42)", "('c', '2026-01-01', '2026-01-01', 42)")
	expectRows(t, s, "select concat_ws(' ', entity, time, event) from first_lapse('gaps', 'observations') order by entity",
		"a 52 true",  // the gap of 43 began on day 10
		"b 45 false", // 42 is not more than 42; observed for 45 days
		"c 0 false",
	)
}

func TestLastVisitWithinTheObservation(t *testing.T) { lastVisit(t, openMacros(t)) }

func lastVisit(t testing.TB, s *session) {
	t.Helper()
	given(t, s, "visit_days", "(entity varchar, visit_on date)",
		"('a', '2025-12-31')", // before it
		"('a', '2026-01-01')", "('a', '2026-01-11')",
		"('a', '2026-04-01')", // after it
		"('b', '2026-02-17')", "('b', '2026-03-31')",
		"('c', '2026-02-18')",
		"('z', '2026-01-01')") // not observed
	given(t, s, "observations", "(entity varchar, first_on date, observed_until date, falloff_days integer)",
		"('a', '2026-01-01', '2026-03-31', 42)", "('b', '2026-02-17', '2026-03-31', 42)", "('c', '2026-02-18', '2026-03-31', 42)")
	expectRows(t, s, "select concat_ws(' ', entity, time, event) from last_visit('visit_days', 'observations') order by entity",
		"a 10 true",
		"b 0 false", // 42 days before the end; c came after that
	)
}

func TestKaplanMeierOfSeveralSeries(t *testing.T) { severalCurves(t, openMacros(t)) }

func severalCurves(t testing.TB, s *session) {
	t.Helper()
	given(t, s, "durations", "(series integer, time integer, event boolean)",
		"(1, 0, false)", "(1, 3, true)", "(1, 3, false)", "(1, 5, true)", "(1, 9, false)",
		"(2, 4, true)")
	expectRows(t, s, `
		select concat_ws(' ', series, time, n_risk, n_event, n_censor, survival, round(std_err, 9), ci_low is null)
		from kaplan_meier('durations') order by series, time`,
		"1 0 5 0 1 1.0 0.0 true",            // censored on day 0, no row of its own beside it
		"1 3 4 1 1 0.75 0.216506351 false",  // the censored one is still at risk: 3/4, 0.75 * sqrt(1/(4*3))
		"1 5 2 1 0 0.375 0.286410981 false", // 3/8; 0.375 * sqrt(1/12 + 1/2), which is 0.7637626158 * 0.375
		"1 9 1 0 1 0.375 0.286410981 false",
		"2 0 1 0 0 1.0 0.0 true",
		"2 4 1 1 0 0.0 true", // nobody is left: no error, no interval
	)
}

func TestRetentionOfSeveralSeries(t *testing.T) { severalRetentions(t, openMacros(t)) }

func severalRetentions(t testing.TB, s *session) {
	t.Helper()
	given(t, s, "visit_days", "(series varchar, entity varchar, visit_on date)",
		"('x', 'a', '2025-11-30')", "('x', 'a', '2026-01-01')", "('x', 'a', '2026-01-31')",
		"('x', 'b', '2025-11-01')", "('x', 'b', '2025-11-01')",
		"('y', 'a', '2025-12-15')", "('y', 'a', '2026-01-31')") // in December the other series has nobody
	expectRows(t, s, `
		select concat_ws(' ', series, cohort_month, month_index, cohort_size, active)
		from retention('visit_days', date '2026-01-31') order by all`,
		"x 2025-11-01 0 2 2",
		"x 2025-11-01 1 2 0",
		"x 2025-11-01 2 2 1",
		"y 2025-12-01 0 1 1",
		"y 2025-12-01 1 1 1",
	)
}

func TestAgingOfInvoicesWithSeveralRows(t *testing.T) { agedInvoices(t, openMacros(t)) }

func agedInvoices(t testing.TB, s *session) {
	t.Helper()
	given(t, s, "balances", "(series varchar, invoice varchar, invoiced_on date, settled_on date, aged_from date, amount bigint)",
		"('x', '1', '2026-03-01', null, '2026-03-01', 10)", "('x', '1', '2026-03-01', null, '2026-03-01', 5)", // one invoice of 15
		"('x', '2', '2026-03-01', '2026-04-01', '2026-02-28', 7)", // settled after the day
		"('x', '3', '2026-03-01', '2026-03-31', '2026-03-01', 9)", // settled on it
		"('x', '4', '2026-04-01', null, '2026-03-01', 9)")         // invoiced after it
	expectRows(t, s, `
		select concat_ws(' ', series, bucket, invoices, amount) from aging('balances', date '2026-03-31')
		where invoices > 0 order by place`,
		"x 0-30 1 15",
		"x 31-60 1 7",
	)
}
