package memory

import (
	"bufio"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// behindSocket is what the kernel takes for a netlink socket and counts for no
// group, in bytes, as measured with Linux 6.1. Other sockets, and what waits in
// them, are counted.
const behindSocket = 2 << 10

// Behind is memory that hangs on netlink sockets of containers and is counted for no
// group, in bytes.
type Behind struct {
	// By is who has them open. One that several have counts for the first.
	By map[string]uint64
	// Sent hangs on sockets that no process of a container has open. They are on their
	// way in other sockets.
	Sent uint64
	// Sockets is how many of all kinds each has open.
	Sockets map[string]int
}

// manySockets is how many make a container one whose sockets may have taken what the
// kernel lacks: an option of a socket, or a filter, takes up to 20 KB (net.core.optmem_max).
const manySockets = 1000

// Crowd is who has the most sockets open, if these are many; "" otherwise.
func (b Behind) Crowd() (name string) {
	most := manySockets - 1
	for n, sockets := range b.Sockets {
		if sockets > most {
			name, most = n, sockets
		}
	}
	return name
}

// LookBehind finds it out for containers with these processes. No more than enough is
// counted for one; Sent may then be too much. It does not tell of sockets that have no
// address, which the kernel's tables do not have.
func LookBehind(pids map[string][]int, enough uint64) Behind {
	o := open{proc: "/proc", isNetlink: isNetlink, sameFiles: sameFiles, namespaces: map[string]bool{}, left: map[string]uint64{}, counted: map[string]bool{}}
	return o.behind(pids, enough)
}

// Over is who has the floor and more behind it.
func (b Behind) Over(floor uint64) (names []string) {
	for name, sum := range b.By {
		if sum >= floor {
			names = append(names, name)
		}
	}
	return names
}

// open are the files that processes have open.
type open struct {
	proc      string
	isNetlink func(fd string) bool
	sameFiles func(a, b int) bool
	// left is what netlink sockets take that are found with no process yet, by inodes, of
	// all network namespaces that have been looked at.
	left       map[string]uint64
	namespaces map[string]bool
	counted    map[string]bool // sockets: processes share them
}

// kcmpFiles asks kcmp(2) whether two threads have one table of files
// (include/uapi/linux/kcmp.h).
const kcmpFiles = 2

func sameFiles(a, b int) bool {
	order, _, errno := unix.Syscall6(unix.SYS_KCMP, uintptr(a), uintptr(b), kcmpFiles, 0, 0, 0)
	return errno == 0 && order == 0
}

func (o open) behind(pids map[string][]int, enough uint64) Behind {
	b := Behind{By: map[string]uint64{}, Sockets: map[string]int{}}
	// A socket may be another's namespace's than the process's that has it.
	for _, all := range pids {
		for _, pid := range all {
			o.tasks(pid, func(dir string) bool { o.namespace(dir); return true })
		}
	}
	for name, all := range pids {
		for _, pid := range all {
			o.tasks(pid, func(dir string) bool {
				sum, n := o.ofTask(dir, enough-min(enough, b.By[name]))
				b.By[name] += sum
				b.Sockets[name] += n
				return b.By[name] < enough
			})
		}
	}
	for _, sum := range o.left {
		b.Sent += sum
	}
	return b
}

// tasks goes through the tables of files that a process has: threads may have their
// own, and the first one, whose table /proc/PID/fd shows, may have ended before the others.
func (o open) tasks(pid int, do func(dir string) (more bool)) {
	tasks := o.proc + "/" + strconv.Itoa(pid) + "/task"
	entries, err := os.ReadDir(tasks)
	if err != nil {
		return // it has ended meanwhile
	}
	var seen []int
	for _, e := range entries {
		tid, err := strconv.Atoi(e.Name())
		if err != nil || slices.ContainsFunc(seen, func(one int) bool { return o.sameFiles(one, tid) }) {
			continue
		}
		if len(seen) < 64 { // each is compared with all: who has more is counted more
			seen = append(seen, tid)
		}
		if !do(tasks + "/" + e.Name()) {
			return
		}
	}
}

func (o open) namespace(dir string) {
	if ns := link(dir + "/ns/net"); ns != "" && !o.namespaces[ns] {
		o.namespaces[ns] = true
		netlink(dir+"/net/netlink", o.left)
	}
}

func (o open) ofTask(dir string, enough uint64) (sum uint64, n int) {
	sockets(dir, func(fd, inode string) bool {
		if !o.counted[inode] {
			n++
		}
		takes, listed := o.left[inode]
		switch {
		case listed:
			sum += takes
			delete(o.left, inode)
		case o.isNetlink(dir+"/fd/"+fd) && !o.counted[inode]:
			sum += behindSocket
		}
		o.counted[inode] = true
		return sum < enough
	})
	return sum, n
}

// isNetlink asks the attribute of a socket that names its protocol. It asks of a handle
// on what the descriptor stands for: the descriptor may be exchanged at any moment for a file
// whose file system never answers.
func isNetlink(fd string) bool {
	handle, err := unix.Open(fd, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(handle) // which asks nobody
	file := "/proc/thread-self/fd/" + strconv.Itoa(handle)
	if !strings.HasPrefix(link(file), "socket:[") {
		return false
	}
	name := make([]byte, 32)
	n, err := unix.Getxattr(file, "system.sockprotoname", name)
	return err == nil && unix.ByteSliceToString(name[:n]) == "NETLINK"
}

// sockets goes through those of a table of files, by descriptor and inode.
func sockets(dir string, do func(fd, inode string) (more bool)) {
	descriptors(dir, func(fd string) bool {
		// Where the link leads the kernel says by itself.
		inode, is := strings.CutPrefix(link(dir+"/fd/"+fd), "socket:[")
		return !is || do(fd, strings.TrimSuffix(inode, "]"))
	})
}

// descriptors goes through those of a table of files. Its directory is read in parts: a
// process may have a million.
func descriptors(dir string, do func(fd string) (more bool)) {
	f, err := os.Open(dir + "/fd")
	if err != nil {
		return
	}
	defer f.Close()
	for err == nil {
		var names []string
		names, err = f.Readdirnames(256)
		for _, name := range names {
			if !do(name) {
				return
			}
		}
	}
}

func link(name string) string {
	target, err := os.Readlink(name)
	if err != nil {
		return ""
	}
	return target
}

// netlink adds what the netlink sockets of a network namespace take, in bytes, by
// inode. The columns are sk, Eth, Pid, Groups, Rmem, Wmem, Dump, Locks, Drops, Inode
// (net/netlink/af_netlink.c).
func netlink(file string, all map[string]uint64) {
	f, err := os.Open(file)
	if err != nil {
		return
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		words := strings.Fields(s.Text())
		if len(words) < 10 {
			continue
		}
		if n, err := strconv.ParseUint(words[4], 10, 64); err == nil {
			all[words[9]] = behindSocket + n
		}
	}
}
