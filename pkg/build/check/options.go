package check

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/build/spec"
	"slipway/pkg/build/yml"
)

// checkMounts finds mounts that the OCI runtime or the kernel refuses by their
// words alone.
func (k *Checker) checkMounts(c *spec.Container) {
	for _, m := range c.Spec.Mounts {
		at := mountPosition(c, m)
		if !strings.HasPrefix(m.Destination, "/") {
			k.Faults.Add(at.At("the target %q is not absolute, and OCI runtimes will not take it for long", m.Destination).
				Wants("/%s", m.Destination).Warns())
		}
		k.checkMountTarget(at, m)
		switch {
		case m.Type == "bind" || slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind"):
			k.checkBindOptions(at, m)
		case m.Type == "tmpfs":
			k.checkTmpfsOptions(at, m)
		}
	}
	for i, m := range c.RuntimeJSON.Mounts {
		at := c.At.Child("image")
		if c.Runtime != nil && c.Runtime.Mounts != nil {
			at = c.At.Child("runtime").Child("mounts").Item(i)
		}
		if m.Type == "tmpfs" {
			k.checkTmpfsOptions(at, m)
		}
	}
}

// overProc are the files of /proc that runc lets something else be mounted on
// (libcontainer's checkProcMount).
var overProc = []string{
	"/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo", "/proc/stat", "/proc/swaps", "/proc/uptime", "/proc/loadavg",
	"/proc/slabinfo", "/proc/sys/kernel/ns_last_pid", "/proc/sys/crypto/fips_enabled",
}

// checkMountTarget finds targets that runc refuses.
func (k *Checker) checkMountTarget(at yml.Position, m specs.Mount) {
	p := cleaned(m.Destination)
	switch {
	case p == "/":
		k.Faults.Add(at.At("a mount on the container's whole root, which the OCI runtime refuses").Wants("a path below it").Warns())
	case !spec.Within(p, "/proc") || m.Type == "proc" || p == "/proc" && spec.Within(m.Source, "/proc"):
	case !slices.Contains(overProc, p):
		k.Faults.Add(at.At("a mount on %s, which the OCI runtime refuses", p).Wants("a path elsewhere, or one of %s", strings.Join(overProc, ", ")).Warns())
	}
}

// checkBindOptions finds options of a file system: a bind mount has that of its
// source, and runc refuses it.
func (k *Checker) checkBindOptions(at yml.Position, m specs.Mount) {
	for _, o := range m.Options {
		if o != "" && !slices.Contains(mountOptions, o) {
			k.Faults.Add(at.At("a bind mount has no option %q", o).Near(o, mountOptions).
				Wants("options such as ro, rw, nosuid, nodev, noexec, rprivate, rslave, rshared").Warns())
		}
	}
}

func (k *Checker) checkTmpfsOptions(at yml.Position, m specs.Mount) {
	for _, o := range m.Options {
		name, value, _ := strings.Cut(o, "=")
		want, known := tmpfsOptions[name]
		switch {
		case o == "" || slices.Contains(mountOptions, o) || o == "tmpcopyup":
		case !known:
			k.Faults.Add(at.At("a tmpfs has no option %q", o).Near(name, tmpfsNames).
				Wants("options such as size=64m, mode=1777, noexec, nosuid, nodev").Warns())
		case !want.value.MatchString(value):
			k.Faults.Add(at.At("tmpfs option %q", o).Wants("%s", want.words).Warns())
		}
	}
}

// mountOptions are what runc knows for every file system (its specconv package);
// all else it hands to the file system.
var mountOptions = func() []string {
	all := []string{
		"async", "bind", "defaults", "dirsync", "iversion", "lazytime", "loud", "mand", "noiversion", "nolazytime", "nomand",
		"rbind", "remount", "silent", "sync", "rro", "rrw", "idmap", "ridmap",
	}
	// As they are, and for all that is mounted below.
	for _, o := range []string{
		"suid", "nosuid", "dev", "nodev", "exec", "noexec", "atime", "noatime", "diratime", "nodiratime", "relatime", "norelatime",
		"strictatime", "nostrictatime", "symfollow", "nosymfollow", "private", "slave", "shared", "unbindable",
	} {
		all = append(all, o, "r"+o)
	}
	return append(all, "ro", "rw")
}()

// tmpfsValue is what an option of a tmpfs may be.
type tmpfsValue struct {
	value *regexp.Regexp
	words string
}

var (
	tmpfsCount = tmpfsValue{regexp.MustCompile(`^(0[xX][0-9a-fA-F]+|[0-9]+)[kKmMgGtTpPeE]?$`), "a number, with k, m or g behind it if need be"}
	tmpfsOwner = tmpfsValue{regexp.MustCompile(`^[0-9]+$`), "a number: a tmpfs knows no names"}
	tmpfsFlag  = tmpfsValue{regexp.MustCompile(`^$`), "the word alone"}
	tmpfsAny   = tmpfsValue{regexp.MustCompile(`.`), "a value"}
)

// tmpfsOptions are those of Linux 6.12 (mm/shmem.c).
var tmpfsOptions = map[string]tmpfsValue{
	"size":      {regexp.MustCompile(`^(0[xX][0-9a-fA-F]+|[0-9]+)[kKmMgGtTpPeE]?%?$`), "bytes, with k, m or g behind them if need be, or a part of the memory such as 10%"},
	"nr_blocks": tmpfsCount,
	"nr_inodes": tmpfsCount,
	"mode":      {regexp.MustCompile(`^0*[0-7]{1,4}$`), "permission bits in octal, such as 1777"},
	"uid":       tmpfsOwner,
	"gid":       tmpfsOwner,
	"huge":      {regexp.MustCompile(`^(never|always|within_size|advise)$`), "never, always, within_size or advise"},
	"mpol":      tmpfsAny,
	"inode32":   tmpfsFlag, "inode64": tmpfsFlag, "noswap": tmpfsFlag,
	"quota": tmpfsFlag, "usrquota": tmpfsFlag, "grpquota": tmpfsFlag,
	"usrquota_block_hardlimit": tmpfsCount, "usrquota_inode_hardlimit": tmpfsCount,
	"grpquota_block_hardlimit": tmpfsCount, "grpquota_inode_hardlimit": tmpfsCount,
	"casefold": {regexp.MustCompile(``), ""}, "strict_encoding": tmpfsFlag,
	"context": tmpfsAny, "fscontext": tmpfsAny, "defcontext": tmpfsAny, "rootcontext": tmpfsAny,
}

var tmpfsNames = func() []string {
	all := slices.AppendSeq(slices.Clone(mountOptions), maps.Keys(tmpfsOptions))
	slices.Sort(all)
	return all
}()
