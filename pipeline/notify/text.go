package notify

import (
	"fmt"
	"html/template"
	"math"
	"strings"
	"unicode/utf8"
)

// Text is an event in words.
type Text struct {
	Subject string
	// Lines are sentences; Rows a table below them: a name, a count, an amount. Links are addresses of the settings.
	Lines []string
	Rows  [][3]string
	Link  string
	// Foot says who writes, and why.
	Foot string
}

// words are what messages are made of, by language.
type words struct {
	subjects                                                                          map[Kind]string
	leaks, leaksFew, asOf, falloff, falloffFew, falloffWhat, stale, staleWhat, person string
	state, cause, todo, test, report, link, foot, total                               string
	categories                                                                        map[string]string
	money                                                                             func(cents int64, currency string) string
}

var languages = map[string]words{"en": english, "fr": french}

var english = words{
	subjects: map[Kind]string{
		NewLeaks: "New leaks at %s", Falloff: "Falloff above its usual range at %s", StaleData: "Data of %s is out of date",
		NeedsPerson: "Extraction of %s needs a person", Test: "Test message for %s", Report: "Report of %s",
	},
	leaks: "%d new leaks were found since the last message, %s in all.", leaksFew: "New leaks were found since the last message, more than %s in all. They are of fewer than 11 patients, so that no more is said here.",
	asOf:        "The figures are as of %s.",
	falloff:     "From %s to %s there were %d lapses: patients who reached their limit of days without a visit or a booking. Usual would have been %s.",
	falloffFew:  "From %s to %s there were more lapses than usual: patients who reached their limit of days without a visit or a booking. They are too few for a number to be said here.",
	falloffWhat: "Usual is what the 52 weeks before expect of the same visits. What changed, changed some weeks earlier: a lapse is counted once its days are over.",
	stale:       "The newest data is of %s. Nothing newer has come for longer than it should.", staleWhat: "falloff status says what extraction waits for.",
	person: "Extraction does not go on by itself.", state: "State: %s.", cause: "Cause: %s.", todo: "falloff status says what to do; the documentation, under \"When a run stops\", what the cause means.",
	test: "This is what messages look like. Nothing has happened.", report: "The report of %s is attached.",
	link: "Dashboards", foot: "falloff sends this because falloff.yaml names you. It holds nothing about a single patient.", total: "In all",
	categories: map[string]string{
		"visit_not_closed": "Visits not closed", "arrived_no_charge": "Visits without a charge", "no_show_fee": "No-show fees", "late_cancel_fee": "Late cancellation fees",
		"after_policy_end": "After the policy's end", "over_policy_maximum": "Over the policy's maximum", "claim_never_sent": "Claims never sent", "claim_rejected": "Claims rejected",
		"claim_underpaid": "Claims underpaid", "insurer_balance_aged": "Insurers' old balances", "copay_missed": "Patients' shares missed", "patient_balance_aged": "Patients' old balances",
		"write_off": "Written off", otherCategories: "All others",
	},
	money: func(cents int64, currency string) string { return grouped(cents, ",", ".") + " " + currency },
}

var french = words{
	subjects: map[Kind]string{
		NewLeaks: "Nouvelles pertes à %s", Falloff: "Abandons au-dessus de l'habitude à %s", StaleData: "Les données de %s ne sont plus à jour",
		NeedsPerson: "L'extraction de %s attend quelqu'un", Test: "Message d'essai pour %s", Report: "Rapport de %s",
	},
	leaks: "%d nouvelles pertes ont été trouvées depuis le dernier message, %s en tout.", leaksFew: "De nouvelles pertes ont été trouvées depuis le dernier message, plus de %s en tout. Elles concernent moins de 11 patients : rien de plus n'est dit ici.",
	asOf:        "Les chiffres sont au %s.",
	falloff:     "Du %s au %s, il y a eu %d abandons : des patients qui ont atteint leur limite de jours sans visite ni rendez-vous. À l'habitude, il y en aurait eu %s.",
	falloffFew:  "Du %s au %s, il y a eu plus d'abandons qu'à l'habitude : des patients qui ont atteint leur limite de jours sans visite ni rendez-vous. Ils sont trop peu pour qu'un nombre soit dit ici.",
	falloffWhat: "L'habitude est ce que les 52 semaines précédentes laissent attendre des mêmes visites. Ce qui a changé l'a fait quelques semaines plus tôt : un abandon compte une fois ses jours écoulés.",
	stale:       "Les données les plus récentes sont du %s. Rien de plus récent n'est arrivé depuis plus longtemps que prévu.", staleWhat: "falloff status dit ce qu'attend l'extraction.",
	person: "L'extraction ne reprend pas d'elle-même.", state: "État : %s.", cause: "Cause : %s.", todo: "falloff status dit quoi faire; la documentation, sous « When a run stops », ce que la cause veut dire.",
	test: "Voici à quoi ressemblent les messages. Rien ne s'est passé.", report: "Le rapport de %s est joint.",
	link: "Tableaux de bord", foot: "falloff envoie ce message parce que falloff.yaml vous nomme. Il ne dit rien d'un patient en particulier.", total: "En tout",
	categories: map[string]string{
		"visit_not_closed": "Visites non fermées", "arrived_no_charge": "Visites sans facture", "no_show_fee": "Frais d'absence", "late_cancel_fee": "Frais d'annulation tardive",
		"after_policy_end": "Après la fin de la police", "over_policy_maximum": "Au-delà du maximum de la police", "claim_never_sent": "Réclamations jamais envoyées", "claim_rejected": "Réclamations refusées",
		"claim_underpaid": "Réclamations payées en partie", "insurer_balance_aged": "Soldes anciens d'assureurs", "copay_missed": "Parts de patients oubliées", "patient_balance_aged": "Soldes anciens de patients",
		"write_off": "Radié", otherCategories: "Toutes les autres",
	},
	money: func(cents int64, currency string) string { return grouped(cents, "\u00a0", ",") + "\u00a0" + currency },
}

