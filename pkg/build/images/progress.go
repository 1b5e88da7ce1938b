package images

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Progress is told what a build does. Its methods are called from several
// goroutines.
type Progress interface {
	Begin(image string)
	Step(image, what string)
	End(image, outcome string, took time.Duration, err error)
	Note(text string)
}

// Plain writes one line for each thing that is done: for pipes and log files.
func Plain(w io.Writer) Progress { return &plain{w: w} }

type plain struct {
	mu sync.Mutex
	w  io.Writer
}

func (p *plain) line(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.w, format+"\n", args...)
}

func (p *plain) Begin(string) {}

func (p *plain) Step(image, what string) { p.line("images: %s: %s", image, what) }

func (p *plain) End(image, outcome string, took time.Duration, err error) {
	p.line("images: %s", ending(image, outcome, took, err))
}

func (p *plain) Note(text string) { p.line("images: %s", text) }

// ending is the last line about an image. The error itself comes at the end of
// the program, in full.
func ending(image, outcome string, took time.Duration, err error) string {
	if err != nil {
		return image + ": failed"
	}
	if took < 100*time.Millisecond {
		return fmt.Sprintf("%s: %s", image, outcome)
	}
	return fmt.Sprintf("%s: %s (%.1fs)", image, outcome, took.Seconds())
}
