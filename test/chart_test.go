package test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"slipway/pkg/timeline"
)

// received is the timeline that a guest hands over, a line for each span, as
// "phase container step".
type received struct {
	mu    sync.Mutex
	lines []string
	err   error
}

func (r *received) read(data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	spans, err := timeline.Read(bytes.NewReader(data))
	r.err = err
	for _, s := range spans {
		r.lines = append(r.lines, strings.Join(strings.Fields(s.Phase+" "+s.Container+" "+s.Name+" "+s.Err), " "))
	}
}

// problems are patterns that no line of the timeline matches.
func (r *received) problems(patterns []string) (problems []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return []string{"timeline: " + r.err.Error()}
	}
	for _, p := range patterns {
		if find(r.lines, p) < 0 {
			problems = append(problems, fmt.Sprintf("timeline: no %s in\n%s", p, strings.Join(r.lines, "\n")))
		}
	}
	return problems
}

// TestToolChart has the chart of a boot drawn on a terminal, and not at all. Those of machines
// without one, and in the background, are part of the tests of these.
func TestToolChart(t *testing.T) {
	tl := makeTool(t)
	file := filepath.Join(tl.dir, "boot.svg")
	const before = "a chart of an earlier boot"
	if err := os.WriteFile(file, []byte(before), 0o644); err != nil {
		t.Fatal(err)
	}
	tl.want(t, 3, "no boot chart: the guest sent no timeline of its boot.*virtio_console", "run", "--append", "rdinit=/none", "--boot-chart", file, tl.image())
	tl.want(t, 1, "boot chart: directory .*none: no such file", "run", "--boot-chart", filepath.Join(tl.dir, "none", "x.svg"), tl.image())
	tl.want(t, 1, "boot chart: .* is no file", "run", "--boot-chart", tl.dir, tl.image())
	if after, err := os.ReadFile(file); err != nil || string(after) != before {
		t.Errorf("a boot without a chart changed the file: %v", err)
	}

	file = filepath.Join(tl.dir, "terminal.svg")
	tl.onTerminal(t, "boot chart: .*terminal.svg\r\n", "run", "--expect", "boot.done", "--boot-chart", file, tl.image())
	wantChart(t, file, "web ready: ")
	if left, err := filepath.Glob(filepath.Join(tl.dir, ".*.svg-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// onTerminal runs a command that has a terminal, which util-linux' script gives.
func (tl *tool) onTerminal(t *testing.T, pattern string, args ...string) {
	t.Helper()
	screen := filepath.Join(tl.dir, "terminal")
	run := &tool{binary: "script", dir: tl.dir}
	run.want(t, 0, pattern, "-qefc", tl.binary+" "+strings.Join(args, " "), screen)
}

// wantChart checks that a file is a whole picture that has these words.
func wantChart(t *testing.T, file string, words ...string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Error(err)
		return
	}
	for d := xml.NewDecoder(strings.NewReader(string(data))); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Errorf("%s: %v", file, err)
			return
		}
	}
	for _, w := range words {
		if !strings.Contains(string(data), w) {
			t.Errorf("%s has no %q:\n%s", file, w, data)
		}
	}
}
