package boot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"slipway/pkg/container/mount"
)

// swapSpace is a line of /proc/swaps. Its name is the path by which it was turned
// on, perhaps in a mount namespace that is gone: then it leads nowhere, or
// somewhere else.
type swapSpace struct {
	name      string
	partition bool
	deleted   bool  // a file that has no name any more
	size      int64 // bytes that are used of it, without its first page
}

func parseSwaps(text string) (list []swapSpace) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 3 || !strings.HasPrefix(f[0], "/") {
			continue
		}
		kilobytes, err := strconv.ParseInt(f[2], 10, 64)
		if err != nil {
			continue
		}
		s := swapSpace{name: mount.Unescape(f[0]), partition: f[1] == "partition", size: kilobytes << 10}
		s.name, s.deleted = strings.CutSuffix(s.name, " (deleted)")
		list = append(list, s)
	}
	return list
}

// leaveSwap gives up swap, which holds no data by now but keeps its disk in use.
// What is returned is closed when all of it is off.
func (m *Machine) leaveSwap(ctx context.Context, l *leaver) <-chan struct{} {
	done := make(chan struct{})
	data, err := os.ReadFile("/proc/swaps")
	if err != nil {
		data = nil // a kernel without swap has no such file
	}
	var left sync.WaitGroup
	for _, s := range parseSwaps(string(data)) {
		left.Add(1)
		j := &job{what: "swap on " + s.name}
		l.add(j, func() error {
			defer left.Done()
			return l.call(j, "swapoff", func() error { return s.off(ctx) })
		})
	}
	go func() { left.Wait(); close(done) }()
	return done
}

// off turns it off by whatever path leads to it. A wrong one does no harm: the
// kernel takes only what it swaps to.
func (s swapSpace) off(ctx context.Context) error {
	err := swapoff(s.name)
	if err == nil || errors.Is(err, unix.ENOMEM) {
		return err
	}
	disks, globErr := blockDisks()
	if s.partition {
		for _, node := range disks {
			if swapoff(node) == nil {
				return nil
			}
		}
		return errors.Join(err, globErr)
	}
	table, tableErr := mount.Table()
	for _, e := range table {
		delete(disks, e.Dev) // what is mounted is looked at by itself
	}
	for _, e := range leave(table) {
		if _, disk := diskNode(e.Dev); disk && s.offBelow(e.Target) {
			return nil
		}
	}
	// Its filesystem is mounted where nobody sees it: the disk tells.
	for _, node := range disks {
		if taken, takenErr := isTaken(node); ctx.Err() != nil || takenErr != nil || !taken {
			continue
		}
		found := false
		mountErr := withMount(node, diskTypes(), func(dir string) error { found = s.offBelow(dir); return nil })
		if found {
			return mountErr
		}
	}
	if s.deleted {
		err = fmt.Errorf("its file has been deleted: %w", err)
	}
	return errors.Join(err, globErr, tableErr)
}

// offBelow looks for the file below a directory: the container had the same directory,
// or one below it, under another name.
func (s swapSpace) offBelow(dir string) bool {
	for rest := s.name; rest != ""; {
		if swapoff(filepath.Join(dir, rest)) == nil {
			return true
		}
		_, rest, _ = strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	}
	return s.offAnywhere(dir)
}

// offAnywhere tries every file that is large enough. The kernel says of the wrong
// ones, before it touches them, that they are no swap.
func (s swapSpace) offAnywhere(dir string) (found bool) {
	walk := func(name string, e os.DirEntry, err error) error {
		switch {
		case err != nil:
			return filepath.SkipDir
		case s.couldBe(e) && swapoff(name) == nil:
			found = true
			return filepath.SkipAll
		}
		return nil
	}
	return filepath.WalkDir(dir, walk) == nil && found
}

func (s swapSpace) couldBe(e os.DirEntry) bool {
	if !e.Type().IsRegular() {
		return false
	}
	info, err := e.Info()
	return err == nil && info.Size() > s.size
}

// blockDisks lists the nodes of all disks, by MAJOR:MINOR.
func blockDisks() (map[string]string, error) {
	names, err := filepath.Glob("/sys/class/block/*/dev")
	disks := map[string]string{}
	for _, n := range names {
		if dev, readErr := os.ReadFile(n); readErr == nil {
			disks[strings.TrimSpace(string(dev))] = filepath.Join("/dev", filepath.Base(filepath.Dir(n)))
		}
	}
	return disks, err
}

// swapoff is swapoff(2), which package unix does not wrap.
func swapoff(name string) error {
	p, err := unix.BytePtrFromString(name)
	if err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_SWAPOFF, uintptr(unsafe.Pointer(p)), 0, 0); errno != 0 {
		return errno
	}
	return nil
}
