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

// Behind is how much memory hangs on netlink sockets that processes have open, which
// is counted for no group. It stops to count at most, in bytes.
func Behind(pids []int, most uint64) uint64 {
	o := open{proc: "/proc", protocol: protocol, sameFiles: sameFiles}
	return o.behind(pids, most)
}

// open are the files that processes have open.
type open struct {
	proc      string
	protocol  func(fd string) string
	sameFiles func(a, b int) bool
	// waiting is what waits in sockets, by their inodes, by network namespace; counted are
	// the sockets that were: processes share them.
	waiting map[string]map[string]uint64
	counted map[string]bool
}

// protocol is the name of that of a socket, which its attribute tells; "" of what is none.
func protocol(fd string) string {
	name := make([]byte, 32)
	n, err := unix.Getxattr(fd, "system.sockprotoname", name)
	if err != nil {
		return ""
	}
	return unix.ByteSliceToString(name[:n])
}

// kcmpFiles asks kcmp(2) whether two threads have one table of files
// (include/uapi/linux/kcmp.h).
const kcmpFiles = 2

func sameFiles(a, b int) bool {
	order, _, errno := unix.Syscall6(unix.SYS_KCMP, uintptr(a), uintptr(b), kcmpFiles, 0, 0, 0)
	return errno == 0 && order == 0
}

func (o open) behind(pids []int, most uint64) (sum uint64) {
	o.waiting, o.counted = map[string]map[string]uint64{}, map[string]bool{}
	for _, pid := range pids {
		if sum += o.ofProcess(pid, most-sum); sum >= most {
			return most
		}
	}
	return sum
}

// ofProcess looks at each table of files that a process has: threads may have their
// own, and the first one, whose table /proc/PID/fd shows, may have ended before the others.
func (o open) ofProcess(pid int, most uint64) (sum uint64) {
	tasks := o.proc + "/" + strconv.Itoa(pid) + "/task"
	entries, err := os.ReadDir(tasks)
	if err != nil {
		return 0 // it has ended meanwhile
	}
	last := 0
	for _, e := range entries {
		tid, err := strconv.Atoi(e.Name())
		if err != nil || last != 0 && o.sameFiles(last, tid) {
			continue
		}
		last = tid
		if sum += o.ofTask(tasks+"/"+e.Name(), most-sum); sum >= most {
			break
		}
	}
	return sum
}

func (o open) ofTask(dir string, most uint64) (sum uint64) {
	ns, err := os.Readlink(dir + "/ns/net")
	if err != nil {
		return 0
	}
	if o.waiting[ns] == nil {
		o.waiting[ns] = netlink(dir + "/net/netlink")
	}
	// A directory of descriptors is read in parts: a process may have a million.
	f, err := os.Open(dir + "/fd")
	if err != nil {
		return 0
	}
	defer f.Close()
	for err == nil && sum < most {
		var names []string
		names, err = f.Readdirnames(256)
		for _, name := range names {
			fd := dir + "/fd/" + name
			inode, is := strings.CutPrefix(link(fd), "socket:[")
			inode = strings.TrimSuffix(inode, "]")
			if is && !o.counted[inode] && o.protocol(fd) == "NETLINK" {
				o.counted[inode] = true
				sum += behindSocket + o.waiting[ns][inode]
			}
		}
	}
	return sum
}

func link(name string) string {
	target, err := os.Readlink(name)
	if err != nil {
		return ""
	}
	return target
}

// netlink is what waits in the netlink sockets of a network namespace, in bytes, by
// inode; little is left out. The columns are sk, Eth, Pid, Groups, Rmem, Wmem, Dump,
// Locks, Drops, Inode (net/netlink/af_netlink.c).
func netlink(file string) map[string]uint64 {
	all := map[string]uint64{}
	f, err := os.Open(file)
	if err != nil {
		return all
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		words := strings.Fields(s.Text())
		if len(words) < 10 {
			continue
		}
		if n, err := strconv.ParseUint(words[4], 10, 64); err == nil && n >= behindSocket {
			all[words[9]] = n
		}
	}
	return all
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
