package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/falloff-analytics/falloff/extractors/jane"
	"github.com/falloff-analytics/falloff/pipeline"
)

// politeness is the section of falloff.yaml that says how a run spares the portal. docs/running.md has the reasons.
type politeness struct {
	Pause        string `yaml:"pause"`
	QuietHours   string `yaml:"quiet_hours"`
	RequestsADay *int   `yaml:"requests_a_day"`
	UserAgent    string `yaml:"user_agent"`
}

// manners are what is kept to.
type manners struct {
	jane.Politeness
	budget    int
	userAgent string
}

// parse reads the section. Its errors name the key.
func (p politeness) parse() (manners, error) {
	m := manners{budget: pipeline.DefaultBudget, userAgent: p.UserAgent}
	var err error
	if p.Pause != "" {
		if m.MinPause, m.MaxPause, err = jane.ParsePause(p.Pause); err != nil {
			return m, err
		}
	}
	if p.QuietHours != "" {
		if m.QuietFrom, m.QuietTo, err = jane.ParseQuietHours(p.QuietHours); err != nil {
			return m, err
		}
	}
	if p.RequestsADay != nil {
		m.budget = *p.RequestsADay
	}
	if m.budget == 0 || m.budget < -1 {
		return m, fmt.Errorf("requests a day %d: give a number above 0, or -1 for any number", m.budget)
	}
	return m, checkUserAgent(p.UserAgent)
}

// chosen has the quiet hours that the clinic chose hold, where it chose some, in the place of this machine's.
func (m manners) chosen(ctx context.Context, site *pipeline.Site) (manners, error) {
	chosen, err := site.Choices(ctx)
	if err != nil || chosen.QuietHours == "" {
		return m, err
	}
	m.QuietFrom, m.QuietTo, err = jane.ParseQuietHours(chosen.QuietHours)
	return m, err
}

// longestUserAgent is more than browsers send.
const longestUserAgent = 300

// checkUserAgent holds a name to what it is for: whoever runs the portal sees by it who is reading.
func checkUserAgent(name string) error {
	printable := !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' })
	switch {
	case name == "":
		return nil
	case !printable || len(name) > longestUserAgent:
		return fmt.Errorf("user_agent must be plain ASCII of %d characters at most", longestUserAgent)
	case !strings.Contains(strings.ToLower(name), "falloff"):
		return errors.New("user_agent must hold the name falloff: whoever runs the portal may see who is reading")
	}
	return nil
}

// over gives the section with what flags say in place of its own.
func (p politeness) over(pause, quietHours string, budget *int) (manners, error) {
	p.Pause, p.QuietHours = firstOf(pause, p.Pause), firstOf(quietHours, p.QuietHours)
	if budget != nil {
		p.RequestsADay = budget
	}
	m, err := p.parse()
	if err != nil {
		return m, usagef("%v", err)
	}
	return m, nil
}
