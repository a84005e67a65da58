package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/models"
)

// BuildPlan says what a build would do.
type BuildPlan struct {
	// Input is the number of the commit that brought the data, AsOf the day D.
	Input int64      `json:"input"`
	AsOf  civil.Date `json:"as_of"`
	// Marts are in the order of their names.
	Marts []PlannedMart `json:"marts"`
	// Dropped are live marts that no model makes any more.
	Dropped []string `json:"dropped,omitempty"`
}

// PlannedMart is what a build would do about one mart.
type PlannedMart struct {
	Name string `json:"name"`
	// Make says that it would be made, and Behind that it would be but was not selected. Why says what differs from what the
	// live one was made of; nothing where the live one is as a build would make it.
	Make   bool     `json:"make"`
	Behind bool     `json:"behind,omitempty"`
	Why    []string `json:"why,omitempty"`

	made models.Made
}

// PlanBuild says what Build would do, and does nothing.
func (s *Site) PlanBuild(ctx context.Context, o BuildOptions) (*BuildPlan, error) {
	head, err := s.Clinic.Head(ctx)
	if err != nil {
		return nil, storage("looking for what to build from", err)
	}
	b, err := s.beginBuild(ctx, head, o)
	if err != nil {
		return nil, err
	}
	plan, err := b.plan(ctx)
	if err != nil {
		return nil, err
	}
	return plan, b.expectClosings(plan)
}

// expectClosings adds to a plan what the figures of closed months may bring, which only a build finds out.
func (b *building) expectClosings(plan *BuildPlan) error {
	waiting, err := closingsToCompare(b.head, b.months)
	if err != nil || len(waiting) == 0 {
		return err
	}
	for i := range plan.Marts {
		m := &plan.Marts[i]
		reads := slices.ContainsFunc(sortedKeys(m.made.Parts), func(part string) bool { return strings.HasPrefix(part, "closed.") })
		if !reads || m.Make || m.Behind {
			continue
		}
		m.Why = []string{fmt.Sprintf("if a figure of a closed month is another one now: %s", strings.Join(waiting, ", "))}
	}
	return nil
}

func (p *BuildPlan) toMake() []string {
	names := []string{}
	for _, m := range p.Marts {
		if m.Make {
			names = append(names, m.Name)
		}
	}
	return names
}

func (p *BuildPlan) behind() []string {
	var names []string
	for _, m := range p.Marts {
		if m.Behind {
			names = append(names, m.Name)
		}
	}
	return names
}

func (p *BuildPlan) has(name string) bool {
	return slices.ContainsFunc(p.Marts, func(m PlannedMart) bool { return m.Name == name })
}

// plan compares what each mart would be made of with what the live one was made of.
func (b *building) plan(ctx context.Context) (*BuildPlan, error) {
	var err error
	if b.made, err = models.WhatMakes(b.in); err != nil {
		return nil, fmt.Errorf("reading the models: %w", err)
	}
	selected, err := models.Select(b.options.Select)
	if err != nil {
		return nil, refused("choosing what to build", err)
	}
	out := &BuildPlan{Input: b.input, AsOf: b.in.AsOf}
	before := map[int64]*lake.Commit{}
	for _, name := range sortedKeys(b.made) {
		m := PlannedMart{Name: name, made: b.made[name]}
		live, isLive := b.head.Marts[name]
		if m.Why, err = b.why(ctx, live, isLive, m.made, before); err != nil {
			return nil, err
		}
		wanted := slices.Contains(selected, name)
		if b.options.Full && wanted && len(m.Why) == 0 {
			m.Why = []string{"asked for, though nothing it is made of has changed"}
		}
		m.Make, m.Behind = wanted && len(m.Why) > 0, !wanted && len(m.Why) > 0
		out.Marts = append(out.Marts, m)
	}
	for _, name := range sortedKeys(b.head.Marts) {
		if !out.has(name) {
			out.Dropped = append(out.Dropped, name)
		}
	}
	return out, nil
}

// why says what makes a mart differ from the live one.
func (b *building) why(ctx context.Context, live lake.Mart, isLive bool, made models.Made, before map[int64]*lake.Commit) ([]string, error) {
	switch {
	case !isLive:
		return []string{"it was never built"}, nil
	case live.Made == made.Hash:
		return nil, nil
	case len(live.Of) == 0:
		return []string{"it does not say what it was made of"}, nil
	}
	var why []string
	for _, part := range sortedKeys(made.Parts) {
		was, known := live.Of[part]
		if known && was == made.Parts[part] {
			continue
		}
		dataset, isDataset := strings.CutPrefix(part, "lake.")
		switch {
		case part == models.PartModels:
			why = append(why, "the SQL of a model on the way, a check, or the program is another one")
		case part == models.PartAsOf:
			why = append(why, fmt.Sprintf("the day is %s, it was %s", made.Parts[part], cmp.Or(was, "none")))
		case part == models.PartHistoryFrom:
			why = append(why, fmt.Sprintf("history begins on %s, it was %s", made.Parts[part], cmp.Or(was, "unknown")))
		case !isDataset:
			why = append(why, part+" changed")
		default:
			what, err := b.changed(ctx, dataset, live.Input, before)
			if err != nil {
				return nil, err
			}
			why = append(why, part+what)
		}
	}
	if len(why) == 0 {
		why = []string{"it reads less than it did"}
	}
	return why, nil
}

// shownMonths is how many months a reason names.
const shownMonths = 4

// changed says which months of a dataset are other ones than in an earlier commit, where that one is still there.
func (b *building) changed(ctx context.Context, dataset string, since int64, before map[int64]*lake.Commit) (string, error) {
	earlier, looked := before[since]
	if !looked {
		var err error
		earlier, err = b.site.Clinic.At(ctx, since)
		if err != nil && !errors.Is(err, lake.ErrNoCommit) {
			return "", storage("looking for what the marts were made from", err)
		}
		before[since] = earlier
	}
	if earlier == nil {
		return " changed", nil
	}
	objects := func(c *lake.Commit) map[string]string {
		out := map[string]string{}
		for _, o := range c.Datasets[dataset].Objects {
			out[o.Month] = o.Path
		}
		return out
	}
	was, is := objects(earlier), objects(b.head)
	months := map[string]bool{}
	for month, path := range is {
		if was[month] != path {
			months[month] = true
		}
	}
	for month := range was {
		if _, still := is[month]; !still {
			months[month] = true
		}
	}
	names := sortedKeys(months)
	switch {
	case len(names) == 0:
		return " changed", nil
	case len(names) == 1 && names[0] == "":
		return " changed", nil
	case len(names) > shownMonths:
		return fmt.Sprintf(": %d of %d months changed, the first %s, the last %s", len(names), len(is), names[0], names[len(names)-1]), nil
	}
	return fmt.Sprintf(": %d of %d months changed (%s)", len(names), len(is), strings.Join(names, ", ")), nil
}
