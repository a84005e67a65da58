package report

import (
	"html/template"
)

// step is one bar of the waterfall.
type step struct {
	name         string
	pattern      pattern
	amount, base int64
}

// waterfall draws the way from expected to collected, a bar a row.
func (c *composer) waterfall(id, title, alt string, steps []step) (template.HTML, error) {
	const rowHeight, barHeight, labels, amounts = 12.8, 8.2, 158.0, 60.0
	d, err := newDrawing(chartWidth, rowHeight*float64(len(steps))+16)
	if err != nil {
		return "", err
	}
	most := int64(1)
	for _, s := range steps {
		most = max(most, s.base+abs(s.amount))
	}
	x := func(cents int64) float64 { return labels + float64(cents)/float64(most)*(chartWidth-labels-amounts) }
	d.line(subtle, hairline, nil, at(x(0), 14), at(x(0), d.height))
	end := -1.0
	for i, s := range steps {
		top := d.height - rowHeight*float64(i)
		y := top - rowHeight/2
		face := d.regular
		if s.pattern == solid {
			face = d.bold
		}
		d.text(face, ink, labels-8, y-3, right, s.name)
		if end >= 0 {
			d.line(subtle, hairline, nil, at(end, top+rowHeight/2-barHeight/2), at(end, y+barHeight/2))
		}
		d.bar(s.pattern, x(s.base), y-barHeight/2, x(s.base+abs(s.amount)), y+barHeight/2)
		d.text(face, ink, chartWidth, y-3, right, c.form.wholeMoney(s.amount))
		end = x(s.base)
		if i == 0 {
			end = x(s.base + s.amount)
		}
	}
	d.key(labels, 2, []string{c.text("key_kept", nil), c.text("key_leaked", nil), c.text("key_other", nil)}, []pattern{solid, hatched, plain})
	return d.svg(id, title, alt)
}

// stack is one column of bars: parts upon one another, or beside one another.
type stack struct {
	name, below string
	parts       []int64
}

// columns draws columns of money, their parts stacked or beside one another.
func (c *composer) columns(id, title, alt string, stacks []stack, names []string, patterns []pattern, beside bool) (template.HTML, error) {
	const axis, foot, head = 52.0, 26.0, 24.0
	d, err := newDrawing(chartWidth, 170)
	if err != nil {
		return "", err
	}
	most := int64(0)
	for _, s := range stacks {
		total := int64(0)
		for _, part := range s.parts {
			if total += part; beside {
				total = part
			}
			most = max(most, total)
		}
	}
	grid := ticks(float64(most), 4)
	top := grid[len(grid)-1]
	y := func(cents int64) float64 { return foot + float64(cents)/top*(d.height-foot-head) }
	for _, v := range grid {
		d.line(faint, hairline, nil, at(axis, y(int64(v))), at(chartWidth, y(int64(v))))
		d.text(d.regular, subtle, axis-5, y(int64(v))-3, right, c.form.wholeMoney(int64(v)))
	}
	slot := (chartWidth - axis) / float64(len(stacks))
	small := sized(d.regular, 7.5)
	for i, s := range stacks {
		from := axis + slot*float64(i) + slot*0.16
		width := slot * 0.68
		if beside {
			width /= float64(len(s.parts))
		}
		base := int64(0)
		for n, part := range s.parts {
			x0 := from
			if beside {
				x0, base = from+width*float64(n), 0
			}
			if part > 0 {
				d.bar(patterns[n], x0, y(base), x0+width, y(base+part))
			}
			base += part
			if beside && part > 0 {
				d.text(small, ink, x0+width/2, y(part)+2.5, middle, c.form.wholeMoney(part))
			}
		}
		if !beside && base > 0 {
			d.text(small, ink, from+width/2, y(base)+2.5, middle, c.form.wholeMoney(base))
		}
		d.text(d.regular, ink, from+slot*0.34, foot-10, middle, s.name)
		d.text(small, subtle, from+slot*0.34, foot-20, middle, s.below)
	}
	d.line(ink, 0.8, nil, at(axis, y(0)), at(chartWidth, y(0)))
	if len(names) > 1 {
		d.key(axis, d.height-8, names, patterns)
	}
	return d.svg(id, title, alt)
}

// shares draws a column a number, each a share of one.
func (c *composer) shares(id, title, alt string, values []float64, names, below []string, axisTitle string) (template.HTML, error) {
	const axis, foot = 40.0, 36.0
	d, err := newDrawing(chartWidth, 150)
	if err != nil {
		return "", err
	}
	most := 0.0
	for _, v := range values {
		most = max(most, v)
	}
	grid := ticks(most, 4)
	top := grid[len(grid)-1]
	y := func(v float64) float64 { return foot + v/top*(d.height-foot-12) }
	for _, v := range grid {
		d.line(faint, hairline, nil, at(axis, y(v)), at(chartWidth, y(v)))
		d.text(d.regular, subtle, axis-5, y(v)-3, right, c.form.share(v, 0))
	}
	slot := (chartWidth - axis) / float64(len(values))
	small := sized(d.regular, 7.5)
	for i, v := range values {
		mid := axis + slot*(float64(i)+0.5)
		d.bar(solid, mid-slot*0.3, y(0), mid+slot*0.3, y(v))
		d.text(small, ink, mid, y(v)+2.5, middle, c.form.share(v, 0))
		d.text(d.regular, ink, mid, foot-10, middle, names[i])
		d.text(small, subtle, mid, foot-20, middle, below[i])
	}
	d.line(ink, 0.8, nil, at(axis, y(0)), at(chartWidth, y(0)))
	d.text(small, subtle, axis+(chartWidth-axis)/2, 2, middle, axisTitle)
	return d.svg(id, title, alt)
}

func abs(n int64) int64 { return max(n, -n) }
