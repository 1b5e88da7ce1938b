package memory

import (
	"bufio"
	"errors"
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
	return open{"/proc", protocol}.behind(pids, most)
}

// open are the files that processes have open.
type open struct {
	proc     string
	protocol func(fd string) string
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

func (o open) behind(pids []int, most uint64) (sum uint64) {
	waiting := map[string]map[string]uint64{} // by network namespace, by socket
	for _, pid := range pids {
		dir := o.proc + "/" + strconv.Itoa(pid)
		ns, err := os.Readlink(dir + "/ns/net")
		if err != nil {
			continue // it has ended meanwhile
		}
		if waiting[ns] == nil {
			waiting[ns] = netlink(dir + "/net/netlink")
		}
		if sum += o.of(dir+"/fd/", waiting[ns], most-sum); sum >= most {
			return most
		}
	}
	return sum
}

// of reads a directory of descriptors in parts: a process may have a million.
func (o open) of(dir string, waiting map[string]uint64, most uint64) (sum uint64) {
	f, err := os.Open(dir)
	if err != nil {
		return 0
	}
	defer f.Close()
	for err == nil && sum < most {
		var names []string
		names, err = f.Readdirnames(256)
		for _, name := range names {
			inode, is := strings.CutPrefix(link(dir+name), "socket:[")
			if is && o.protocol(dir+name) == "NETLINK" {
				sum += behindSocket + waiting[strings.TrimSuffix(inode, "]")]
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
// MemAvailable counts half of all sockets in, which cannot be had back.
func Free() (uint64, error) {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return free(f)
}

func free(meminfo io.Reader) (sum uint64, err error) {
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
	return sum, nil
}
