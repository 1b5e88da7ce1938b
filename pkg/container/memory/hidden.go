package memory

import (
	"bufio"
	"context"
	"os"
	"strconv"
	"strings"
	"time"
)

// behindLock is what the kernel takes for a lock on a part of a file and counts for no
// group, in bytes, as measured with Linux 6.1.
const behindLock = 200

// Hidden is memory that hangs on what only descriptors themselves tell of, and is counted
// for no group, in bytes.
type Hidden struct {
	// Sent is what hangs at least on descriptors that are on their way in Unix sockets, if
	// all are netlink sockets. Of a socket that is itself on its way nobody tells what is in it.
	Sent uint64
	// Locks is what hangs on locks of files.
	Locks uint64
}

// Lookers look at containers for what is hidden. They belong to one goroutine.
type Lookers struct {
	look func(pid int, enough uint64) Hidden // nil: the kernel is asked
	busy map[string]chan Hidden              // at whom a look goes on
}

// Look finds it out for containers with these processes. No more than enough is counted for
// one. A look that takes longer than patience goes on, and what it finds is told by a later
// call: a descriptor may be exchanged at any moment for one about which the kernel asks a file
// system that never answers.
func (l *Lookers) Look(pids map[string][]int, enough uint64, patience time.Duration) map[string]Hidden {
	if l.busy == nil {
		l.busy = map[string]chan Hidden{}
	}
	for name, all := range pids {
		if l.busy[name] == nil {
			found := make(chan Hidden, 1)
			l.busy[name] = found
			go func() { found <- l.of(all, enough) }()
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	all := map[string]Hidden{}
	for name, found := range l.busy {
		select {
		case all[name] = <-found:
			delete(l.busy, name)
		case <-ctx.Done():
		}
	}
	return all
}

func (l *Lookers) of(pids []int, enough uint64) (sum Hidden) {
	look := l.look
	if look == nil {
		look = open{proc: "/proc", sameFiles: sameFiles}.hidden
	}
	for _, pid := range pids {
		if sum.add(look(pid, enough)) >= enough {
			break
		}
	}
	return sum
}

func (h *Hidden) add(more Hidden) (most uint64) {
	h.Sent += more.Sent
	h.Locks += more.Locks
	return max(h.Sent, h.Locks)
}

func (o open) hidden(pid int, enough uint64) (sum Hidden) {
	o.tasks(pid, func(dir string) bool {
		descriptors(dir, func(fd string) bool { return sum.add(fdinfo(dir+"/fdinfo/"+fd)) < enough })
		return max(sum.Sent, sum.Locks) < enough
	})
	return sum
}

// fdinfo reads what a descriptor's file of that name has: a line for each lock of its
// file that is the process's or the descriptor's, and how many descriptors wait in a Unix
// socket (proc_pid_fdinfo(5), Linux 5.5).
func fdinfo(file string) (h Hidden) {
	f, err := os.Open(file)
	if err != nil {
		return h
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if value, is := strings.CutPrefix(s.Text(), "scm_fds:"); is {
			n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 32)
			if err == nil {
				h.Sent = n * behindSocket
			}
		}
		if strings.HasPrefix(s.Text(), "lock:") {
			h.Locks += behindLock
		}
	}
	return h
}
