package guest

import (
	"bufio"
	"os"
	"strings"
	"testing"

	"slipway/pkg/log/console"
	"slipway/pkg/log/journal"
)

// testGuest is a machine with one console. Its said waits for a line with some text.
func testGuest(t *testing.T) (g *Guest, said func(text string)) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	g = &Guest{Terminal: console.New(), Journal: &journal.Journal{}}
	g.Paths.Run = t.TempDir()
	if err := g.Terminal.AttachFile(w); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(r)
	return g, func(text string) {
		t.Helper()
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatalf("no line with %q: %v", text, err)
			}
			if strings.Contains(line, text) {
				return
			}
		}
	}
}
