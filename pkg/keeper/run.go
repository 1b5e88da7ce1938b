package keeper

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/machine"
	"slipway/pkg/reap"
)

// The pause before the supervisor is started again doubles from the first to
// the longest, and begins anew after it ran for a while. One that ends by itself
// before it has come up helps nobody: it is tried ever more rarely.
const (
	firstPause   = 50 * time.Millisecond
	longestPause = time.Second
	crashPause   = 30 * time.Second
	longEnough   = 30 * time.Second
)

// lastTries is how often one is started that is only to stop the services.
const lastTries = 5

// exitTime is how long a supervisor that has stopped all services may take to
// end: one with a thread that hangs in the kernel never does.
const exitTime = 2 * time.Second

// upTime is how long a program that is not known to work may take to come up.
const upTime = 2 * time.Minute

// Keeper runs the supervisor as its child for as long as the machine runs.
type Keeper struct {
	Reaper *reap.Reaper
	// Program is where the supervisor's program lies. What lies there at the
	// moment of a start is what is started: that is how a new one takes over.
	Program string
	// Command makes the command that runs a program as the supervisor. Its
	// descriptor machine.WordsFD will be the pipe on which the supervisor speaks.
	Command func(program string) *exec.Cmd
	// Ready is called when a supervisor says machine.Ready, and when the first one
	// ends without: nobody is to wait for restarts.
	Ready func()
	// Say tells people something.
	Say func(format string, args ...any)
	// Dir is machine.Run, where a planned end is announced.
	Dir string
	// MaxPause bounds the pauses; 0: as the constants say.
	MaxPause time.Duration

	choice choice
}

// Run keeps until ctx ends; then it tells the supervisor to stop with SIGTERM
// and returns when it has. One that dies over it is started again, to go on with
// the stopping, a few times.
func (k *Keeper) Run(ctx context.Context) error {
	defer k.choice.close()
	pause := firstPause
	for last := lastTries; last > 0; {
		begin := time.Now()
		end := k.once(ctx)
		k.Ready()
		switch {
		case ctx.Err() != nil && end.status.Success() && end.err == nil:
			return nil
		case ctx.Err() != nil:
			last--
			pause = firstPause
		case end.failed && k.choice.onTrial():
			pause = firstPause // there is another to go back to
		case end.failed:
			pause = min(pause, crashPause)
		case time.Since(begin) > longEnough:
			pause = firstPause
		default:
			pause = min(pause, longestPause)
		}
		if k.planned() {
			k.Say("supervisor: ended for an upgrade, the next one starts")
		} else {
			k.Say("supervisor: ended (%s), starting again in %s", end, k.bound(pause))
		}
		k.pause(ctx, pause)
		pause *= 2
	}
	return errors.New("the supervisor does not come to stop the services")
}

// planned tells whether the end was announced, and takes that back.
func (k *Keeper) planned() bool { return os.Remove(filepath.Join(k.Dir, machine.Upgrade)) == nil }

// pause waits, but for nothing once the end has come.
func (k *Keeper) pause(ctx context.Context, d time.Duration) {
	if ctx.Err() != nil {
		time.Sleep(k.bound(firstPause))
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(k.bound(d)):
	}
}

func (k *Keeper) bound(d time.Duration) time.Duration {
	if k.MaxPause > 0 {
		return min(d, k.MaxPause)
	}
	return d
}

// end is how a supervisor ended.
type end struct {
	status reap.Status
	err    error // it could not be started
	// failed: by itself, before it had come up. A kill from outside says
	// nothing against the program.
	failed bool
}

func (e end) String() string {
	if e.err != nil {
		return e.err.Error()
	}
	return e.status.String()
}

// once runs the supervisor until it ends.
func (k *Keeper) once(ctx context.Context) end {
	program := k.choice.next(k.Program, k.Say)
	p, voice, err := k.start(program)
	if err != nil {
		k.choice.failed(maxFailures)
		return end{err: err, failed: true}
	}
	status, up := k.attend(ctx, p, voice)
	killed := status.Signal == unix.SIGKILL || status.Signal == unix.SIGTERM
	e := end{status: status, failed: !up && !killed && ctx.Err() == nil}
	if e.failed {
		k.choice.failed(1)
	}
	return e
}

func (k *Keeper) start(program string) (*reap.Process, *os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("start supervisor: %w", err)
	}
	cmd := k.Command(program)
	cmd.ExtraFiles = append([]*os.File{w}, cmd.ExtraFiles...)
	p, err := k.Reaper.Start(cmd)
	w.Close()
	if p == nil {
		r.Close()
		return nil, nil, fmt.Errorf("start supervisor: %w", err)
	}
	k.Reaper.KeepGoing(p, func() { k.Say("supervisor: was stopped by a signal, continued") })
	return p, r, nil
}

// attend listens to the supervisor and waits for its end.
func (k *Keeper) attend(ctx context.Context, p *reap.Process, voice *os.File) (status reap.Status, up bool) {
	said := make(chan string)
	go listen(voice, said)
	lines := said
	late := time.NewTimer(upTime)
	defer late.Stop()
	var stays <-chan time.Time
	// One that is not up yet would not hear what it is told.
	var stop <-chan struct{}
	for {
		select {
		case line, more := <-lines:
			if !more {
				lines = nil
				continue
			}
			if !up {
				up, stop = true, ctx.Done()
				k.choice.good()
			}
			switch {
			case line == machine.Ready:
				k.Ready()
			case line == machine.Down && ctx.Err() != nil:
				stays = time.After(exitTime)
			}
		case <-stays:
			k.Say("supervisor: it has stopped the services, and does not end: left behind")
			go drain(said)
			return reap.Status{}, true
		case <-late.C:
			if !up && (k.choice.onTrial() || ctx.Err() != nil) {
				k.Say("supervisor: not up after %s, killing it", upTime)
				k.choice.failed(maxFailures)
				k.signal(p, unix.SIGKILL)
			}
		case <-stop:
			stop = nil
			k.signal(p, unix.SIGTERM)
		case <-p.Done():
			voice.Close() // ends listen, if it has not
			for range said {
				up = true // what it said at last
			}
			status, err := p.Wait(context.Background())
			if err != nil {
				k.Say("supervisor: %s", err)
			}
			return status, up
		}
	}
}

func (k *Keeper) signal(p *reap.Process, sig unix.Signal) {
	if err := k.Reaper.Signal(p, sig); err != nil {
		k.Say("supervisor: %s", err)
	}
}

// maxWord bounds a line of a supervisor that is none of ours.
const maxWord = 64

// listen passes on the lines that come from a supervisor, until its end.
func listen(r *os.File, lines chan<- string) {
	defer close(lines)
	defer r.Close()
	in := bufio.NewScanner(io.LimitReader(r, 1<<10))
	in.Buffer(make([]byte, maxWord), maxWord)
	for in.Scan() {
		lines <- in.Text()
	}
}

// drain takes what is said to nobody any more.
func drain(said <-chan string) {
	for range said {
		continue
	}
}
