package query_test

import (
	"slices"
	"testing"

	"github.com/falloff-analytics/falloff/warehouse/query"
	"github.com/falloff-analytics/falloff/warehouse/query/martstest"
)

func TestClosedMonthsAreShownAsTheyWerePublished(t *testing.T) {
	engine := open(t, martstest.Closed(t), query.Limits{})
	for _, test := range []struct {
		name    string
		request query.Request
		columns []string
		want    []string
	}{
		{
			name:    "July is not the ledger's 150.00 firm, and what it is now stands beside it",
			request: query.Request{Query: "leaks_by_month", Params: map[string]any{"split": "certainty"}},
			columns: []string{"month", "series", "amount_cents", "leaks", "restated_cents", "is_closed"},
			want: []string{
				"2026-07-01 | Likely | 4000 | 1 | 0 | true", "2026-07-01 | Firm | 15000 | 2 | 15000 | true",
				"2026-08-01 | Likely | 9500 | 1 | 9500 | false", "2026-08-01 | Firm | 8000 | 1 | 8000 | false",
				"2026-09-01 | Likely | 14500 | 2 | 14500 | false",
			},
		},
		{
			name:    "a closed month is shown whole where the range cuts it",
			request: query.Request{Query: "leaks_by_month", Params: map[string]any{"split": "all"}, From: day("2026-07-20"), To: day("2026-07-25")},
			columns: []string{"month", "amount_cents", "leaks"},
			want:    []string{"2026-07-01 | 19000 | 3"},
		},
		{
			name:    "what differs from the published figures now",
			request: query.Request{Query: "restatements"},
			columns: []string{"month", "figure", "category", "published", "before", "restated", "difference", "since_commit", "first_seen"},
			want:    []string{"2026-07-01 | leaked | Co-pay not collected | 15000 | 16000 | 14000 | -1000 | 9 | 2026-09-22"},
		},
		{
			name:    "every change of one figure on the way",
			request: query.Request{Query: "restatements", Params: map[string]any{"figure": "appointments", "show": "all"}},
			columns: []string{"figure", "category", "restated", "difference", "since_commit", "is_current"},
			want: []string{
				"appointments | No show | 4 | 1 | 7 | false",
				"appointments | No show | 3 | 0 | 9 | true",
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			answer, err := engine.Run(t.Context(), test.request)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Release()
			if got := table(t, answer, test.columns...); !slices.Equal(got, test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}
