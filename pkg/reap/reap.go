// Package reap owns wait4(2) in a process that is PID 1 or a child subreaper.
//
// Such a process gets children that it never started: whatever a container, or
// a runc that has gone, leaves behind. Only one place may wait for "any child",
// and then no other may wait for a particular one, or the two steal exit
// statuses from each other. So every child of our programs is started through
// a Reaper, and os/exec's Wait is not used in the same process.
package reap

import (
	"errors"
	"os"
	"os/signal"
	"sync"

	"golang.org/x/sys/unix"
)

// remembered bounds the exits kept for an Adopt that comes too late, and the
// larger number those kept while a child is being started: it may end, among a
// storm of others, before its pid is known here.
const (
	remembered         = 128
	rememberedStarting = 1 << 14
)

// Exit is the end of a process that nobody had asked for.
type Exit struct {
	Ident
	Status Status
}

// Reaper collects all children of this process.
//
//   - Start and Run start children and tell how they ended.
//   - Adopt does so for a process that was started by somebody else and became
//     ours when its parent died.
//   - What nobody asked for is reaped too, kept for a while for a late Adopt,
//     and reported to the function given to OnOrphan.
type Reaper struct {
	mu       sync.Mutex
	children map[int]*Process
	orphans  []Exit // the oldest first
	starting int    // how many children are being started
	onOrphan func(Exit)

	sigchld chan os.Signal
	done    chan struct{}
}

// New starts to reap. There is to be one Reaper in a process.
func New() *Reaper {
	r := &Reaper{
		children: make(map[int]*Process),
		sigchld:  make(chan os.Signal, 1),
		done:     make(chan struct{}),
	}
	signal.Notify(r.sigchld, unix.SIGCHLD)
	unignore()
	go r.loop()
	return r
}

// unignore catches the signals that this process was told to ignore, as nohup(1) does, or a shell
// for what it runs in the background: children inherit what is ignored, and not what is caught.
func unignore() {
	for _, s := range []os.Signal{unix.SIGHUP, unix.SIGINT} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s) // nobody reads it
		}
	}
}

// Close stops reaping; what still runs is not waited for any more.
func (r *Reaper) Close() {
	signal.Stop(r.sigchld)
	close(r.done)
}

// OnOrphan makes fn hear of every exit that nobody waits for, beginning with
// those that are remembered; nil ends that. It is called with the Reaper locked, so it must
// be quick and must not call back.
func (r *Reaper) OnOrphan(fn func(Exit)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.onOrphan = fn
	if fn == nil {
		return
	}
	for _, e := range r.orphans {
		fn(e)
	}
}

func (r *Reaper) loop() {
	r.collect() // children of before the signal was caught
	for {
		select {
		case <-r.done:
			return
		case <-r.sigchld:
			r.collect()
			r.continueStopped()
		}
	}
}

// collect reaps all that have ended. It looks before it reaps: as long as the
// zombie is there its pid is not given out again and /proc still has its start
// time.
func (r *Reaper) collect() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		pid, ok := peek(unix.P_ALL, 0)
		if !ok || pid == 0 || !r.collectOne(pid) {
			return
		}
	}
}

// collectOne reaps the zombie pid and hands its status on. It returns false if
// somebody else has reaped it, against the rule.
func (r *Reaper) collectOne(pid int) bool {
	p := r.children[pid]
	id := Ident{Pid: pid}
	if p == nil {
		// A zombie that cannot be read any more leaves the start time 0,
		// which readers take as unknown.
		if found, err := Identify(pid); err == nil {
			id = found
		}
	}
	status, ok := wait(pid)
	if !ok {
		return false
	}
	if p != nil {
		delete(r.children, pid)
		p.finish(status)
		return true
	}
	r.remember(Exit{Ident: id, Status: status})
	return true
}

func (r *Reaper) remember(e Exit) {
	r.forget(e.Pid)
	r.orphans = append(r.orphans, e)
	r.trim()
	if r.onOrphan != nil {
		r.onOrphan(e)
	}
}

// trim drops the oldest of what is remembered beyond the bounds.
func (r *Reaper) trim() {
	most := remembered
	if r.starting > 0 {
		most = rememberedStarting
	}
	if n := len(r.orphans) - most; n > 0 {
		r.orphans = r.orphans[n:]
	}
}

// forget drops what is remembered of a pid and returns it.
func (r *Reaper) forget(pid int) (Exit, bool) {
	for i, e := range r.orphans {
		if e.Pid == pid {
			r.orphans = append(r.orphans[:i], r.orphans[i+1:]...)
			return e, true
		}
	}
	return Exit{}, false
}

// SetSubreaper makes this process the parent of all descendants whose own
// parent dies, so that containers come to us when their runc has exited.
func SetSubreaper() error {
	return os.NewSyscallError("prctl(PR_SET_CHILD_SUBREAPER)",
		unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
}

// peek names a child that has ended and leaves it a zombie. It returns 0 for
// none yet, and false when there is no such child at all.
func peek(kind, id int) (pid int, ok bool) {
	return look(kind, id, unix.WEXITED|unix.WNOWAIT)
}

func look(kind, id, what int) (pid int, ok bool) {
	for {
		var info siginfo
		err := waitid(kind, id, &info, what|unix.WNOHANG)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return int(info.Pid), err == nil
	}
}

func wait(pid int) (Status, bool) {
	for {
		var ws unix.WaitStatus
		got, err := unix.Wait4(pid, &ws, unix.WNOHANG, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return statusOf(ws), err == nil && got == pid
	}
}
