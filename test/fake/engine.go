// Package fake has containers that are none, for tests of what decides when they run.
package fake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"slipway/pkg/bundle"
	"slipway/pkg/container"
	"slipway/pkg/container/runtime"
	"slipway/pkg/reap"
)

// Engine is a container.Runner whose containers do what their arguments say:
//
//   - "run" until it is asked to stop, "deaf" until it is killed
//   - "exit N" at once, with that status of one digit
//   - "no" cannot be started; "refused WORDS" is what the runtime does not start, and says
//     so with these words, where a hook has said something before
//   - "stuck" hangs in its start until the Disk comes back
//   - "undead", alone or before one of these, hangs when it is cleaned up, until then
type Engine struct {
	// Disk is closed to let go on what hangs.
	Disk chan struct{}
	// Says is what a container writes when it starts; nil: nothing.
	Says func(b *bundle.Bundle) (stdout, stderr string)
	// Finds is called before anything is found; nil: nothing is.
	Finds func(b *bundle.Bundle)

	mu  sync.Mutex
	log []string
	pid int
	up  []*instance
}

// New makes an Engine whose disk hangs.
func New() *Engine { return &Engine{Disk: make(chan struct{})} }

// Happened is what was done with all containers, in order: "start web, TERM web, clean
// web". A start that comes back late is "back web", one that is ended "end start web".
func (e *Engine) Happened() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Join(e.log, ", ")
}

// EndAll has all programs end by themselves.
func (e *Engine) EndAll(s reap.Status) {
	e.mu.Lock()
	up := e.up
	e.up = nil
	e.mu.Unlock()
	for _, c := range up {
		c.end(s)
	}
}

func (e *Engine) note(what, name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.log = append(e.log, what+" "+name)
}

// Start is container.Runner's, as are those below.
func (e *Engine) Start(_ context.Context, b *bundle.Bundle, io container.IO) (container.Instance, error) {
	e.note("start", b.Name)
	if e.Says != nil {
		out, err := e.Says(b)
		_, outErr := io.Stdout.WriteString(out)
		_, errErr := io.Stderr.WriteString(err)
		if err := errors.Join(outErr, errErr); err != nil {
			return nil, err
		}
	}
	args := b.Spec.Process.Args
	c := &instance{engine: e, name: b.Name, ended: make(chan struct{})}
	if args[0] == "undead" {
		c.undead, args = true, append(slices.Clone(args[1:]), "run")
	}
	switch args[0] {
	case "no":
		return nil, fmt.Errorf("%s %s: start: no such command", b.Section, b.Name)
	case "refused":
		return nil, refuse(b, io, strings.Join(args[1:], " "))
	case "stuck":
		<-e.Disk
		e.note("back", b.Name)
	case "deaf":
		c.deaf = true
	case "exit":
		c.end(reap.Status{Code: int(args[1][0] - '0')})
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pid++
	// A pid that no process has, and cannot get.
	c.id = reap.Ident{Pid: 1<<30 + e.pid, Start: 1}
	e.up = append(e.up, c)
	return c, nil
}

// refuse leaves an error as runc does, on the container's output too.
func refuse(b *bundle.Bundle, io container.IO, words string) error {
	if _, err := io.Stderr.WriteString("hook: a word before\nrunc run failed: unable to start container process: " + words + "\n"); err != nil {
		return err
	}
	return fmt.Errorf("%s %s: start: %w", b.Section, b.Name, &runtime.Error{Runtime: "runc", Verb: "run", Message: words})
}

// Attach finds every container running.
func (e *Engine) Attach(b *bundle.Bundle, id reap.Ident) (container.Instance, error) {
	e.note("attach", b.Name)
	return &instance{engine: e, name: b.Name, id: id, ended: make(chan struct{})}, nil
}

// Find finds nothing, after what Finds does, and for "stuck" a start that goes on until
// it is ended.
func (e *Engine) Find(ctx context.Context, b *bundle.Bundle, _ func(pid int)) (reap.Ident, bool, error) {
	if e.Finds != nil {
		e.Finds(b)
	}
	if b.Spec.Process.Args[0] == "stuck" {
		<-ctx.Done()
		e.note("end start", b.Name)
	}
	return reap.Ident{}, false, nil
}

// Clean notes that it was asked for.
func (e *Engine) Clean(b *bundle.Bundle) error {
	e.note("clean", b.Name)
	return nil
}

// Begin cannot be done.
func (e *Engine) Begin(*bundle.Bundle, container.Program) (container.Session, error) {
	return nil, errors.New("nothing runs in a container that is none")
}

// Exec runs nothing, with success.
func (e *Engine) Exec(context.Context, *bundle.Bundle, []string) (reap.Status, error) {
	return reap.Status{}, nil
}
