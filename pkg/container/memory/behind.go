package memory

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// behindSocket is what the kernel takes for a netlink socket and counts for no
// group, in bytes, as measured with Linux 6.1. Other sockets, and what waits in
// them, are counted.
const behindSocket = 2 << 10

// Sent is how much hangs on so many sockets of which nothing else is known, in bytes.
func Sent(sockets uint64) uint64 { return sockets * behindSocket }

// Behind is memory that hangs on netlink sockets of containers and is counted for no
// group, in bytes.
type Behind struct {
	// By is who has them open. One that several have counts for the first.
	By map[string]uint64
	// Sent hangs on sockets that no process of a container has open. They are on their
	// way in other sockets.
	Sent uint64
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
	b := Behind{By: map[string]uint64{}}
	// A socket may be another's namespace's than the process's that has it.
	for _, all := range pids {
		for _, pid := range all {
			o.tasks(pid, func(dir string) bool { o.namespace(dir); return true })
		}
	}
	for name, all := range pids {
		for _, pid := range all {
			o.tasks(pid, func(dir string) bool {
				b.By[name] += o.ofTask(dir, enough-b.By[name])
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
	last := 0
	for _, e := range entries {
		tid, err := strconv.Atoi(e.Name())
		if err != nil || last != 0 && o.sameFiles(last, tid) {
			continue
		}
		last = tid
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

func (o open) ofTask(dir string, enough uint64) (sum uint64) {
	sockets(dir, func(fd, inode string) bool {
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
	return sum
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

// sockets goes through those of a table of files, by descriptor and inode. A
// directory of descriptors is read in parts: a process may have a million.
func sockets(dir string, do func(fd, inode string) (more bool)) {
	f, err := os.Open(dir + "/fd")
	if err != nil {
		return
	}
	defer f.Close()
	for err == nil {
		var names []string
		names, err = f.Readdirnames(256)
		for _, name := range names {
			// Where the link leads the kernel says by itself.
			inode, is := strings.CutPrefix(link(dir+"/fd/"+name), "socket:[")
			if is && !do(name, strings.TrimSuffix(inode, "]")) {
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

// Free is what the machine has left, in bytes: free, or in the cache of files.
// MemAvailable counts half of all sockets in, which cannot be had back. The part that
// the kernel keeps for itself (vm.min_free_kbytes, up to its low mark, a quarter
// more) is nobody else's.
func Free() (uint64, error) {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	text, err := os.ReadFile("/proc/sys/vm/min_free_kbytes")
	if err != nil {
		return 0, err
	}
	own, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("/proc/sys/vm/min_free_kbytes: %w", err)
	}
	return free(f, own<<10/4*5)
}

func free(meminfo io.Reader, own uint64) (sum uint64, err error) {
	found := 0
	for s := bufio.NewScanner(meminfo); s.Scan(); {
		words := strings.Fields(s.Text())
		if len(words) < 2 {
			continue
		}
		switch words[0] {
		case "MemFree:", "Active(file):", "Inactive(file):":
			kb, err := strconv.ParseUint(words[1], 10, 64)
			if err != nil {
				return 0, err
			}
			sum, found = sum+kb<<10, found+1
		}
	}
	if found != 3 {
		return 0, errors.New("/proc/meminfo does not say what is free")
	}
	return sum - min(sum, own), nil
}
