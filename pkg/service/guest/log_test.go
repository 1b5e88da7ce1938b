package guest

import (
	"log/slog"
	"testing"
)

// Consoles show what is a warning, a line each, whatever its attributes.
func TestHandler(t *testing.T) {
	g, said := testGuest(t)
	log := slog.New(NewHandler(g)).With("container", "services web")
	log.Info("nobody has to know")
	log.Warn("cgroup", "err", "a\nb")
	said("slipway: cgroup: container=services web err=a; b\n")
	if log.Enabled(t.Context(), slog.LevelInfo) {
		t.Error("what is no warning is shown")
	}
}
