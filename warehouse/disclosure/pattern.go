package disclosure

import (
	"encoding/json"
	"fmt"
	"slices"

	"cloud.google.com/go/civil"
)

// Pattern is what the next snapshot has to know of this one: every cell and whether it was shown. It holds numbers that
// were suppressed, so it belongs where the marts are, and nowhere else.
type Pattern struct {
	Threshold int64                  `json:"threshold"`
	Groups    map[string]*Remembered `json:"groups"`
}

// Remembered is one group as it was released last.
type Remembered struct {
	// AsOf is the day of the snapshot that it is from: an earlier one than the pattern's where the group was held back.
	AsOf     civil.Date        `json:"as_of"`
	Measures []string          `json:"measures"`
	Cells    map[string][]kept `json:"cells"`
}

// kept is a remembered cell.
type kept struct {
	Cell

	Label Label `json:"l"`
	State state `json:"s,omitempty"`
	Base  int64 `json:"b,omitempty"`
}

func (r *Remembered) byLabel() map[string]map[Label]kept {
	out := map[string]map[Label]kept{}
	if r == nil {
		return out
	}
	for table, cells := range r.Cells {
		out[table] = make(map[Label]kept, len(cells))
		for _, c := range cells {
			out[table][c.Label] = c
		}
	}
	return out
}

// remember is what the next snapshot has to know of the plan.
func (p *groupPlan) remember(asOf civil.Date) *Remembered {
	r := &Remembered{AsOf: asOf, Measures: p.group.measureNames(), Cells: map[string][]kept{}}
	for _, table := range p.group.Tables {
		r.Cells[table.Name] = []kept{}
		for _, s := range p.tables[table.Name].slots {
			if s.now.isZero() && s.state == shown {
				continue
			}
			k := kept{Cell: s.now, Label: s.label, State: s.state}
			switch {
			case s.state == shown:
			case s.sensitive(p.threshold):
				k.Base = s.now.Patients
			default:
				k.Base = s.base
			}
			r.Cells[table.Name] = append(r.Cells[table.Name], k)
		}
	}
	return r
}

// Released are the tables that were released with the pattern; a group that is remembered in another shape than it has now is
// left out.
func (p *Pattern) Released(snapshot civil.Date) *Released {
	out := &Released{AsOf: snapshot}
	for _, g := range Groups() {
		if r := p.group(g); r != nil && slices.Equal(r.Measures, g.measureNames()) {
			out.tables = append(out.tables, r.tables(g)...)
		}
	}
	return out
}

// ParsePattern reads what Pattern.JSON wrote.
func ParsePattern(text []byte) (*Pattern, error) {
	var p Pattern
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, fmt.Errorf("reading the suppression pattern of the snapshot before: %w", err)
	}
	return &p, nil
}

// JSON is the pattern as it is kept.
func (p *Pattern) JSON() ([]byte, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("writing the suppression pattern: %w", err)
	}
	return text, nil
}
