package reap

import "golang.org/x/sys/unix"

// KeepGoing continues p whenever a signal such as SIGSTOP has stopped it, and
// calls told. The kernel tells a parent of that as it does of an end, so it
// costs nothing to wait for. What stops under a debugger is the debugger's.
func (r *Reaper) KeepGoing(p *Process, told func()) {
	r.mu.Lock()
	p.onStop = told
	r.mu.Unlock()
	select {
	case r.sigchld <- unix.SIGCHLD: // it may have stopped already
	default:
	}
}

// continueStopped looks after those of KeepGoing.
func (r *Reaper) continueStopped() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.children {
		if p.onStop == nil {
			continue
		}
		pid, ok := look(unix.P_PID, p.pid, unix.WSTOPPED)
		if !ok || pid == 0 {
			continue
		}
		if unix.Kill(p.pid, unix.SIGCONT) == nil {
			go p.onStop()
		}
	}
}
