package boot

import (
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/container/mount"
)

// memoryTypes are filesystems with nothing to save. All others are unmounted: it
// is better to know what is lost with the power than to know all that is not.
var memoryTypes = map[string]bool{
	"autofs": true, "binfmt_misc": true, "bpf": true, "cgroup": true, "cgroup2": true, "configfs": true,
	"debugfs": true, "devpts": true, "devtmpfs": true, "efivarfs": true, "fusectl": true, "hugetlbfs": true,
	"mqueue": true, "nsfs": true, "proc": true, "pstore": true, "ramfs": true, "rootfs": true,
	"securityfs": true, "selinuxfs": true, "sysfs": true, "tmpfs": true, "tracefs": true,
}

// netTypes block for long when their server is gone. What waits for it can be
// ended by unmounting with force.
var netTypes = map[string]bool{
	"nfs": true, "nfs4": true, "cifs": true, "smb3": true, "ceph": true, "9p": true, "virtiofs": true,
	"fuse": true, "afs": true,
}

// leave plans the unmounting: innermost first, everything that holds data and what
// lies on top of such.
func leave(table []mount.Entry) []mount.Entry {
	byID := map[int]mount.Entry{}
	for _, e := range table {
		byID[e.ID] = e
	}
	var plan []mount.Entry
	for _, e := range mount.InnermostFirst(table, "/") {
		if e.Target != "/" && onData(byID, e) {
			plan = append(plan, e)
		}
	}
	return plan
}

// onData says whether a mount, or one that it lies on, holds data. The root is
// none of these: it cannot be unmounted from within.
func onData(byID map[int]mount.Entry, e mount.Entry) bool {
	// Bounded, because the root may be its own parent.
	for range byID {
		if e.Target == "/" {
			return false
		}
		if !memoryTypes[e.Type] {
			return true
		}
		parent, ok := byID[e.Parent]
		if !ok {
			return false
		}
		e = parent
	}
	return false
}

// left is what is to be unmounted, by filesystem: mounts with nothing mounted on them, and those that something covers.
type left struct{ free, covered map[string][]mount.Entry }

func leftOf(table []mount.Entry) left {
	under := map[int]bool{}
	for _, on := range table {
		if on.Parent != on.ID {
			under[on.Parent] = true
		}
	}
	l := left{free: map[string][]mount.Entry{}, covered: map[string][]mount.Entry{}}
	for _, e := range leave(table) {
		of := l.free
		if under[e.ID] {
			of = l.covered
		}
		of[e.Dev] = append(of[e.Dev], e)
	}
	return l
}

// mounts are those of a filesystem that were still to be unmounted when somebody asked, or later. All who ask while the
// table is being read get what is read next: thousands of filesystems that each read thousands of lines would be
// all that this machine still does.
func (l *leaver) mounts(asked time.Time, dev string) (free, covered []mount.Entry, err error) {
	l.reading.Lock()
	defer l.reading.Unlock()
	if l.read.Before(asked) {
		now := time.Now()
		table, err := mount.Table()
		if err != nil {
			return nil, nil, err
		}
		l.read, l.left = now, leftOf(table)
	}
	return l.left.free[dev], l.left.covered[dev], nil
}

// unmountFlags are those of a plain unmount.
func unmountFlags(typ string) int {
	if netTypes[typ] {
		return unix.MNT_DETACH
	}
	return 0
}
