package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/models"
)

// closingFormat is raised when the stored form of what was published changes in a way that older programs would misread.
const closingFormat = 1

// publishedMonth is what is published of a closed month, as it is stored. Equal figures give equal bytes.
type publishedMonth struct {
	Format  int             `json:"format"`
	Month   string          `json:"month"`
	AsOf    civil.Date      `json:"as_of"`
	Input   int64           `json:"input"`
	Figures []models.Figure `json:"figures"`
}

// restatedMonth is how a closed month's figures changed since, in the order in which builds found it out.
type restatedMonth struct {
	Format       int                  `json:"format"`
	Month        string               `json:"month"`
	Restatements []models.Restatement `json:"restatements"`
}

// encodeClosing is the stored form of either.
func encodeClosing(v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("writing down a closed month: %w", err)
	}
	return append(body, '\n'), nil
}

func decodeClosing(body []byte, month string, format *int, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return storage("reading the closed month "+month, fmt.Errorf("%w: %w", lake.ErrDamaged, err))
	}
	if *format != closingFormat {
		return storage("reading the closed month "+month, fmt.Errorf("it has format %d, this program knows %d: use a newer falloff", *format, closingFormat))
	}
	return nil
}

// closedMonth is one closed month with all that is known of it.
type closedMonth struct {
	month     string
	closing   lake.Closing
	published []models.Figure
	history   []models.Restatement
}

// readClosings reads every closed month of a snapshot, in order.
func readClosings(ctx context.Context, snapshot *lake.Snapshot) ([]*closedMonth, error) {
	closed := snapshot.Commit().Closed
	out := make([]*closedMonth, 0, len(closed))
	for _, month := range sortedKeys(closed) {
		m := &closedMonth{month: month, closing: closed[month]}
		body, err := snapshot.Published(ctx, month)
		if err != nil {
			return nil, storage("reading the closed months", err)
		}
		var published publishedMonth
		if err := decodeClosing(body, month, &published.Format, &published); err != nil {
			return nil, err
		}
		m.published = published.Figures
		if body, err = snapshot.Restated(ctx, month); err != nil {
			return nil, storage("reading the closed months", err)
		}
		if body != nil {
			var restated restatedMonth
			if err := decodeClosing(body, month, &restated.Format, &restated); err != nil {
				return nil, err
			}
			m.history = restated.Restatements
		}
		out = append(out, m)
	}
	return out, nil
}

// figureNow is a figure as it was published and as it is.
type figureNow struct {
	models.Figure

	Restated int64
}

// figures are the month's figures with what they are now, in order. One that came into being since was published as 0.
func (m *closedMonth) figures() []figureNow {
	now := map[models.FigureName]int{}
	out := make([]figureNow, 0, len(m.published))
	for _, f := range m.published {
		now[f.FigureName] = len(out)
		out = append(out, figureNow{f, f.Amount})
	}
	for _, r := range m.history {
		at, known := now[r.FigureName]
		if !known {
			at = len(out)
			now[r.FigureName] = at
			out = append(out, figureNow{Figure: models.Figure{FigureName: r.FigureName, Unit: r.Unit}})
		}
		out[at].Restated = r.Restated
	}
	slices.SortFunc(out, func(a, b figureNow) int { return a.Compare(b.FigureName) })
	return out
}

// dataFrom says which data showed a change.
type dataFrom struct {
	commit int64
	day    civil.Date
}

