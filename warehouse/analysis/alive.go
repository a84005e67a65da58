package analysis

import (
	"context"
	"fmt"
	"strconv"

	"github.com/falloff-analytics/falloff/warehouse/bgnbd"
)

func (db *database) alive(ctx context.Context, q Request, to Answer) error {
	if err := db.visits(ctx, q); err != nil {
		return err
	}
	err := db.execAll(ctx, "create table histories as from repeat_visits('visits', date '"+q.AsOf.String()+"', "+strconv.Itoa(q.UnitDays)+")")
	if err != nil {
		return err
	}
	parameters := q.Parameters
	if parameters == nil {
		fit, err := db.fit(ctx, q.Model)
		if err != nil {
			return err
		}
		if to.Fitted != nil {
			to.Fitted(fit)
		}
		parameters = &fit.Parameters
	}
	if err := db.execAll(ctx, "create table parameters (series varchar, model varchar, r double, alpha double, a double, b double)"); err != nil {
		return err
	}
	if _, err := db.conn.ExecContext(ctx, "insert into parameters values ('', ?, ?, ?, ?, ?)",
		string(q.Model), parameters.R, parameters.Alpha, parameters.A, parameters.B); err != nil {
		return fmt.Errorf("preparing the analysis: %w", err)
	}
	horizon := strconv.FormatFloat(q.HorizonDays, 'g', -1, 64) + "::double / " + strconv.Itoa(q.UnitDays)
	return db.answer(ctx, to, `
		select score.entity, score.x, score.t_x, score.t, score.p_alive, score.expected
		from alive('histories', 'parameters', `+horizon+`) as score
		order by score.entity`)
}

// fit finds the parameters that make the histories most likely. They come in an order of their own, not the file's.
func (db *database) fit(ctx context.Context, model bgnbd.Model) (bgnbd.Fit, error) {
	rows, err := db.conn.QueryContext(ctx, "select x, t_x, t, count(*) from histories group by all order by all")
	if err != nil {
		return bgnbd.Fit{}, fmt.Errorf("reading histories: %w", err)
	}
	defer rows.Close()
	var histories []bgnbd.History
	for rows.Next() {
		var h bgnbd.History
		if err := rows.Scan(&h.X, &h.RecencyT, &h.AgeT, &h.Count); err != nil {
			return bgnbd.Fit{}, fmt.Errorf("reading histories: %w", err)
		}
		histories = append(histories, h)
	}
	if err := rows.Err(); err != nil {
		return bgnbd.Fit{}, fmt.Errorf("reading histories: %w", err)
	}
	return bgnbd.Maximize(ctx, model, histories)
}
