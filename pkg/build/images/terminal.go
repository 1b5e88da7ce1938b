package images

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// NewProgress shows what is being built at the bottom of a terminal, and writes
// plain lines to anything else. Call finish when the build is over, before
// writing anything else.
func NewProgress(f *os.File) (p Progress, finish func()) {
	if !term.IsTerminal(int(f.Fd())) || os.Getenv("TERM") == "dumb" {
		return Plain(f), func() {}
	}
	t := &terminal{w: f, stop: make(chan struct{}), width: func() int {
		w, _, err := term.GetSize(int(f.Fd()))
		if err != nil || w < 20 {
			return 80
		}
		return w
	}}
	var wg sync.WaitGroup
	wg.Go(t.tick)
	return t, func() { close(t.stop); wg.Wait() }
}

// terminal keeps one line for each image that is being built below the lines
// about those that are done.
type terminal struct {
	mu    sync.Mutex
	w     io.Writer
	width func() int
	tasks []*task
	shown int // lines at the bottom that the next drawing replaces
	stop  chan struct{}
}

type task struct {
	image, what string
	since       time.Time
}

// tick draws the time that passes.
func (t *terminal) tick() {
	every := time.NewTicker(200 * time.Millisecond)
	defer every.Stop()
	for {
		select {
		case <-t.stop:
			t.mu.Lock()
			defer t.mu.Unlock()
			t.tasks = nil
			t.draw("")
			return
		case <-every.C:
			t.mu.Lock()
			t.draw("")
			t.mu.Unlock()
		}
	}
}

// draw writes a line that stays, if there is one, and the moving ones below it.
func (t *terminal) draw(stays string) {
	var out strings.Builder
	if t.shown > 0 {
		fmt.Fprintf(&out, "\x1b[%dA", t.shown)
	}
	out.WriteString("\r\x1b[J")
	if stays != "" {
		out.WriteString(stays + "\n")
	}
	width := t.width()
	for _, k := range t.tasks {
		line := fmt.Sprintf("  %-10s %5.1fs  %s", k.image, time.Since(k.since).Seconds(), k.what)
		out.WriteString(line[:min(len(line), width-1)] + "\n")
	}
	t.shown = len(t.tasks)
	// A terminal that is gone is no reason to fail a build.
	_, _ = io.WriteString(t.w, out.String())
}

func (t *terminal) Begin(image string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tasks = append(t.tasks, &task{image: image, what: "checking", since: time.Now()})
}

func (t *terminal) Step(image, what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range t.tasks {
		if k.image == image {
			k.what = what
		}
	}
}

func (t *terminal) End(image, outcome string, took time.Duration, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tasks = slices.DeleteFunc(t.tasks, func(k *task) bool { return k.image == image })
	t.draw("  " + ending(image, outcome, took, err))
}

func (t *terminal) Note(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.draw("  " + text)
}
