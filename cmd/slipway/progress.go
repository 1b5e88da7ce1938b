package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"slipway/pkg/build/yml"
)

// progress says what a long command is at: one line that changes on a
// terminal, plain lines elsewhere.
type progress struct {
	lock     sync.Mutex
	w        io.Writer
	terminal bool
	quiet    bool
	shown    time.Time
	running  downloads
}

func newProgress(w *os.File, quiet bool) *progress {
	return &progress{w: w, terminal: term.IsTerminal(int(w.Fd())), quiet: quiet}
}

// eraseLine is what a terminal takes to forget the line it is on.
const eraseLine = "\r\x1b[K"

func (p *progress) show(line string) {
	switch {
	case p.quiet:
	case p.terminal:
		fmt.Fprint(p.w, eraseLine+line)
		p.shown = time.Now()
	default:
		fmt.Fprintln(p.w, "slipway: "+line)
	}
}

func (p *progress) step(what string) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.show(what)
}

// note prints a line that stays.
func (p *progress) note(line string) {
	p.clear()
	if !p.quiet {
		fmt.Fprintln(p.w, "slipway: "+line)
	}
}

// clear takes the changing line away before a message is printed.
func (p *progress) clear() {
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.terminal && !p.shown.IsZero() {
		fmt.Fprint(p.w, eraseLine)
		p.shown = time.Time{}
	}
}

// warn prints what did not stop the build.
func (p *progress) warn(faults yml.Faults) {
	p.clear()
	if p.quiet {
		return
	}
	for _, f := range faults {
		fmt.Fprintln(p.w, f)
	}
}

// written follows the writing of an image, on a terminal only.
func (p *progress) written(done, total int64) {
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.terminal && time.Since(p.shown) > 100*time.Millisecond {
		p.show(fmt.Sprintf("writing: %s of %s", size(done), size(total)))
	}
}

// done lists the files that were made.
func (p *progress) done(names []string, took time.Duration) {
	p.clear()
	if p.quiet {
		return
	}
	for _, name := range names {
		if info, err := os.Stat(name); err == nil {
			fmt.Fprintf(p.w, "slipway: %s, %s\n", name, size(info.Size()))
		}
	}
	fmt.Fprintf(p.w, "slipway: built in %.1f s\n", took.Seconds())
}

func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f kB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d bytes", n)
}
