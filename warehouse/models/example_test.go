package models_test

import (
	"context"
	"fmt"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/transforms/settings"
	"github.com/falloff-analytics/falloff/warehouse/models"
)

// A clinic of which nothing has landed yet has every mart, each without a row.
func ExampleBuild() {
	result, err := models.Build(context.Background(), models.Inputs{
		// Tables names the Parquet files of each dataset, such as contract.Appointments.
		Settings: settings.Clinic{Name: "Harbour Street Physio", TimeZone: "America/Toronto", Currency: "CAD"},
		AsOf:     civil.Date{Year: 2026, Month: time.March, Day: 31},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, mart := range result.Marts {
		fmt.Println(mart.Name, mart.Rows, "by", mart.Key)
	}
	// Output:
	// adjustments_by_month 0 by [month_from kind payer_kind currency]
	// billing_warnings 0 by [kind reason source_id patient payer]
	// caseload 0 by [patient discipline staff_member]
	// cells_appointments 0 by [table_name value_a value_b]
	// cells_claims 0 by [table_name value_a value_b]
	// cells_episodes 0 by [table_name value_a value_b]
	// cells_money 0 by [base table_name value_a value_b]
	// cohort_retention 0 by [discipline cohort_month month_index]
	// collections_by_month 0 by [month_from payer_kind currency]
	// control_totals 0 by [period_to currency]
	// episode_status 0 by [patient discipline]
	// falloff_by_days 0 by [definition discipline dimension value time]
	// falloff_by_visit 0 by [discipline dimension value visit_number]
	// falloff_outcomes 0 by [discipline outcome time]
	// falloff_summary 0 by [discipline dimension value]
	// falloff_watch 0 by [week_from discipline visits last_was]
	// figures_by_month 0 by [month figure category detail discipline location currency]
	// leak_ledger 0 by [category source_id]
	// leak_recoveries 0 by [leak_id]
	// missed_recovery 0 by [month kind discipline]
	// money_identity 0 by [month_from currency]
	// outlook_calibration 0 by [discipline rule tenth]
	// outlook_models 0 by [discipline]
	// patient_outlook 0 by [patient discipline]
	// patient_status 0 by [patient]
	// payer_performance 0 by [payer sent_month currency]
	// published_figures 0 by [month figure category detail discipline location currency]
	// receivables_aging 0 by [basis side payer is_waiting currency bucket]
	// receivables_summary 0 by [side currency]
	// restatements 0 by [month figure category detail discipline location currency since_commit]
	// show_rates 0 by [month dimension value]
	// staff_hours 0 by [staff_member period_from period_to]
	// visits_by_week 0 by [week_from state discipline location staff_member]
}
