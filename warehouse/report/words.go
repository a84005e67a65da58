package report

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"golang.org/x/text/feature/plural"
)

//go:embed words.yaml
var wordsText []byte

// words are all sentences of reports, in both languages. Texts of answers (titles of categories, steps, states) are English; Terms has
// them in French by their English.
type words struct {
	Sentences map[string]map[Language]phrase `yaml:"sentences"`
	Terms     map[string]string              `yaml:"terms"`
	// Figures are titles and definitions of the metric dictionary's figures in French; their English is the dictionary's.
	Figures map[string]struct {
		Title      string `yaml:"title"`
		Definition string `yaml:"definition"`
	} `yaml:"figures"`
	// Categories say of the ledger's categories what is in them.
	Categories map[string]map[Language]string `yaml:"categories"`
	// Datasets are what people call the datasets.
	Datasets map[string]map[Language]string `yaml:"datasets"`
}

// phrase is a sentence, or one for each plural form that the language has of {n}.
type phrase struct{ One, Other string }

// UnmarshalYAML takes a text, or texts for one and other.
func (p *phrase) UnmarshalYAML(body []byte) error {
	var forms struct{ One, Other string }
	if err := yaml.Unmarshal(body, &forms); err == nil {
		p.One, p.Other = forms.One, forms.Other
		return nil
	}
	return yaml.Unmarshal(body, &p.Other)
}

func readWords() (*words, error) {
	w := &words{}
	if err := yaml.Unmarshal(wordsText, w); err != nil {
		return nil, fmt.Errorf("reading the words of reports: %w", err)
	}
	return w, nil
}

// with are the values of a sentence's {names}, by name.
type with map[string]string

// text is a sentence with its values. A sentence that is not there is an error of the program, which a test finds.
func (c *composer) text(key string, values with) string { return c.plural(key, 0, values) }

// plural is a sentence about n things.
func (c *composer) plural(key string, n int64, values with) string {
	p, ok := c.words.Sentences[key][c.form.language]
	if !ok {
		panic("report: no words for " + key)
	}
	text := p.Other
	if p.One != "" && plural.Cardinal.MatchPlural(c.form.tag, int(n), 0, 0, 0, 0) == plural.One {
		text = p.One
	}
	var holes []string
	for name, value := range values {
		holes = append(holes, "{"+name+"}", value)
	}
	holes = append(holes, "{n}", c.form.count(n)) // unless the values have it
	return c.spaced(strings.NewReplacer(holes...).Replace(text))
}

// spaced puts the spaces that French has inside guillemets and before : ; ! ? %, so that no line breaks there (they are written as plain
// spaces in the words), and leaves the e of de out before a month that begins with a vowel.
func (c *composer) spaced(text string) string {
	if c.form.language != French {
		return text
	}
	return strings.NewReplacer(" :", hardSpace+":", " ;", hardSpace+";", " !", hardSpace+"!", " ?", hardSpace+"?", " %", hardSpace+"%",
		"« ", "«"+hardSpace, " »", hardSpace+"»", " de avril", " d’avril", " de août", " d’août", " de octobre", " d’octobre").Replace(text)
}

// term is a text of an answer in the reader's language.
func (c *composer) term(text string) string {
	if c.form.language == French {
		if french, ok := c.words.Terms[text]; ok {
			return c.spaced(french)
		}
	}
	return text
}
