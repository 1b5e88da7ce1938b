package boot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/container/mount"
	"slipway/pkg/log/journal"
)

// leaver leaves all filesystems, each beside the others: a disk that takes
// nothing keeps those who touch it, and nobody else. What is under way with each
// is known, so that what hangs can be named.
type leaver struct {
	warn   func(what string, err error)
	caught func(what string, cause any) // hears of a panic
	slots  chan struct{}                // of Machine.diskCalls

	mu   sync.Mutex
	jobs []*job
	wait sync.WaitGroup

	reading sync.Mutex
	read    time.Time // when the table was read last
	left    left
}

// job is one filesystem, swap space or loop device that is being left.
type job struct {
	what  string // "/var (ext4 on /dev/vda)"
	dev   string // MAJOR:MINOR of its disk; "" if it has none
	doing string // in the kernel, now; "": nothing
	since time.Time
	count string // the disk's I/O when it was last looked at
	moved time.Time
	force func() // ends what waits for a server that is gone; nil: there is no way
}

func (m *Machine) newLeaver() *leaver {
	return &leaver{warn: m.warn, caught: m.caught, slots: m.diskCalls}
}

// add does something beside all the rest.
func (l *leaver) add(j *job, do func() error) {
	l.mu.Lock()
	l.jobs = append(l.jobs, j)
	l.mu.Unlock()
	l.wait.Go(func() {
		defer func() { l.caught(j.what, recover()) }()
		l.warn(j.what, do())
	})
}

// call makes a call that may hang.
func (l *leaver) call(j *job, doing string, do func() error) error {
	l.slots <- struct{}{}
	defer func() { <-l.slots }()
	set := func(what string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		j.doing, j.since = what, time.Now()
	}
	set(doing)
	defer set("")
	if err := do(); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// hangs lists what is under way.
func (l *leaver) hangs() (list []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, j := range l.jobs {
		if j.doing != "" {
			list = append(list, fmt.Sprintf("%s hangs in %s since %s", j.what, j.doing, time.Since(j.since).Round(time.Second)))
		}
	}
	return list
}

// moveTimeout is how long a disk may show no I/O before it counts as one that
// hangs. One that is only slow is waited for.
const moveTimeout = 5 * time.Second

// moves tells whether a disk that is waited for still does something.
func (l *leaver) moves() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, j := range l.jobs {
		if j.doing == "" || j.dev == "" {
			continue
		}
		count, err := os.ReadFile("/sys/dev/block/" + j.dev + "/stat")
		if err != nil {
			continue
		}
		if now := finished(string(count)); now != j.count {
			j.count, j.moved = now, time.Now()
		}
		if time.Since(j.moved) < moveTimeout {
			return true
		}
	}
	return false
}

// finished picks what a disk has finished out of its stat: reads and writes.
func finished(stat string) string {
	f := strings.Fields(stat)
	if len(f) < 5 {
		return ""
	}
	return f[0] + " " + f[4]
}

// forceTimeout is how long a server may take before it counts as gone.
const forceTimeout = 3 * time.Second

// forceHung has what waits for servers that are gone fail, once for each.
func (l *leaver) forceHung() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, j := range l.jobs {
		if j.doing != "" && j.force != nil && time.Since(j.since) > forceTimeout {
			go j.force()
			j.force = nil
		}
	}
}

// leaveFilesystems brings everything that was written to its disk.
func (m *Machine) leaveFilesystems(ctx context.Context) {
	l := m.newLeaver()
	m.leaving.Store(l)
	table, err := mount.Table()
	m.warn("read mount table", err)
	swapOff := m.leaveSwap(ctx, l)
	m.leaveLoops(l)
	m.leaveMounts(ctx, l, table, swapOff)
	done := make(chan struct{})
	go func() { l.wait.Wait(); close(done) }()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-ctx.Done():
			for _, h := range l.hangs() {
				m.Console.Printf("left behind: %s", h)
			}
			return
		case <-tick.C:
			l.forceHung()
			l.moves()
		}
	}
}

// disksMove tells whether a disk that is waited for still does something.
func (m *Machine) disksMove() bool {
	l := m.leaving.Load()
	return l != nil && l.moves()
}

// leaveMounts adds a job for every filesystem that is mounted, and the root.
func (m *Machine) leaveMounts(ctx context.Context, l *leaver, table []mount.Entry, swapOff <-chan struct{}) {
	log, _ := lies(table, journalDir)
	root, _ := lies(table, "/")
	for _, e := range oneOfEach(leave(table)) {
		f := &filesystem{leaver: l, entry: e, say: m.Console.Printf, job: newJob(e), swapOff: swapOff}
		f.keepsJournal, f.isRoot = log.Dev == e.Dev, root.Dev == e.Dev
		l.add(f.job, func() error { return f.leave(ctx) })
	}
	f := &filesystem{leaver: l, entry: root, say: m.Console.Printf, job: newJob(root)}
	f.keepsJournal = log.Dev == root.Dev
	l.add(f.job, func() error { return f.leaveRoot(ctx) })
}

// oneOfEach picks one mount of each filesystem, the one people know it by.
func oneOfEach(plan []mount.Entry) (picked []mount.Entry) {
	at := map[string]int{}
	for _, e := range plan {
		i, known := at[e.Dev]
		if !known {
			at[e.Dev] = len(picked)
			picked = append(picked, e)
		} else if len(e.Target) < len(picked[i].Target) {
			picked[i] = e
		}
	}
	return picked
}

func newJob(e mount.Entry) *job {
	j := &job{what: fmt.Sprintf("%s (%s on %s)", e.Target, e.Type, e.Source), dev: e.Dev, moved: time.Now()}
	if netTypes[e.Type] {
		j.force = func() { _ = mount.Unmount(e.Target, unix.MNT_FORCE) } // what comes of it shows
	}
	return j
}

// journalDir is where the journal is carried to.
const journalDir = "/var/log"

// lies finds the mount that a path lies on.
func lies(table []mount.Entry, name string) (on mount.Entry, ok bool) {
	for _, e := range table {
		if mount.Below(name, e.Target) && len(e.Target) >= len(on.Target) {
			on, ok = e, true // what comes later covers what came before
		}
	}
	return on, ok
}

// carryJournal brings what was said last to the disk, if /var/log is on one.
func carryJournal() error {
	if lasts, err := mount.Lasts(journalDir); err != nil || !lasts {
		return err
	}
	boot, err := journal.BootID()
	if err != nil {
		return err
	}
	return journal.Carrier{From: journalFile, To: journalDir, Boot: boot}.Carry()
}

// leavePause is between two tries.
const leavePause = 50 * time.Millisecond

// sleep is false when ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// leaveLoops frees the disks below loop devices. One that is in use is freed by
// the kernel when it no longer is; that of the root stays.
func (m *Machine) leaveLoops(l *leaver) {
	files, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	m.warn("list loop devices", err)
	for _, f := range files {
		name := "/dev/" + filepath.Base(filepath.Dir(filepath.Dir(f)))
		j := &job{what: name}
		l.add(j, func() error {
			return l.call(j, "detach", func() error { return detachLoop(name) })
		})
	}
}

func detachLoop(name string) error {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		_, err = unix.IoctlRetInt(fd, unix.LOOP_CLR_FD)
		err = errors.Join(err, unix.Close(fd))
	}
	if errors.Is(err, unix.EBUSY) || errors.Is(err, unix.ENXIO) {
		return nil
	}
	return err
}
