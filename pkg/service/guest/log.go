package guest

import (
	"context"
	"log/slog"
	"strings"
)

// handler shows what packages log on the consoles, a line for each record of
// level warning and above.
type handler struct {
	guest *Guest
	attrs string
}

// NewHandler makes the handler of a logger that is given to other packages.
func NewHandler(g *Guest) slog.Handler { return &handler{guest: g} }

func (l *handler) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

func (l *handler) Handle(_ context.Context, r slog.Record) error {
	text := l.attrs
	r.Attrs(func(a slog.Attr) bool {
		text += word(a)
		return true
	})
	l.guest.Say("%s:%s", r.Message, text)
	return nil
}

func (l *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var text strings.Builder
	text.WriteString(l.attrs)
	for _, a := range attrs {
		text.WriteString(word(a))
	}
	return &handler{guest: l.guest, attrs: text.String()}
}

func (l *handler) WithGroup(string) slog.Handler { return l }

func word(a slog.Attr) string { return " " + a.Key + "=" + a.Value.String() }
