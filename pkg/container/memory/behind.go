package memory

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// behindSocket is what the kernel takes for a netlink socket and counts for no
// group, in bytes, as measured with Linux 6.1. Other sockets, and what waits in
// them, are counted.
const behindSocket = 2 << 10

// Behind is memory that hangs on netlink sockets which containers have open, and on locks of files, and is
// counted for no group, in bytes, by container. A socket that several have counts for one of them.
type Behind map[string]uint64

// LookBehind finds it out for containers with these processes. No more than enough is
// counted for one, and a container is not looked at for longer than patience: it may have
// millions of descriptors for that. What is on its way in other sockets counts for nobody,
// as it may wait at somebody who has not asked for it.
func LookBehind(pids map[string][]int, enough uint64, patience time.Duration) Behind {
	return nothingSeen("/proc").behind(pids, enough, func() func() bool {
		until := time.Now().Add(patience)
		return func() bool { return time.Now().After(until) }
	})
}

// Over is who has the floor and more behind it.
func (b Behind) Over(floor uint64) (names []string) {
	for name, sum := range b {
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
	sameFile  func(a, b descriptor) bool
	// tables say what netlink sockets take that have an address, by inodes, of all network
	// namespaces that have been looked at.
	tables     map[string]uint64
	namespaces map[string]bool
	counted    map[string]bool // sockets: processes share them
	lockers    map[place]descriptor
}

func nothingSeen(proc string) open {
	return open{
		proc: proc, isNetlink: isNetlink, sameFiles: sameFiles, sameFile: sameFile,
		namespaces: map[string]bool{}, tables: map[string]uint64{}, counted: map[string]bool{}, lockers: map[place]descriptor{},
	}
}

// kcmpFiles asks kcmp(2) whether two threads have one table of files
// (include/uapi/linux/kcmp.h).
const kcmpFiles = 2

func sameFiles(a, b int) bool {
	order, _, errno := unix.Syscall6(unix.SYS_KCMP, uintptr(a), uintptr(b), kcmpFiles, 0, 0, 0)
	return errno == 0 && order == 0
}

// behind asks clock for what says that a container's time is over.
func (o open) behind(pids map[string][]int, enough uint64, clock func() (over func() bool)) Behind {
	// A socket may be another's namespace's than the process's that has it.
	for _, processes := range pids {
		over := clock()
		for _, pid := range processes {
			o.tasks(pid, func(dir string) bool { o.namespace(dir); return !over() })
		}
	}
	all := Behind{}
	for name, processes := range pids {
		over := clock()
		for _, pid := range processes {
			o.tasks(pid, func(dir string) bool {
				all[name] += o.ofTask(dir, enough-min(enough, all[name]), over)
				return all[name] < enough && !over()
			})
		}
	}
	return all
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
		netlink(dir+"/net/netlink", o.tables)
	}
}

// ofTask goes through a table of files. Its directory is read in parts: a process may have
// a million descriptors.
func (o open) ofTask(dir string, enough uint64, over func() bool) (sum uint64) {
	f, err := os.Open(dir + "/fd")
	if err != nil {
		return 0
	}
	defer f.Close()
	for err == nil && !over() {
		var names []string
		names, err = f.Readdirnames(256)
		for _, name := range names {
			// Where the link leads the kernel says by itself.
			target := link(dir + "/fd/" + name)
			sum += o.ofSocket(dir+"/fd/"+name, target) + o.locks(dir, name, target)
			if sum >= enough {
				return sum
			}
		}
	}
	return sum
}

func (o open) ofSocket(fd, target string) uint64 {
	inode, is := strings.CutPrefix(target, "socket:[")
	if !is || o.counted[inode] {
		return 0
	}
	o.counted[inode] = true
	takes, listed := o.tables[strings.TrimSuffix(inode, "]")]
	if !listed && o.isNetlink(fd) {
		return behindSocket
	}
	return takes
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
