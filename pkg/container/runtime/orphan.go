package runtime

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/reap"
)

// orphanTime is how old a runtime whose supervisor died may get. Its own age
// counts: supervisors that follow each other fast do not lengthen its life.
const orphanTime = 30 * time.Second

// dieTime is how long one that was killed then has to die.
const dieTime = 2 * time.Second

// forkTime is how long what a dead supervisor has forked may take to become a
// runtime. Only so long is anything taken for that which looks like it.
const forkTime = time.Second

// AwaitOrphans waits until no OCI runtime is at work for a container any more:
// one that a killed supervisor had started goes on, and what it will leave is
// not known before it ends. One that takes too long is killed, and at once when
// ctx ends. Waits hears for which process it waits.
func AwaitOrphans(ctx context.Context, id string, waits func(pid int)) error {
	begin := time.Now()
	var killed time.Time
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		found, forked, err := runtimesFor(id)
		if err != nil || len(found) == 0 && !(forked && time.Since(begin) < forkTime) {
			return err
		}
		if len(found) > 0 {
			waits(found[0].Pid)
		}
		if killed.IsZero() && (ctx.Err() != nil || slices.ContainsFunc(found, tooOld)) {
			killed = time.Now()
		}
		if !killed.IsZero() {
			if time.Since(killed) > dieTime {
				return fmt.Errorf("the runtime of %s %w", id, reap.ErrStays)
			}
			for _, p := range found {
				if err := p.Signal(unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
					return fmt.Errorf("end the runtime of %s: %w", id, err)
				}
			}
		}
		time.Sleep(pause)
	}
}

// endOthers ends what a runtime that has ended has left at work for a container: crun
// does its work in a process that is no child of it. It names the hook among it.
func endOthers(c Call) (hook string) {
	for range 10 {
		found, _, err := runtimesFor(c.ID)
		if err != nil || len(found) == 0 {
			return hook
		}
		for _, p := range found {
			// Stopped, it starts nothing more.
			if p.Signal(unix.SIGSTOP) != nil {
				continue // it has ended meanwhile
			}
			if name := killTree(p.Pid, c.Hooks); name != "" {
				hook = name
			}
			_ = p.Signal(unix.SIGKILL)
		}
		time.Sleep(time.Millisecond)
	}
	return hook
}

// ticks are those of Ident.Start in a second: USER_HZ, the same on all
// architectures of ours.
const ticks = 100

func tooOld(p reap.Ident) bool {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return false
	}
	return time.Duration(now.Nano())-time.Duration(p.Start)*(time.Second/ticks) > orphanTime
}

// runtimesFor finds processes whose last argument is the container's id and
// that were called as our driver calls a runtime; forked says that there are
// some that may be about to be called so.
func runtimesFor(id string) (found []reap.Ident, forked bool, err error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, false, err
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		data := reap.ReadProc(pid, "cmdline") // processes come and go, or hang
		is, will := callsRuntime(data, id), isForked(data, pid)
		if !is && !will || !sharesMounts(pid) {
			continue
		}
		if p, err := reap.Identify(pid); err == nil && p.Alive() {
			forked = forked || will
			if is {
				found = append(found, p)
			}
		}
	}
	return found, forked, nil
}

// sharesMounts tells whether a process sees the same mounts as we do, as each of
// our runtimes does. One in a container that goes by the same words is none, and
// is neither waited for nor killed.
func sharesMounts(pid int) bool {
	ours, err := os.Readlink("/proc/self/ns/mnt")
	its, itsErr := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", pid))
	return err == nil && itsErr == nil && ours == its
}

// isForked tells whether a process is what a dead supervisor forked to be a
// runtime, and that has not come to be one yet. It goes by its parent's name.
func isForked(cmdline []byte, pid int) bool {
	args := bytes.Split(cmdline, []byte{0})
	if len(args) < 2 || string(args[1]) != "supervise" || pid == os.Getpid() {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	// Our own are no concern: who starts one knows of it.
	return err == nil && len(fields) > 1 && string(fields[1]) != strconv.Itoa(os.Getpid())
}

func callsRuntime(cmdline []byte, id string) bool {
	args := bytes.Split(bytes.TrimRight(cmdline, "\x00"), []byte{0})
	if len(args) < 4 || string(args[len(args)-1]) != id {
		return false
	}
	is := func(verb string) bool {
		return slices.ContainsFunc(args[1:], func(a []byte) bool { return string(a) == verb })
	}
	return is("--root") && is("--log") && !is("exec") && (is("run") || is("create") || is("start"))
}
