package container

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"slipway/pkg/bundle"
)

func writeSpec(t testing.TB, b *bundle.Bundle) {
	t.Helper()
	data, err := json.Marshal(b.Spec)
	must(t, err)
	must(t, os.WriteFile(b.Path(bundle.ConfigFile), data, 0o644))
}

// output is a file for a container's output, and how to read it.
func output(t testing.TB) (*os.File, func() string) {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "out")
	must(t, err)
	t.Cleanup(func() { must(t, f.Close()) })
	return f, func() string {
		_, err := f.Seek(0, io.SeekStart)
		must(t, err)
		data, err := io.ReadAll(f)
		must(t, err)
		return string(data)
	}
}

// runToEnd starts a container, waits for it and cleans up.
func runToEnd(t testing.TB, e *Engine, b *bundle.Bundle) (code int, text string) {
	t.Helper()
	out, read := output(t)
	c, err := e.Start(testContext(t), b, IO{Stdout: out, Stderr: out})
	must(t, err)
	status, err := c.Wait(testContext(t))
	must(t, err)
	must(t, c.Cleanup())
	must(t, c.Cleanup())
	return status.ExitCode(), read()
}

func TestLayouts(t *testing.T) {
	const script = `echo to stdout; echo to stderr >&2
		if touch /etc/new 2>/dev/null; then echo written; fi
		exit 7`
	for name, tt := range map[string]struct {
		shape
		written bool
	}{
		"today read-only":  {shape{}, false},
		"today read-write": {shape{write: true}, true},
		"seed read-only":   {shape{seed: true}, false},
		"seed read-write":  {shape{seed: true, write: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			e, root := testEngine(t), containers(t)
			tt.name, tt.script = "000-layout", script
			b := tt.lay(t, root)
			before := state(t, e, root)
			for range 2 { // the second run must not see what the first has written
				code, text := runToEnd(t, e, b)
				if code != 7 || !strings.Contains(text, "to stdout\nto stderr\n") {
					t.Errorf("exit status %d, output %q", code, text)
				}
				if got := strings.Contains(text, "written"); got != tt.written {
					t.Errorf("written: %v, output %q", got, text)
				}
			}
			same(t, before, state(t, e, root))
		})
	}
}