// grouped writes an amount that is not negative.
func grouped(cents int64, thousands, point string) string {
	digits := fmt.Sprint(cents / 100)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + thousands + digits[i:]
	}
	return fmt.Sprintf("%s%s%02d", digits, point, cents%100)
}

// Text says an event in a language of the settings.
func (s *Settings) Text(e Event) Text {
	w := languages[s.Language]
	t := Text{Subject: "falloff: " + fmt.Sprintf(w.subjects[e.Kind], e.Clinic), Link: s.DashboardURL, Foot: w.foot}
	say := func(format string, values ...any) { t.Lines = append(t.Lines, fmt.Sprintf(format, values...)) }
	switch e.Kind {
	case NewLeaks:
		if e.Leaks == nil {
			say(w.leaksFew, w.money(e.OverCents, e.Currency))
		} else {
			say(w.leaks, e.Leaks.Count, w.money(e.Leaks.Cents, e.Currency))
		}
		say(w.asOf, e.AsOf)
		for _, c := range e.Categories {
			name := w.categories[c.Category]
			if name == "" {
				name = c.Category
			}
			t.Rows = append(t.Rows, [3]string{name, fmt.Sprint(c.Count), w.money(c.Cents, e.Currency)})
		}
	case Falloff:
		if e.Lapses == nil {
			say(w.falloffFew, e.From, e.To)
		} else {
			say(w.falloff, e.From, e.To, e.Lapses.Count, fmt.Sprint(math.Round(e.Lapses.Expected)))
		}
		say("%s", w.falloffWhat)
		say(w.asOf, e.AsOf)
	case StaleData:
		say(w.stale, e.AsOf)
		say("%s", w.staleWhat)
	case NeedsPerson:
		say("%s", w.person)
		say(w.state, e.State)
		if e.Cause != "" {
			say(w.cause, e.Cause)
		}
		say("%s", w.todo)
	case Test:
		say("%s", w.test)
	case Report:
		t.Subject += " " + e.Month
		say(w.report, e.Month)
	}
	if t.Link != "" {
		t.Link = w.link + ": " + t.Link
	}
	return t
}

// Plain is the text for people who read plain text.
func (t Text) Plain() string {
	var b strings.Builder
	for _, line := range t.Lines {
		b.WriteString(wrapped(line, 76) + "\n\n")
	}
	if len(t.Rows) > 0 {
		var width [3]int
		for _, row := range t.Rows {
			for i, cell := range row {
				width[i] = max(width[i], utf8.RuneCountInString(cell))
			}
		}
		for _, row := range t.Rows {
			fmt.Fprintf(&b, "  %-*s  %*s  %*s\n", width[0], row[0], width[1], row[1], width[2], row[2])
		}
		b.WriteString("\n")
	}
	if t.Link != "" {
		b.WriteString(t.Link + "\n\n")
	}
	b.WriteString("-- \n" + wrapped(t.Foot, 76) + "\n")
	return b.String()
}

// Short is the text for a chat.
func (t Text) Short() string {
	parts := append([]string{t.Subject}, t.Lines...)
	for _, row := range t.Rows {
		parts = append(parts, fmt.Sprintf("%s: %s, %s", row[0], row[1], row[2]))
	}
	if t.Link != "" {
		parts = append(parts, t.Link)
	}
	return strings.Join(parts, "\n")
}

func wrapped(text string, width int) string {
	var b strings.Builder
	column := 0
	for word := range strings.SplitSeq(text, " ") {
		long := utf8.RuneCountInString(word)
		switch {
		case column == 0:
		case column+1+long > width:
			b.WriteString("\n")
			column = 0
		default:
			b.WriteString(" ")
			column++
		}
		b.WriteString(word)
		column += long
	}
	return b.String()
}

var page = template.Must(template.New("message").Parse(`<!doctype html>
<html><body style="font-family: sans-serif; color: #1a1a1a; max-width: 38em">
{{range .Lines}}<p>{{.}}</p>
{{end}}{{if .Rows}}<table style="border-collapse: collapse">
{{range .Rows}}<tr><td style="padding: 2px 16px 2px 0">{{index . 0}}</td><td style="padding: 2px 16px 2px 0; text-align: right">{{index . 1}}</td><td style="padding: 2px 0; text-align: right">{{index . 2}}</td></tr>
{{end}}</table>
{{end}}{{if .Link}}<p>{{.Link}}</p>
{{end}}<p style="color: #595959; font-size: 85%">{{.Foot}}</p>
</body></html>
`))

// HTML is the text for people whose mail shows pages.
func (t Text) HTML() (string, error) {
	var b strings.Builder
	err := page.Execute(&b, t)
	return b.String(), err
}
