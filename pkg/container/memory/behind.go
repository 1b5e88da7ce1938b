package memory

import (
	"bufio"
	"bytes"
	"os"
	"slices"
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
// counted for no group, in bytes, by container. A socket that several have counts for one of them, locks of an open
// file that several have for none.
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
	// These compare by the kernel's order: tables of files by threads, and open files.
	byTable func(a, b int) int
	byFile  func(a, b *locker) int
	// tables say what netlink sockets take that have an address, by inodes, of all network
	// namespaces that have been looked at.
	tables     map[string]uint64
	namespaces map[string]bool
	counted    map[string]bool // sockets: processes share them
	threads    []int           // one of each table of files that was looked through, in order
	lockers    lockers
	buffer     []byte // what the kernel says of a descriptor, of each in its turn
}

func nothingSeen(proc string) *open {
	return &open{
		proc: proc, isNetlink: isNetlink, byTable: byTable, byFile: byFile,
		namespaces: map[string]bool{}, tables: map[string]uint64{}, counted: map[string]bool{}, lockers: lockers{}, buffer: make([]byte, 16<<10),
	}
}

// behind asks clock for what says that a container's time is over.
func (o *open) behind(pids map[string][]int, enough uint64, clock func() (over func() bool)) Behind {
	// A socket may be another's namespace's than the process's that has it.
	for _, processes := range pids {
		over := clock()
		for _, pid := range processes {
			o.tasks(pid, func(_ int, dir string) bool { o.namespace(dir); return !over() })
		}
	}
	all := Behind{}
	for name, processes := range pids {
		over := clock()
		for _, pid := range processes {
			o.tasks(pid, func(tid int, dir string) bool {
				if at, seen := slices.BinarySearchFunc(o.threads, tid, o.byTable); !seen {
					o.threads = slices.Insert(o.threads, at, tid)
					all[name] += o.ofTable(table{name, dir, tid, map[string]bool{}}, enough-min(enough, all[name]), over)
				}
				return all[name] < enough && !over()
			})
		}
	}
	o.lockers.forget(all)
	return all
}

// tasks goes through the tables of files that a process has: threads may have their
// own, and the first one, whose table /proc/PID/fd shows, may have ended before the others.
func (o *open) tasks(pid int, do func(tid int, dir string) (more bool)) {
	tasks := o.proc + "/" + strconv.Itoa(pid) + "/task"
	entries, err := os.ReadDir(tasks)
	if err != nil {
		return // it has ended meanwhile
	}
	last := 0
	for _, e := range entries {
		tid, err := strconv.Atoi(e.Name())
		if err != nil || last != 0 && o.byTable(last, tid) == 0 {
			continue
		}
		last = tid
		if !do(tid, tasks+"/"+e.Name()) {
			return
		}
	}
}

func (o *open) namespace(dir string) {
	if ns := link(dir + "/ns/net"); ns != "" && !o.namespaces[ns] {
		o.namespaces[ns] = true
		netlink(dir+"/net/netlink", o.tables)
	}
}

// table is a table of files, by a thread that has it.
type table struct {
	container, dir string
	tid            int
	locked         map[string]bool // files whose POSIX locks are counted
}

// ofTable goes through a table of files. Its directory is read in parts: a process may have
// a million descriptors.
func (o *open) ofTable(t table, enough uint64, over func() bool) (sum uint64) {
	f, err := os.Open(t.dir + "/fd")
	if err != nil {
		return 0
	}
	defer f.Close()
	infos, err := os.Open(t.dir + "/fdinfo")
	if err != nil {
		return 0
	}
	defer infos.Close()
	links, info := int(f.Fd()), int(infos.Fd())
	for err == nil && !over() {
		var names []string
		names, err = f.Readdirnames(256)
		for _, fd := range names {
			// Where the link leads the kernel says by itself.
			n, e := unix.Readlinkat(links, fd, o.buffer)
			if e != nil {
				continue // it was closed meanwhile
			}
			if target := o.buffer[:n]; bytes.HasPrefix(target, socket) {
				sum += o.ofSocket(t.dir+"/fd/"+fd, string(target))
			} else if inOnePiece(target) {
				continue
			}
			sum += o.locks(t, info, fd)
			if sum >= enough {
				return sum
			}
		}
	}
	return sum
}

var socket = []byte("socket:[")

func (o *open) ofSocket(fd, target string) uint64 {
	if o.counted[target] {
		return 0
	}
	o.counted[target] = true
	takes, listed := o.tables[strings.TrimSuffix(target[len(socket):], "]")]
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