// restate takes in what the figures are by now, and says whether that is news.
func (m *closedMonth) restate(now []models.Figure, from dataFrom) bool {
	amounts := map[models.FigureName]models.Figure{}
	for _, f := range now {
		amounts[f.FigureName] = f
	}
	var changed []models.Restatement
	note := func(f models.Figure, published, before, restated int64) {
		if before != restated {
			changed = append(changed, models.Restatement{
				FigureName: f.FigureName, Unit: f.Unit, Published: published, Before: before, Restated: restated, Since: from.commit, FirstSeen: from.day,
			})
		}
	}
	for _, f := range m.figures() {
		note(f.Figure, f.Amount, f.Restated, amounts[f.FigureName].Amount) // one that is gone is 0
		delete(amounts, f.FigureName)
	}
	for _, f := range amounts {
		note(f, 0, 0, f.Amount)
	}
	slices.SortFunc(changed, func(a, b models.Restatement) int { return a.Compare(b.FigureName) })
	for _, r := range changed {
		m.add(r)
	}
	return len(changed) > 0
}

// receivable is the figure that all earlier months are part of, those too whose rows went at the end of their retention period.
const receivable = "receivable"

// keeping is what the figures are by now, with one of them as it was known before.
func (m *closedMonth) keeping(now []models.Figure, figure string) []models.Figure {
	now = slices.DeleteFunc(slices.Clone(now), func(f models.Figure) bool { return f.Figure == figure })
	for _, f := range m.figures() {
		if f.FigureName.Figure == figure {
			now = append(now, models.Figure{FigureName: f.FigureName, Unit: f.Unit, Amount: f.Restated})
		}
	}
	return now
}

// add puts a change at the end. Of the same data there is one row a figure: a new version of the models may judge it anew.
func (m *closedMonth) add(r models.Restatement) {
	at := slices.IndexFunc(m.history, func(o models.Restatement) bool { return o.Since == r.Since && o.FigureName == r.FigureName })
	if at < 0 {
		m.history = append(m.history, r)
		return
	}
	r.Before = m.history[at].Before
	if r.Before == r.Restated {
		m.history = slices.Delete(m.history, at, at+1)
		return
	}
	m.history[at] = r
}

// restated is the stored form of the month's history.
func (m *closedMonth) restated() ([]byte, error) {
	return encodeClosing(restatedMonth{closingFormat, m.month, m.history})
}

// modelInputs are the closed months as the models take them.
func modelInputs(months []*closedMonth) (closed []models.ClosedFigure, restatements []models.Restatement) {
	for _, m := range months {
		for _, f := range m.figures() {
			closed = append(closed, models.ClosedFigure{
				FigureName: f.FigureName, Month: m.month, Unit: f.Unit, Published: f.Amount, Restated: f.Restated,
				AsOf: m.closing.AsOf, ClosedOn: civil.DateOf(m.closing.At.UTC()),
			})
		}
		last := map[models.FigureName]int{}
		for _, r := range m.history {
			r.Month, r.Current = m.month, true
			if before, known := last[r.FigureName]; known {
				restatements[before].Current = false
			}
			last[r.FigureName] = len(restatements)
			restatements = append(restatements, r)
		}
	}
	return closed, restatements
}

// bookedAhead is how many days after the day of a closed month's figures appointments may lie that had been booked by then, and so
// count in them. Fewer than one in many thousands lies further ahead.
const bookedAhead = 366

// compareBasis names everything that the figures of a day are computed from: the same name means the same figures. Rows that are
// dated later change nothing at that day, so a closed month is computed again only where its past was touched.
func compareBasis(head *lake.Commit, asOf civil.Date) (string, error) {
	fingerprint, err := models.Fingerprint()
	if err != nil {
		return "", err
	}
	datasets, err := models.Datasets()
	if err != nil {
		return "", fmt.Errorf("finding what the models read: %w", err)
	}
	basis := struct {
		Models, Settings  string
		AsOf, HistoryFrom civil.Date
		Objects           []string
	}{Models: fingerprint, AsOf: asOf, HistoryFrom: historyFrom(head)}
	if head.Settings != nil {
		basis.Settings = head.Settings.Path
	}
	for _, name := range datasets {
		if name == contract.LeakStates {
			continue // who works on a leak is in no figure
		}
		last := asOf
		if name == contract.Appointments {
			last = asOf.AddDays(bookedAhead)
		}
		for _, o := range head.Datasets[name].Objects {
			if o.Month == contract.Undated || o.Month == "" || o.Month <= monthOf(last) {
				basis.Objects = append(basis.Objects, o.Path)
			}
		}
	}
	body, err := json.Marshal(basis)
	if err != nil {
		return "", fmt.Errorf("naming what a closed month is computed from: %w", err)
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:]), nil
}

