package guest

import (
	"io"
	"os"
	"testing"

	"slipway/pkg/log/console"
	"slipway/pkg/log/journal"
)

// What containers have a say in makes no line of its own.
func TestSayIsOneLine(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	g := &Guest{Terminal: console.New(), Journal: &journal.Journal{}}
	if err := g.Terminal.AttachFile(w); err != nil {
		t.Fatal(err)
	}
	g.Say("%s: failed", "a\nslipway: report: ok\r\x1b[2J\xff")
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if want := `slipway: a; slipway: report: ok\r\x1b[2J\xff: failed` + "\n"; err != nil || string(got) != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}
