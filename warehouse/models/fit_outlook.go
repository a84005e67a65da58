package models

import (
	"cmp"
	"context"
	stdsql "database/sql"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/falloff-analytics/falloff/warehouse/bgnbd"
)

// leastEpisodes is how many episodes whose beginning is known a fit needs: four parameters from fewer are luck.
const leastEpisodes = 50

// What parameters were fitted to.
const (
	toDiscipline = "discipline" // the episodes of the discipline
	toAll        = "all"        // those of all disciplines together
	toNothing    = "none"       // there are no parameters
)

// outlookFitter fits the model of repeat visits: its rows are one discipline at D and one before the days that are held out.
func outlookFitter() fitter {
	return fitter{
		version: "outlook 1, " + bgnbd.Version,
		columns: []Column{
			{"purpose", "VARCHAR"}, {"discipline", "VARCHAR"}, {"model", "VARCHAR"}, {"fitted_to", "VARCHAR"}, {"fallback", "VARCHAR"},
			{"episodes", "BIGINT"}, {"r", "DOUBLE"}, {"alpha", "DOUBLE"}, {"a", "DOUBLE"}, {"b", "DOUBLE"}, {"log_likelihood", "DOUBLE"},
			{"evaluations", "BIGINT"}, {"converged", "BOOLEAN"}, {"limits", "VARCHAR"},
		},
		fit: fitOutlook,
	}
}

// occasion is what one fit is for, with the histories that it starts from.
type occasion struct {
	purpose, discipline string
	model               bgnbd.Model
	histories           []bgnbd.History
	episodes            int64

	fit      bgnbd.Fit
	fittedTo string
	fallback string
}

func fitOutlook(ctx context.Context, rows *stdsql.Rows, threads int) ([][]any, error) {
	occasions, err := readOccasions(rows)
	if err != nil {
		return nil, err
	}
	if err := fitAll(ctx, occasions, threads); err != nil {
		return nil, err
	}
	// What has no parameters of its own takes those of all disciplines together, each purpose by itself.
	var pooled []*occasion
	for _, o := range occasions {
		if o.fittedTo == toNothing && !slices.ContainsFunc(pooled, func(p *occasion) bool { return p.purpose == o.purpose }) {
			pooled = append(pooled, pool(occasions, o.purpose))
		}
	}
	if err := fitAll(ctx, pooled, threads); err != nil {
		return nil, err
	}
	for _, o := range occasions {
		if o.fittedTo != toNothing {
			continue
		}
		all := pooled[slices.IndexFunc(pooled, func(p *occasion) bool { return p.purpose == o.purpose })]
		o.fit = all.fit
		if all.fittedTo == toNothing {
			o.fallback += "; of all disciplines together: " + all.fallback + "; so there are no parameters"
			continue
		}
		o.fittedTo = toAll
		o.fallback += "; so the parameters are those of all disciplines together"
	}
	var table [][]any
	for _, o := range occasions {
		table = append(table, o.row())
	}
	return table, nil
}

// readOccasions reads the select's rows. They come in an order of their own, so that the same histories give the same digits.
func readOccasions(rows *stdsql.Rows) ([]*occasion, error) {
	var occasions []*occasion
	for rows.Next() {
		o := &occasion{}
		var h bgnbd.History
		if err := rows.Scan(&o.purpose, &o.discipline, &o.model, &h.X, &h.RecencyT, &h.AgeT, &h.Count); err != nil {
			return nil, fmt.Errorf("reading histories: %w", err)
		}
		if last := len(occasions) - 1; last >= 0 && occasions[last].purpose == o.purpose && occasions[last].discipline == o.discipline {
			o = occasions[last]
		} else {
			occasions = append(occasions, o)
		}
		if h.Count > 0 {
			o.histories = append(o.histories, h)
			o.episodes += h.Count
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading histories: %w", err)
	}
	return occasions, nil
}

// pool puts the histories of all disciplines together.
func pool(occasions []*occasion, purpose string) *occasion {
	all := &occasion{purpose: purpose}
	for _, o := range occasions {
		if o.purpose == purpose {
			all.model = o.model
			all.histories = append(all.histories, o.histories...)
			all.episodes += o.episodes
		}
	}
	slices.SortStableFunc(all.histories, func(a, b bgnbd.History) int {
		return cmp.Or(cmp.Compare(a.X, b.X), cmp.Compare(a.RecencyT, b.RecencyT), cmp.Compare(a.AgeT, b.AgeT))
	})
	merged := all.histories[:0]
	for _, h := range all.histories {
		if last := len(merged) - 1; last >= 0 && merged[last].X == h.X && merged[last].RecencyT == h.RecencyT && merged[last].AgeT == h.AgeT {
			merged[last].Count += h.Count
			continue
		}
		merged = append(merged, h)
	}
	all.histories = merged
	return all
}

// fitAll fits each by itself, several at a time.
func fitAll(ctx context.Context, occasions []*occasion, threads int) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(threads, 1))
	for _, o := range occasions {
		g.Go(func() error { return o.run(ctx) })
	}
	return g.Wait()
}

// run searches the parameters, and says why there are none where there are none.
func (o *occasion) run(ctx context.Context) error {
	o.fittedTo = toNothing
	if o.episodes < leastEpisodes {
		o.fallback = fmt.Sprintf("%d episodes whose beginning is known, and a fit needs %d", o.episodes, leastEpisodes)
		return nil
	}
	fit, err := bgnbd.Maximize(ctx, o.model, o.histories)
	if err != nil {
		return fmt.Errorf("fitting %s: %w", o.model, err)
	}
	switch {
	case fit.Fallback != "":
		o.fallback = fit.Fallback
	case !fit.Converged:
		o.fallback = "the search did not come to rest"
	default:
		o.fit, o.fittedTo = fit, toDiscipline
	}
	return nil
}

// row is the occasion's row of the table.
func (o *occasion) row() []any {
	row := []any{o.purpose, o.discipline, string(o.model), o.fittedTo, optional(o.fallback), o.episodes}
	if o.fittedTo == toNothing {
		return append(row, nil, nil, nil, nil, nil, nil, false, nil)
	}
	p := o.fit.Parameters
	return append(row, p.R, p.Alpha, p.A, p.B, o.fit.LogLikelihood, int64(o.fit.Evaluations), o.fit.Converged, optional(o.fit.Limit))
}
