package telemetry

import (
	"context"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
)

// Withheld stands where something was not told.
const Withheld = "[withheld]"

// kind is what a value of an attribute may be.
type kind int

const (
	numbers kind = iota // a number, a truth value, a duration or an instant
	words               // a word of a list or an identifier of ours
	texts               // a sentence, such as an error's: what looks like an identity or a credential is struck out of it
)

// Attributes are what logs, spans and metrics may say, and in which form. Whatever has another name is withheld.
var Attributes = map[string]kind{
	"address": words, "bytes": numbers, "cause": words, "changed": numbers, "clinic": words, "code": words, "commit": words, "count": numbers, "dataset": words,
	"day": words, "done": numbers, "error": texts, "exit_code": numbers, "job": words, "kept": words, "method": words, "mode": words, "name": words,
	"note": texts, "outcome": words, "path": words, "quarantined": numbers, "route": words, "rows": numbers, "state": words, "status": numbers, "step": words,
	"task": words, "tls": numbers, "took": numbers, "total": numbers, "verdict": words, "version": words, "attempt": numbers, "at": numbers, "next": numbers,
	"reports": numbers, "requests": numbers, "refused": numbers, "channel": words, "event": words,
	// OpenTelemetry's names for the same.
	"http.request.method": words, "http.route": words, "http.response.status_code": numbers, "service.name": words, "service.version": words,
	"telemetry.sdk.name": words, "telemetry.sdk.language": words, "telemetry.sdk.version": words,
}

var (
	// word is an identifier: a clinic's id, a cause, a route, an address to listen on, a day. No space, no @, nothing escaped.
	word = regexp.MustCompile(`^[A-Za-z0-9_./:{}+\[\]-]{1,120}$`)
	// struck are what a sentence may not hold, whoever wrote it.
	struck = []*regexp.Regexp{
		regexp.MustCompile(`(?i)\b(?:bearer|basic)\s+[A-Za-z0-9._~+/=-]+`),
		regexp.MustCompile(`\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_.-]+`), // a JSON web token
		regexp.MustCompile(`(?i)\b(?:set-)?cookie\s*[:=]\s*[^\s,]+`),
		regexp.MustCompile(`(?i)\b(?:password|passphrase|passwd|pwd|secret|token|api[_-]?key|authorization|session(?:id|_id)?)\s*[=:]\s*("[^"]*"|\S+)`),
		regexp.MustCompile(`(?i)\b[a-z][a-z0-9+.-]*://[^\s/@]*@`),             // a URL's user and password
		regexp.MustCompile(`\?[^\s"']*=[^\s"']*`),                             // a URL's query
		regexp.MustCompile(`[^\s@<>()"',;:]+@[^\s@<>()"',;:]+\.[A-Za-z]{2,}`), // an e-mail address
		regexp.MustCompile(`\b[A-Za-z]\d[A-Za-z][ -]?\d[A-Za-z]\d\b`),         // a Canadian postal code
		regexp.MustCompile(`(?:\+|\b)\d[\d \t().-]{8,}\d\b`),                  // a phone number, a card's
	}
	// notNumbers are digits with signs between them that are no phone number: days, instants, addresses of machines.
	notNumbers = regexp.MustCompile(`^(?:\d{4}-\d{2}-\d{2}(?:[ T.]?\d{0,2})?|\d{1,3}(?:\.\d{1,3}){3})$`)
)

// longestText is how many bytes of a sentence are told.
const longestText = 500

// Redact strikes out of a sentence what looks like an identity or a credential: addresses, phone and card numbers, postal codes, tokens,
// cookies, passwords that are named as such, users and queries of URLs. It cannot know a person's name: sentences of falloff hold none, and
// this is the second wall, not the first.
func Redact(text string) string {
	for _, r := range struck {
		text = r.ReplaceAllStringFunc(text, func(found string) string {
			if notNumbers.MatchString(strings.TrimSpace(found)) {
				return found
			}
			return Withheld
		})
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' ' // one record is one line
		}
		return r
	}, text)
	if len(text) > longestText {
		text = strings.ToValidUTF8(text[:longestText], "") + "…"
	}
	return text
}

// Handler passes records on, redacted: the message as a sentence, the attributes that Attributes has in their form. A group's attributes
// are judged by their own names.
func Handler(next slog.Handler) slog.Handler { return handler{next} }

type handler struct{ next slog.Handler }

func (h handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	told := slog.NewRecord(r.Time, r.Level, Redact(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		told.AddAttrs(redactAttr(a))
		return true
	})
	return h.next.Handle(ctx, told)
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	told := make([]slog.Attr, 0, len(attrs))
	for _, a := range attrs {
		told = append(told, redactAttr(a))
	}
	return handler{h.next.WithAttrs(told)}
}

func (h handler) WithGroup(name string) slog.Handler {
	if !word.MatchString(name) {
		name = Withheld
	}
	return handler{h.next.WithGroup(name)}
}

func redactAttr(a slog.Attr) slog.Attr {
	value := a.Value.Resolve()
	if value.Kind() == slog.KindGroup {
		group := make([]slog.Attr, 0, len(value.Group()))
		for _, of := range value.Group() {
			group = append(group, redactAttr(of))
		}
		return slog.Attr{Key: redactKey(a.Key), Value: slog.GroupValue(group...)}
	}
	form, known := Attributes[a.Key]
	if !known {
		return slog.String(redactKey(a.Key), Withheld)
	}
	switch value.Kind() {
	case slog.KindBool, slog.KindInt64, slog.KindUint64, slog.KindFloat64, slog.KindTime:
		return slog.Attr{Key: a.Key, Value: value}
	case slog.KindDuration:
		return slog.String(a.Key, value.Duration().Round(time.Microsecond).String())
	}
	return slog.String(a.Key, redactText(form, value.String()))
}

// redactKey is a key that nobody declared: its own text could be anything.
func redactKey(key string) string {
	if regexp.MustCompile(`^[a-z_.]{1,40}$`).MatchString(key) {
		return key
	}
	return Withheld
}

func redactText(form kind, text string) string {
	switch {
	case form == texts:
		return Redact(text)
	case form == words && (text == "" || word.MatchString(text) && Redact(text) == text):
		return text
	default:
		return Withheld
	}
}

// redactAttributes is redactAttr for spans and metrics. What was not declared is dropped: a label costs a series.
func redactAttributes(of []attribute.KeyValue) []attribute.KeyValue {
	told := make([]attribute.KeyValue, 0, len(of))
	for _, kv := range of {
		form, known := Attributes[string(kv.Key)]
		if !known {
			continue
		}
		switch kv.Value.Type() {
		case attribute.BOOL, attribute.INT64, attribute.FLOAT64:
			told = append(told, kv)
		case attribute.STRING:
			told = append(told, attribute.String(string(kv.Key), redactText(form, kv.Value.AsString())))
		default: // lists are not told
		}
	}
	return slices.Clip(told)
}
