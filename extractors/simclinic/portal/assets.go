package portal

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
)

//go:embed assets
var assets embed.FS

// loadAssets reads the embedded pages. The script is written in parts, one idea each, and served as one file in which
// they share a scope; their names begin with their place in the order.
func loadAssets() (pages *template.Template, script, style []byte, err error) {
	pages, err = template.ParseFS(assets, "assets/*.html")
	if err != nil {
		return nil, nil, nil, fmt.Errorf("reading the portal's embedded pages: %w", err)
	}
	parts, err := fs.Glob(assets, "assets/app/*.js")
	if err != nil || len(parts) == 0 {
		return nil, nil, nil, fmt.Errorf("the portal's script is not embedded: found %d parts: %w", len(parts), err)
	}
	var joined bytes.Buffer
	joined.WriteString("(() => {\n'use strict';\n")
	for _, part := range parts {
		text, err := assets.ReadFile(part)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("reading the portal's script %s: %w", part, err)
		}
		joined.Write(text)
		joined.WriteByte('\n')
	}
	joined.WriteString("})();\n")
	style, err = assets.ReadFile("assets/app.css")
	if err != nil {
		return nil, nil, nil, fmt.Errorf("reading the portal's style: %w", err)
	}
	return pages, joined.Bytes(), style, nil
}

func (p *Portal) showAsset(contentType string, content []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = w.Write(content)
	}
}

// boot is what the app knows before its first call.
type boot struct {
	Clinic       string       `json:"clinic"`
	SecondScreen bool         `json:"second_screen"`
	CSRF         string       `json:"csrf"`
	Username     string       `json:"username"`
	Reports      []bootReport `json:"reports"`
}

type bootReport struct {
	Slug  string `json:"slug"`
	Title string `json:"title"`
	AsOf  bool   `json:"as_of,omitempty"`
}

func (p *Portal) bootFor(s session, account Account) boot {
	known := boot{
		Clinic: p.results.current().Name(), SecondScreen: p.options.PasswordOnSecondScreen,
		CSRF: s.csrf, Username: s.username, Reports: []bootReport{},
	}
	if s.username == "" {
		return known
	}
	for _, screen := range reportScreens {
		if account.may(screen.needs) {
			known.Reports = append(known.Reports, bootReport{screen.slug, screen.title, screen.asOf})
		}
	}
	return known
}

func (p *Portal) showApp(w http.ResponseWriter, r *http.Request) {
	s, ok := p.touch(r)
	account, known := p.directory.account(s.username)
	if ok && s.username != "" && (!known || account.Inactive) {
		p.sessions.end(s.id)
		ok = false
	}
	if !ok {
		s, account = p.openSession(w, ""), Account{}
	}
	p.page(w, http.StatusOK, "admin.html", p.bootFor(s, account))
}