// monthOf is the month of a day, YYYY-MM.
func monthOf(d civil.Date) string { return d.String()[:len("2006-01")] }

// compared is a closed month after a build has looked at it.
type compared struct {
	*closedMonth

	basis string
	// news says that its history changed.
	news bool
}

// closingsToCompare are the closed months whose figures something may have changed since they were last computed.
func closingsToCompare(head *lake.Commit, months []*closedMonth) (waiting []string, err error) {
	for _, m := range months {
		if m.closing.Retired {
			continue
		}
		basis, err := compareBasis(head, m.closing.AsOf)
		if err != nil {
			return nil, err
		}
		if basis != m.closing.Compared {
			waiting = append(waiting, m.month)
		}
	}
	return waiting, nil
}

// compareClosings computes the figures of each closed month anew, as of the day that they were published for, and notes what
// is different. Months whose data did not change since are left as they are.
func (s *Site) compareClosings(ctx context.Context, head *lake.Commit, months []*closedMonth, inputs func() (models.Inputs, error)) ([]compared, error) {
	var out []compared
	computed := map[civil.Date]map[string]models.MonthFigures{}
	var from *dataFrom
	var in *models.Inputs
	retired, err := retiredBefore(head.Sources[retiredSource])
	if err != nil {
		return nil, err
	}
	_, invoicesWent := retired[contract.InvoiceLines]
	for _, m := range months {
		if m.closing.Retired {
			continue
		}
		basis, err := compareBasis(head, m.closing.AsOf)
		if err != nil {
			return nil, err
		}
		if basis == m.closing.Compared {
			continue
		}
		if from == nil {
			if from, err = s.dataOrigin(ctx, head); err != nil {
				return nil, err
			}
		}
		if computed[m.closing.AsOf] == nil {
			if in == nil {
				opened, err := inputs()
				if err != nil {
					return nil, err
				}
				in = &opened
			}
			at := *in
			at.AsOf, at.Only = m.closing.AsOf, []string{models.FiguresMart}
			result, err := models.Build(ctx, at)
			if err != nil {
				return nil, fmt.Errorf("computing the closed month %s again: %w", m.month, err)
			}
			mart, _ := result.Mart(models.FiguresMart)
			if computed[m.closing.AsOf], err = models.ReadFigures(mart.Parquet); err != nil {
				return nil, err
			}
		}
		now := computed[m.closing.AsOf][m.month].Figures
		if invoicesWent {
			now = m.keeping(now, receivable)
		}
		out = append(out, compared{m, basis, m.restate(now, *from)})
	}
	return out, nil
}

// dataOrigin is the commit that brought the data of the newest one, and its day.
func (s *Site) dataOrigin(ctx context.Context, head *lake.Commit) (*dataFrom, error) {
	number := dataCommit(head)
	made := head.CreatedAt
	if number != head.Number {
		origin, err := s.Clinic.At(ctx, number)
		if err != nil {
			return nil, storage("looking for what changed a closed month", err)
		}
		made = origin.CreatedAt
	}
	return &dataFrom{number, civil.DateOf(made.In(time.UTC))}, nil
}

// note puts what was found into the commit in the making, and says whether that is news.
func noteCompared(ctx context.Context, tx *lake.Tx, found []compared) (news bool, err error) {
	for _, c := range found {
		var body []byte
		if c.news {
			if body, err = c.restated(); err != nil {
				return false, err
			}
			news = true
		}
		if err := tx.Restate(ctx, c.month, body, c.basis); err != nil {
			return false, err
		}
	}
	return news, nil
}
