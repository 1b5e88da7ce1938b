package memory

import (
	"bytes"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// behindLock is what the kernel takes for the lock of a file, or of a part of one, and
// counts for no group, in bytes (Linux 6.1, /proc/slabinfo).
const behindLock = 216

// locker is an open file that has locks of its own (OFD, flock, leases), by a descriptor of it. Processes share it
// after a fork, and when it is sent.
type locker struct {
	tid, fd   int
	container string
	takes     uint64 // bytes
	others    bool   // another container has it too
}

// lockers are all of them in the kernel's order, by what they lock: one file may be open thousands of times.
type lockers map[string][]*locker

// forget takes back what several containers have: one may have sent it to have the other ended.
func (all lockers) forget(sums Behind) {
	for _, files := range all {
		for _, l := range files {
			if l.others {
				sums[l.container] -= l.takes
			}
		}
	}
}

// inOnePiece tells by a link what has no locks that are looked for, while the kernel shows all that is watched by it,
// or under way, in one piece.
func inOnePiece(target []byte) bool {
	switch string(target) {
	case "anon_inode:inotify", "anon_inode:[eventpoll]", "anon_inode:[fanotify]", "anon_inode:[io_uring]":
		return true
	}
	return false
}

// locks is what is taken for the locks that a descriptor shows, which are no one else's: those of its table of
// files (POSIX), which each descriptor of the same file shows, and those of the open file. For each new lock the kernel
// looks through all of that file, so no descriptor shows very many.
func (o *open) locks(t table, infos int, fd string) uint64 {
	of := o.readLocks(infos, fd)
	if t.locked[of.file] {
		of.own = 0
	} else if of.own > 0 {
		t.locked[of.file] = true
	}
	if of.shared > 0 {
		number, err := strconv.Atoi(fd)
		if err != nil || !o.isFirst(of.file, &locker{tid: t.tid, fd: number, container: t.container, takes: of.shared * behindLock}) {
			of.shared = 0
		}
	}
	return (of.own + of.shared) * behindLock
}

func (o *open) isFirst(file string, l *locker) bool {
	known := o.lockers[file]
	at, seen := slices.BinarySearchFunc(known, l, o.byFile)
	if !seen {
		o.lockers[file] = slices.Insert(known, at, l)
		return true
	}
	known[at].others = known[at].others || known[at].container != l.container
	return false
}

// shown are the locks of a descriptor, by whose they are, and their file: device and inode.
type shown struct {
	own, shared uint64
	file        string
}

// readLocks reads into the one buffer. The kernel writes all of such a file before it gives the
// first part of it, so a part that is short is the last.
func (o *open) readLocks(infos int, fd string) (all shown) {
	info, err := unix.Openat(infos, fd, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return all // it was closed meanwhile
	}
	defer unix.Close(info)
	for rest := 0; ; {
		n, err := unix.Read(info, o.buffer[rest:])
		if err != nil {
			return all
		}
		text, more := o.buffer[:rest+n], rest+n == len(o.buffer)
		for line, after, whole := bytes.Cut(text, newline); whole; line, after, whole = bytes.Cut(text, newline) {
			all.add(line)
			text = after
		}
		if rest = copy(o.buffer, text); !more || rest == len(o.buffer) {
			return all
		}
	}
}

var newline, lock, posix = []byte("\n"), []byte("lock:"), []byte(": POSIX ")

// add reads lines like "lock:\t1: POSIX  ADVISORY  WRITE 6950 fe:00:99 5 5".
func (all *shown) add(line []byte) {
	if !bytes.HasPrefix(line, lock) {
		return
	}
	if bytes.Contains(line, posix) {
		all.own++
	} else {
		all.shared++
	}
	if all.file == "" {
		if words := bytes.Fields(line); len(words) > 6 {
			all.file = string(words[6])
		}
	}
}

// byFile and byTable ask kcmp(2) for the order of open files and of tables of files (include/uapi/linux/kcmp.h). What
// has ended is like no other.
func byFile(a, b *locker) int { return kcmp(a.tid, b.tid, 0, a.fd, b.fd) }

func byTable(a, b int) int { return kcmp(a, b, 2, 0, 0) }

func kcmp(a, b, kind, x, y int) int {
	order, _, errno := unix.Syscall6(unix.SYS_KCMP, uintptr(a), uintptr(b), uintptr(kind), uintptr(x), uintptr(y), 0)
	if errno != 0 || order == 1 {
		return -1
	}
	return int(order)
}
