package memory

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// behindLock is what the kernel takes for the lock of a file, or of a part of one, and
// counts for no group, in bytes (Linux 6.1, /proc/slabinfo).
const behindLock = 216

// descriptor is a number in a thread's table of files.
type descriptor struct{ tid, fd string }

// place is what a descriptor leads to, and its number.
type place struct{ target, fd string }

// locks is what is taken for the locks that a descriptor shows, which are no one else's: those of its table of
// files (POSIX), and those of the open file (OFD, flock, leases), which processes share after a
// fork and which count once. For each new lock the kernel looks through all of that file,
// so no descriptor shows very many.
func (o open) locks(dir, fd, target string) uint64 {
	switch target {
	case "anon_inode:inotify", "anon_inode:[eventpoll]", "anon_inode:[fanotify]":
		return 0 // what is watched is shown as well, all of it in one piece
	}
	own, shared := countLocks(dir + "/fdinfo/" + fd)
	if shared == 0 {
		return own * behindLock
	}
	at, here := place{target, fd}, descriptor{filepath.Base(dir), fd}
	first, seen := o.lockers[at]
	if !seen {
		o.lockers[at] = here
	}
	if seen && o.sameFile(first, here) {
		shared = 0
	}
	return (own + shared) * behindLock
}

// countLocks reads lines like "lock:\t1: POSIX  ADVISORY  WRITE 6950 fe:00:99 5 5".
func countLocks(fdinfo string) (own, shared uint64) {
	f, err := os.Open(fdinfo)
	if err != nil {
		return 0, 0 // it was closed meanwhile
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		line := s.Text()
		switch {
		case !strings.HasPrefix(line, "lock:"):
		case strings.Contains(line, ": POSIX "):
			own++
		default:
			shared++
		}
	}
	return own, shared
}

// kcmpFile asks kcmp(2) whether two descriptors are one open file (include/uapi/linux/kcmp.h).
const kcmpFile = 0

func sameFile(a, b descriptor) bool {
	var n [4]uintptr
	for i, text := range []string{a.tid, b.tid, a.fd, b.fd} {
		number, err := strconv.Atoi(text)
		if err != nil {
			return false
		}
		n[i] = uintptr(number)
	}
	order, _, errno := unix.Syscall6(unix.SYS_KCMP, n[0], n[1], kcmpFile, n[2], n[3], 0)
	return errno == 0 && order == 0
}
