package store

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/log/layout"
	"slipway/pkg/log/read"
	"slipway/test/poll"
)

func testPaths(t *testing.T) layout.Paths {
	t.Helper()
	dir := t.TempDir()
	p := layout.Paths{
		Run: filepath.Join(dir, "run"), Log: filepath.Join(dir, "log"),
		Memlogd: filepath.Join(dir, "memlogd.sock"), Kmsg: filepath.Join(dir, "kmsg"),
	}
	for _, d := range []string{p.Run, p.Log} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func testOptions(t *testing.T, p layout.Paths) Options {
	return Options{Paths: p, Log: slog.New(slog.NewTextHandler(testWriter{t}, nil))}
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Logf("%s", bytes.TrimSpace(b))
	return len(b), nil
}

func testBundle(s bundle.Section, name string) *bundle.Bundle {
	return &bundle.Bundle{Name: name, Section: s, Policy: bundle.DefaultPolicy(s)}
}

func mustOpen(t *testing.T, b *bundle.Bundle, o Options) *Writer {
	t.Helper()
	w, err := Open(b, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return w
}

func mustClose(t *testing.T, w *Writer) {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, f *os.File, text string) {
	t.Helper()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// run writes the output of one whole life of a container.
func run(t *testing.T, b *bundle.Bundle, o Options, stdout, stderr string) *Writer {
	t.Helper()
	w := mustOpen(t, b, o)
	write(t, w.Stdout(), stdout)
	write(t, w.Stderr(), stderr)
	mustClose(t, w)
	return w
}

func contents(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func texts(t *testing.T, p layout.Paths, b *bundle.Bundle, q read.Query) []string {
	t.Helper()
	var all []string
	for l, err := range read.Read(context.Background(), p, b.Section, b.Name, q) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, show(l))
	}
	return all
}

func show(l read.Line) string {
	switch {
	case l.Hole:
		return fmt.Sprintf("%s hole %d", l.Stream, l.Lost)
	case l.Lost > 0:
		return fmt.Sprintf("%s lost %d", l.Stream, l.Lost)
	case l.Part:
		return fmt.Sprintf("%s %s...", l.Stream, l.Text)
	}
	return fmt.Sprintf("%s %s", l.Stream, l.Text)
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s:\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestNamesAreLinuxKits(t *testing.T) {
	for _, c := range []struct {
		section     bundle.Section
		name        string
		out, stderr string
	}{
		{bundle.Onboot, "000-dhcp", "run/log/onboot/onboot.000-dhcp.out.log", "run/log/onboot/onboot.000-dhcp.log"},
		{bundle.Onshutdown, "001-bye", "run/log/shutdown/shutdown.001-bye.out.log", "run/log/shutdown/shutdown.001-bye.log"},
		{bundle.Services, "sshd", "log/sshd.out.log", "log/sshd.log"},
	} {
		p := testPaths(t)
		run(t, testBundle(c.section, c.name), testOptions(t, p), "to stdout\n", "to stderr\n")
		root := filepath.Dir(p.Run)
		// The end of a run waits for its disk no longer than a second.
		for name, want := range map[string]string{c.out: "to stdout\n", c.stderr: "to stderr\n"} {
			poll.Until(t, name+" has all", func() bool {
				got, err := os.ReadFile(filepath.Join(root, name))
				return err == nil && string(got) == want
			})
		}
	}
}

func TestRunsAreKeptApart(t *testing.T) {
	p := testPaths(t)
	b, o := testBundle(bundle.Services, "foo"), testOptions(t, p)
	run(t, b, o, "first\n", "")
	run(t, b, o, "second\nunfinished", "trouble\n")
	run(t, b, o, "third\n", "")
	if got := contents(t, filepath.Join(p.Log, "foo.out.log")); got != "third\n" {
		t.Errorf("the file has %q, not this run's output alone", got)
	}
	equal(t, "current", texts(t, p, b, read.Query{Runs: read.CurrentRun}), []string{"stdout third"})
	previous := texts(t, p, b, read.Query{Runs: read.PreviousRun})
	if len(previous) != 3 || !strings.Contains(strings.Join(previous, "|"), "stdout unfinished") {
		t.Errorf("previous run is %q", previous)
	}
	if all := texts(t, p, b, read.Query{}); len(all) != 5 || all[0] != "stdout first" || all[4] != "stdout third" {
		t.Errorf("all runs are %q", all)
	}
	equal(t, "tail", texts(t, p, b, read.Query{Tail: 1}), []string{"stdout third"})
}

func TestLinesHaveTheirTime(t *testing.T) {
	p := testPaths(t)
	b, o := testBundle(bundle.Services, "foo"), testOptions(t, p)
	now := time.Unix(1000, 0)
	o.Now = func() time.Time { return now }
	run(t, b, o, "early\n", "")
	now = now.Add(time.Hour)
	run(t, b, o, "late\n", "")
	var got []string
	for l, err := range read.Read(context.Background(), p, b.Section, b.Name, read.Query{Since: time.Unix(2000, 0)}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(l.Time.Unix(), " ", string(l.Text)))
	}
	equal(t, "since", got, []string{"4600 late"})
}
