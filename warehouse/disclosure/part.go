package disclosure

import "cloud.google.com/go/civil"

// Part is a group whose cells are each a part of one cell of another group's table, and add up to nothing: of a cohort
// of patients those who were seen in a later month. Nothing but the whole is known of a suppressed part, which can be
// none of it or all. So a part is shown where the whole is, and where neither those who are in the part nor those of
// the whole who are not are too few.
type Part struct {
	// Group and Table name the whole, by the first value of a part's label.
	Group, Table string
}

// releaseParts decides a group of parts. Its measures are the size of the whole, the size of the part, and the patients
// of the part. whole is what is remembered of the group that has the wholes, as it is released now.
func releaseParts(group Group, exact Exact, whole, before *Remembered, asOf civil.Date, threshold int64) *Remembered {
	if before != nil && whole != nil && whole.AsOf != asOf {
		return before // the wholes are held back
	}
	var known map[Label]kept
	wholes := map[string]kept{}
	if whole != nil {
		for label, c := range whole.byLabel()[group.Part.Table] {
			wholes[label[0]] = c
		}
	}
	table := group.Tables[0].Name
	known = before.byLabel()[table]
	r := &Remembered{AsOf: asOf, Measures: group.measureNames(), Cells: map[string][]kept{table: {}}}
	for _, label := range sortedLabels(exact.Cells[table]) {
		c := exact.Cells[table][label]
		k := kept{Cell: c, Label: label}
		in, out := c.Measures[2], c.Patients-c.Measures[2]
		few := in > 0 && in < threshold || out > 0 && out < threshold
		was, remembered := known[label]
		of, isThere := wholes[label[0]]
		switch {
		case !isThere || of.State != shown:
			k.State = withheld
		case few:
			k.State, k.Base = withheld, in
		case remembered && was.State != shown && (was.equal(c) || was.Base > 0 && in > 0 && max(in-was.Base, was.Base-in) < threshold):
			k.State, k.Base = withheld, was.Base
		}
		r.Cells[table] = append(r.Cells[table], k)
	}
	return r
}
