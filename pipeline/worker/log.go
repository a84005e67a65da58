package worker

import (
	"context"
	"io"
	"log/slog"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
)

var silent = slog.New(slog.DiscardHandler)

// addresses finds what drivers and resolvers say of where something is.
var addresses = regexp.MustCompile(`\b\d{1,3}(\.\d{1,3}){3}(:\d+)?\b|\[[0-9a-fA-F:%.]+\](:\d+)?`)

// river's log, without what names the database: its address, user, password and name.
type scrubber struct {
	slog.Handler

	names []string
}

// newLogger gives River a log on w from which the pool's address is left out.
func newLogger(w io.Writer, pool *pgxpool.Pool) *slog.Logger {
	s := scrubber{Handler: slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn})}
	config := pool.Config().ConnConfig
	names := []string{config.Password, config.Host, config.User, config.Database}
	for _, fallback := range config.Fallbacks {
		names = append(names, fallback.Host)
	}
	for _, name := range names {
		if name != "" {
			s.names = append(s.names, name)
		}
	}
	return slog.New(s)
}

func (s scrubber) text(text string) string {
	for _, name := range s.names {
		text = strings.ReplaceAll(text, name, "…")
	}
	return addresses.ReplaceAllString(text, "…")
}

func (s scrubber) attr(a slog.Attr) slog.Attr {
	switch v := a.Value.Resolve(); v.Kind() { //nolint:exhaustive // numbers, times and switches name nothing
	case slog.KindString:
		return slog.String(a.Key, s.text(v.String()))
	case slog.KindGroup:
		group := make([]slog.Attr, 0, len(v.Group()))
		for _, member := range v.Group() {
			group = append(group, s.attr(member))
		}
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(group...)}
	case slog.KindAny:
		return slog.String(a.Key, s.text(v.String()))
	default:
		return a
	}
}

func (s scrubber) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, r.Message, r.PC) // what River says never varies; what it was said of does
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(s.attr(a))
		return true
	})
	return s.Handler.Handle(ctx, clean)
}

func (s scrubber) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, 0, len(attrs))
	for _, a := range attrs {
		clean = append(clean, s.attr(a))
	}
	return scrubber{s.Handler.WithAttrs(clean), s.names}
}

func (s scrubber) WithGroup(name string) slog.Handler {
	return scrubber{s.Handler.WithGroup(name), s.names}
}
