package memory

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Senders looks for descriptors that are on their way in Unix sockets.
type Senders struct {
	sent    func(pid int) uint64 // nil: the kernel is asked
	mu      sync.Mutex
	looking map[string]bool // at whom an earlier look still hangs
}

// Most is the container that has the most of them in the sockets of its processes, and
// how many; "" if none has one. Of a socket that is itself on its way nobody tells what is in it. Who
// cannot be looked at within patience is left out, until that look comes to an end.
func (s *Senders) Most(pids map[string][]int, patience time.Duration) (most string, found uint64) {
	type count struct {
		name string
		n    uint64
	}
	counts, waited := make(chan count, len(pids)), 0
	for name, all := range pids {
		if !s.begin(name) {
			continue
		}
		waited++
		go func() {
			n := s.of(all)
			s.end(name)
			counts <- count{name, n}
		}()
	}
	late := time.After(patience)
	for range waited {
		select {
		case c := <-counts:
			if c.n > found {
				most, found = c.name, c.n
			}
		case <-late:
			return most, found
		}
	}
	return most, found
}

func (s *Senders) begin(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.looking == nil {
		s.looking = map[string]bool{}
	}
	was := s.looking[name]
	s.looking[name] = true
	return !was
}

func (s *Senders) end(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.looking, name)
}

func (s *Senders) of(pids []int) (sum uint64) {
	sent := s.sent
	if sent == nil {
		sent = open{proc: "/proc", sameFiles: sameFiles}.sent
	}
	for _, pid := range pids {
		sum += sent(pid)
	}
	return sum
}

// sent is how many descriptors wait in the sockets of a process. A descriptor that
// is exchanged for another while it is looked at may be one about which the kernel asks a file
// system: that is why nobody waits for it for ever.
func (o open) sent(pid int) (sum uint64) {
	o.tasks(pid, func(dir string) bool {
		sockets(dir, func(fd, _ string) bool {
			sum += scmFDs(dir + "/fdinfo/" + fd)
			return true
		})
		return true
	})
	return sum
}

// scmFDs reads the line that a Unix socket's file in fdinfo has (Linux 5.5,
// net/unix/af_unix.c); 0 of other sockets.
func scmFDs(file string) uint64 {
	f, err := os.Open(file)
	if err != nil {
		return 0
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if value, is := strings.CutPrefix(s.Text(), "scm_fds:"); is {
			n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 64)
			if err != nil {
				return 0
			}
			return n
		}
	}
	return 0
}
