package report

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"
)

var (
	//go:embed page.html
	pageText string
	//go:embed page.css
	styleText string
)

// render writes the document as a page that needs nothing from anywhere.
func (d *document) render(w io.Writer, paper Paper) error {
	page := template.New("page")
	page.Funcs(template.FuncMap{
		"class": func(s section) string {
			if s.Small {
				return "small"
			}
			return ""
		},
		"tableClass": tableClass,
		"cellClass": func(columns []column, at int, c cell) string {
			var names []string
			if columns[at].Figures {
				names = append(names, "n")
			}
			if c.Shade > 0 {
				names = append(names, "s"+strconv.Itoa(c.Shade))
			}
			return strings.Join(names, " ")
		},
		"set": func(block any) (template.HTML, error) {
			name, err := templateOf(block)
			if err != nil {
				return "", err
			}
			var out bytes.Buffer
			err = page.ExecuteTemplate(&out, name, block)
			return template.HTML(out.String()), err //nolint:gosec // the templates escape what they are given
		},
	})
	if _, err := page.Parse(pageText); err != nil {
		return fmt.Errorf("reading the page of reports: %w", err)
	}
	style := template.CSS(fontFaces() + "@page { size: " + string(paper) + "; }\n" + styleText) //nolint:gosec // the program's own
	if err := page.Execute(w, map[string]any{"Doc": d, "Style": style}); err != nil {
		return fmt.Errorf("setting the report: %w", err)
	}
	return nil
}

// tableClass says how a table is set: many narrow columns, or few, and whether it is short enough to stay on one page.
func tableClass(t *table) string {
	var names []string
	switch {
	case t.Wide:
		names = append(names, "wide")
	case len(t.Columns) <= 4:
		names = append(names, "slim")
	}
	if len(t.Rows) <= 16 {
		names = append(names, "keep")
	}
	return strings.Join(names, " ")
}

// templateOf names the template of a block.
func templateOf(block any) (string, error) {
	switch block.(type) {
	case paragraph:
		return "paragraph", nil
	case list:
		return "list", nil
	case *table:
		return "table", nil
	case *figure:
		return "figure", nil
	case panels:
		return "panels", nil
	case definitions:
		return "definitions", nil
	default:
		return "", fmt.Errorf("a report has no %T", block)
	}
}

// fontFaces has the fonts in the page itself.
func fontFaces() string {
	var out strings.Builder
	for _, f := range []struct {
		family string
		weight int
		body   []byte
	}{{"Report Serif", 400, serifRegular}, {"Report Serif", 600, serifBold}, {"Report Sans", 400, sansRegular}, {"Report Sans", 600, sansBold}} {
		out.WriteString(fontFace(f.family, f.weight, f.body))
	}
	return out.String()
}

func fontFace(family string, weight int, body []byte) string {
	return fmt.Sprintf("@font-face { font-family: %q; font-weight: %d; src: url(data:font/ttf;base64,%s) format(\"truetype\"); }\n",
		family, weight, base64.StdEncoding.EncodeToString(body))
}

// footer is what Chromium prints at the foot of each page.
func (d *document) footer() string {
	return `<style>` + fontFace("Report Sans", 400, sansRegular) + `</style>` +
		`<div style="width:100%;margin:0 18mm;font:7.5pt 'Report Sans',Arial,sans-serif;color:#595959;display:flex;justify-content:space-between"><span>` +
		template.HTMLEscapeString(d.Footer) + `</span><span><span class="pageNumber"></span> / <span class="totalPages"></span></span></div>`
}
