package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html"
	"html/template"
	"image/color"
	"math"
	"strings"
	"sync"

	"golang.org/x/image/font/opentype"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgsvg"
)

var (
	//go:embed fonts/report-sans-400.ttf
	sansRegular []byte
	//go:embed fonts/report-sans-600.ttf
	sansBold []byte
	//go:embed fonts/report-serif-400.ttf
	serifRegular []byte
	//go:embed fonts/report-serif-600.ttf
	serifBold []byte
)

// Inks. Each differs from the others in how dark it is, and what is filled differs in its pattern besides.
var (
	ink    = color.Gray{0x1f}
	navy   = color.NRGBA{0x1f, 0x3a, 0x5f, 0xff}
	rust   = color.NRGBA{0xa3, 0x45, 0x1c, 0xff}
	grey   = color.Gray{0xc9}
	pale   = color.Gray{0xe6}
	faint  = color.Gray{0xd8}
	subtle = color.Gray{0x59}
)

// pattern is how an area is filled.
type pattern int

const (
	solid   pattern = iota // navy
	hatched                // rust, slanted lines
	plain                  // light grey
)

const (
	chartWidth = 482.0 // points: what a page of A4 or Letter has between its margins
	textSize   = 8.5
	hairline   = 0.5
)

// faces are the fonts of charts, read once: they are part of the program.
var faces = sync.OnceValues(func() (*[2]font.Face, error) {
	var both [2]font.Face
	for i, body := range [][]byte{sansRegular, sansBold} {
		parsed, err := opentype.Parse(body)
		if err != nil {
			return nil, fmt.Errorf("reading the font of charts: %w", err)
		}
		both[i] = font.Face{Font: font.Font{Typeface: "Report Sans", Variant: "Sans", Size: font.Length(textSize)}, Face: parsed}
	}
	return &both, nil
})

// drawing is a chart that is being drawn, in points, the origin at the bottom left.
type drawing struct {
	canvas        *vgsvg.Canvas
	width, height float64
	regular, bold font.Face
}

func newDrawing(width, height float64) (*drawing, error) {
	both, err := faces()
	if err != nil {
		return nil, err
	}
	return &drawing{
		canvas: vgsvg.New(vg.Length(width), vg.Length(height)), width: width, height: height, regular: both[0], bold: both[1],
	}, nil
}

func at(x, y float64) vg.Point { return vg.Point{X: vg.Length(x), Y: vg.Length(y)} }

// line draws a line of so many points; dashes are its pattern, none for a whole one.
func (d *drawing) line(c color.Color, width float64, dashes []vg.Length, points ...vg.Point) {
	if len(points) < 2 {
		return
	}
	d.canvas.SetColor(c)
	d.canvas.SetLineWidth(vg.Length(width))
	d.canvas.SetLineDash(dashes, 0)
	d.canvas.Stroke(pathOf(points))
}

func (d *drawing) area(c color.Color, points ...vg.Point) {
	d.canvas.SetColor(c)
	path := pathOf(points)
	path.Close()
	d.canvas.Fill(path)
}

func pathOf(points []vg.Point) vg.Path {
	var path vg.Path
	for i, p := range points {
		if i == 0 {
			path.Move(p)
			continue
		}
		path.Line(p)
	}
	return path
}

// bar fills a rectangle by a pattern and draws its outline.
func (d *drawing) bar(p pattern, x0, y0, x1, y1 float64) {
	x0, x1, y0, y1 = min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
	corners := []vg.Point{at(x0, y0), at(x1, y0), at(x1, y1), at(x0, y1), at(x0, y0)}
	switch p {
	case solid:
		d.area(navy, corners...)
		d.line(navy, hairline, nil, corners...)
	case hatched:
		d.area(color.White, corners...)
		const apart = 3.2
		for start := x0 - (y1 - y0); start < x1; start += apart {
			from, to := max(start, x0), min(start+(y1-y0), x1)
			if from < to {
				d.line(rust, 0.9, nil, at(from, y0+from-start), at(to, y0+to-start))
			}
		}
		d.line(rust, 0.8, nil, corners...)
	case plain:
		d.area(grey, corners...)
		d.line(subtle, hairline, nil, corners...)
	}
}

// align is where a text has the point that it is put at.
type align float64

const (
	left   align = 0
	middle align = 0.5
	right  align = 1
)

// text writes on the base line y.
func (d *drawing) text(face font.Face, c color.Color, x, y float64, to align, text string) {
	d.canvas.SetColor(c)
	d.canvas.FillString(face, at(x-float64(to)*d.widthOf(face, text), y), text)
}

func (d *drawing) widthOf(face font.Face, text string) float64 { return float64(face.Width(text)) }

// sized is a face in another size.
func sized(f font.Face, size float64) font.Face {
	f.Font.Size = font.Length(size)
	return f
}

// key explains patterns, from x on.
func (d *drawing) key(x, y float64, names []string, patterns []pattern) {
	for i, name := range names {
		d.bar(patterns[i], x, y-1, x+14, y+6.5)
		d.text(d.regular, ink, x+18, y, left, name)
		x += 18 + d.widthOf(d.regular, name) + 16
	}
}

// svg is the drawing as an element of a page, with what it shows in words for whoever does not see it.
func (d *drawing) svg(id, title, alt string) (template.HTML, error) {
	var body bytes.Buffer
	if _, err := d.canvas.WriteTo(&body); err != nil {
		return "", fmt.Errorf("drawing %s: %w", id, err)
	}
	_, inside, ok := strings.Cut(body.String(), "<svg")
	if ok {
		_, inside, ok = strings.Cut(inside, ">")
	}
	if !ok {
		return "", fmt.Errorf("drawing %s: the library wrote no SVG", id)
	}
	// The words of a chart are in its alternative: read out label by label they would say nothing.
	text := fmt.Sprintf(`<svg viewBox="0 0 %.0f %.0f" role="img" aria-labelledby="%s-t %s-d"><title id="%s-t">%s</title><desc id="%s-d">%s</desc>%s`,
		d.width, d.height, id, id, id, html.EscapeString(title), id, html.EscapeString(alt), inside)
	return template.HTML(text), nil //nolint:gosec // what is in it was escaped, here and by the library
}

// ticks are round values from 0 to at least most, at most so many steps apart.
func ticks(most float64, steps int) []float64 {
	if most <= 0 {
		return []float64{0, 1}
	}
	raw := most / float64(steps)
	magnitude := math.Pow(10, math.Floor(math.Log10(raw)))
	step := magnitude * 10
	for _, nice := range []float64{1, 2, 2.5, 5} {
		if nice*magnitude >= raw {
			step = nice * magnitude
			break
		}
	}
	var all []float64
	for i := 0; ; i++ {
		v := float64(i) * step
		all = append(all, v)
		if v >= most {
			return all
		}
	}
}
