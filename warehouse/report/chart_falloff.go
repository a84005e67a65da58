package report

import (
	"html/template"
	"slices"
	"strconv"

	"gonum.org/v1/plot/vg"
)

// point is a curve on one day. Low and High bound its interval, where it has one.
type point struct {
	day         int64
	survival    float64
	low, high   float64
	hasInterval bool
	atRisk      int64
}

// survival draws the share that is still in care, with its interval and how many are still observed.
func (c *composer) survival(id, title, alt string, points []point, lastDay int64) (template.HTML, error) {
	const width, height, axis, foot, head = 234.0, 140.0, 30.0, 36.0, 8.0
	d, err := newDrawing(width, height)
	if err != nil {
		return "", err
	}
	x := func(day int64) float64 { return axis + float64(day)/float64(lastDay)*(width-axis-10) }
	y := func(share float64) float64 { return foot + share*(height-foot-head) }
	for _, share := range []float64{0, 0.25, 0.5, 0.75, 1} {
		d.line(faint, hairline, nil, at(axis, y(share)), at(width-10, y(share)))
		d.text(d.regular, subtle, axis-4, y(share)-3, right, c.form.share(share, 0))
	}
	low, high := stairs(points, x, func(p point) (float64, bool) { return y(p.low), p.hasInterval }), stairs(points, x, func(p point) (float64, bool) { return y(p.high), p.hasInterval })
	if len(low) > 1 {
		band := append([]vg.Point{}, high...)
		for _, p := range slices.Backward(low) {
			band = append(band, p)
		}
		d.area(pale, band...)
		dotted := []vg.Length{1.2, 1.6}
		d.line(subtle, hairline, dotted, low...)
		d.line(subtle, hairline, dotted, high...)
	}
	d.line(navy, 1.5, nil, stairs(points, x, func(p point) (float64, bool) { return y(p.survival), true })...)
	d.line(ink, 0.8, nil, at(axis, y(0)), at(width-10, y(0)))
	small := sized(d.regular, 7.5)
	d.text(small, subtle, 0, foot-20, left, "n")
	for _, day := range []int64{0, 90, 180, 270, 360} {
		d.line(ink, hairline, nil, at(x(day), y(0)), at(x(day), y(0)-2.5))
		d.text(d.regular, ink, x(day), foot-10.5, middle, strconv.FormatInt(day, 10))
		if n, ok := observedAt(points, day); ok {
			d.text(small, subtle, x(day), foot-20, middle, c.form.count(n))
		}
	}
	d.text(small, subtle, axis+(width-axis-10)/2, 2, middle, c.text("axis_days", nil))
	return d.svg(id, title, alt)
}

// stairs are a curve that holds its value until the next day.
func stairs(points []point, x func(int64) float64, y func(point) (float64, bool)) []vg.Point {
	var line []vg.Point
	before := 0.0
	for _, p := range points {
		v, ok := y(p)
		if !ok {
			continue
		}
		if len(line) > 0 {
			line = append(line, at(x(p.day), before))
		}
		line = append(line, at(x(p.day), v))
		before = v
	}
	return line
}

// observedAt is how many are observed on a day: those of the last day read off at or before it, if the curve goes that far.
func observedAt(points []point, day int64) (n int64, ok bool) {
	for _, p := range points {
		if p.day <= day {
			n, ok = p.atRisk, true
		}
	}
	if len(points) == 0 || points[len(points)-1].day+curveEvery < day {
		return 0, false
	}
	return n, ok
}
