package boot

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/container/mount"
	"slipway/pkg/log/console"
	"slipway/pkg/machine"
	"slipway/test/skip"
)

func TestParseOptions(t *testing.T) {
	for cmdline, want := range map[string]Options{
		"":      {PanicDelay: defaultPanicDelay},
		"quiet": {Cmdline: "quiet", PanicDelay: defaultPanicDelay},
		"console=tty0 console=ttyS0,115200n8 console=tty0\n": {
			Cmdline: "console=tty0 console=ttyS0,115200n8 console=tty0", Consoles: []string{"tty0", "ttyS0"}, PanicDelay: defaultPanicDelay},
		"console= console=../sda":              {Cmdline: "console= console=../sda", PanicDelay: defaultPanicDelay},
		"linuxkit.unified_cgroup_hierarchy=0":  {Cmdline: "linuxkit.unified_cgroup_hierarchy=0", CgroupV1: true, PanicDelay: defaultPanicDelay},
		"linuxkit.unified_cgroup_hierarchy=00": {Cmdline: "linuxkit.unified_cgroup_hierarchy=00", PanicDelay: defaultPanicDelay},
		"xlinuxkit.unified_cgroup_hierarchy=0": {Cmdline: "xlinuxkit.unified_cgroup_hierarchy=0", PanicDelay: defaultPanicDelay},
		"slipway.console=quiet":                {Cmdline: "slipway.console=quiet", Quiet: true, PanicDelay: defaultPanicDelay},
		"slipway.console=loud":                 {Cmdline: "slipway.console=loud", PanicDelay: defaultPanicDelay},
		"panic=3":                              {Cmdline: "panic=3", PanicDelay: 3 * time.Second},
		"panic=0":                              {Cmdline: "panic=0", PanicDelay: -1},
		"panic=-1":                             {Cmdline: "panic=-1", PanicDelay: 0},
		"panic=x":                              {Cmdline: "panic=x", PanicDelay: defaultPanicDelay},
	} {
		if got := ParseOptions(cmdline); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %+v, want %+v", cmdline, got, want)
		}
	}
}

func FuzzParseOptions(f *testing.F) {
	f.Add("console=ttyS0 panic=-1 linuxkit.unified_cgroup_hierarchy=0")
	f.Fuzz(func(t *testing.T, cmdline string) {
		for _, c := range ParseOptions(cmdline).Consoles {
			if c == "" || c == "." || c == ".." || strings.Contains(c, "/") {
				t.Errorf("console %q is no device in /dev", c)
			}
		}
	})
}

// The tables of mounts are LinuxKit's, each row as one could type it.
func TestMountTables(t *testing.T) {
	const cgroupFlags = "nosuid,nodev,noexec"
	for name, c := range map[string]struct {
		table []mount.Mount
		want  string
	}{
		"proc": {procMount, "mount -t proc -o nosuid,nodev,noexec,relatime proc /proc"},
		"base": {baseMounts, `mount -t tmpfs -o nosuid,nodev,noexec,relatime,size=10%,mode=755 tmpfs /run
mount -t tmpfs -o nosuid,nodev,noexec,relatime,size=10%,mode=1777 tmpfs /tmp
mount -t tmpfs -o nosuid,nodev,noexec,relatime,size=50%,mode=755 tmpfs /var
mount -t devtmpfs -o nosuid,noexec,relatime,size=10m,nr_inodes=248418,mode=755 dev /dev
mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
mount -t tmpfs -o nosuid,nodev,noexec,relatime,size=10%,nr_inodes=4096,mode=1777 output /run/slipway/output`},
		"devices": {deviceMounts, `mount -t mqueue -o nosuid,nodev,noexec mqueue /dev/mqueue
mount -t tmpfs -o nosuid,nodev,noexec,mode=1777 shm /dev/shm
mount -t devpts -o nosuid,noexec,gid=5,mode=0620 devpts /dev/pts`},
		"kernel": {kernelMounts, `mount -t securityfs -o nosuid,nodev,noexec securityfs /sys/kernel/security
mount -t debugfs -o nosuid,nodev,noexec debugfs /sys/kernel/debug
mount -t configfs -o nosuid,nodev,noexec configfs /sys/kernel/config
mount -t fusectl -o nosuid,nodev,noexec fusectl /sys/fs/fuse/connections
mount -t selinuxfs -o nosuid,noexec selinuxfs /sys/fs/selinux
mount -t pstore -o nosuid,nodev,noexec pstore /sys/fs/pstore
mount -t efivarfs -o nosuid,nodev,noexec efivarfs /sys/firmware/efi/efivars
mount -t binfmt_misc -o nosuid,nodev,noexec binfmt_misc /proc/sys/fs/binfmt_misc
mount -t bpf -o nodev bpf /sys/fs/bpf`},
		"cgroup v2": {cgroupMounts(false, ""), "mount -t cgroup2 -o " + cgroupFlags + " cgroup2 /sys/fs/cgroup"},
		"cgroup v1": {cgroupMounts(true, "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t1\t1\t1\nmemory\t0\t1\t0\n"),
			"mount -t tmpfs -o " + cgroupFlags + `,mode=755,size=10m cgroup_root /sys/fs/cgroup
mount -t cgroup -o ` + cgroupFlags + `,cpuset cpuset /sys/fs/cgroup/cpuset
mount -t cgroup -o ` + cgroupFlags + ",none,name=systemd systemd /sys/fs/cgroup/systemd"},
	} {
		var lines []string
		for _, m := range c.table {
			lines = append(lines, m.String())
		}
		if got := strings.Join(lines, "\n"); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

// The order of the steps is a promise: the root before any mount, the console
// after /dev, devices before anything that names or mounts them.
func TestStepOrder(t *testing.T) {
	at := map[string]int{}
	for i, s := range steps {
		if _, twice := at[s.name]; twice {
			t.Errorf("two steps %q", s.name)
		}
		at[s.name] = i
	}
	for _, pair := range [][2]string{
		{"root", "proc"}, {"proc", "options"}, {"proc", "protect root"}, {"mounts", "var"}, {"mounts", "dev"},
		{"dev", "console"}, {"dev", "device mounts"}, {"console", "find devices"}, {"find devices", "devices"},
		{"devices", "kernel mounts"}, {"kernel mounts", "share root"}, {"cgroups", "share root"},
		{"devices", "loop devices"}, {"devices", "clock"}, {"devices", "hostname"}, {"options", "cgroups"}, {"console", "banner"},
	} {
		if at[pair[0]] >= at[pair[1]] {
			t.Errorf("%s has to come before %s", pair[0], pair[1])
		}
	}
	if at["root"] != 0 {
		t.Error("something comes before the root")
	}
}

// testMachine is a machine whose reaper ends with the test: it would take the
// children of later ones.
func testMachine(t *testing.T) *Machine {
	m := newMachine()
	t.Cleanup(m.children.reaper.Close)
	return m
}

func TestRunSteps(t *testing.T) {
	var ran []string
	note := func(name string, err error) func(*Machine) error {
		return func(*Machine) error { ran = append(ran, name); return err }
	}
	broken := errors.New("broken")
	m := testMachine(t)
	m.Contained = false
	list := []step{{name: "a", do: note("a", broken)}, {name: "b", do: note("b", nil)}, {name: "c", do: note("c", broken), fatal: true}, {name: "d", do: note("d", nil)}}
	err := m.runSteps(list)
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "step c") {
		t.Errorf("error is %v", err)
	}
	if got := strings.Join(ran, ""); got != "abc" {
		t.Errorf("ran %s, want abc", got)
	}
	if len(m.spans) != 3 || !errors.Is(m.spans[0].Err, broken) || m.spans[1].Err != nil {
		t.Errorf("spans are %v", m.spans)
	}
}

func TestRunStepsInAContainer(t *testing.T) {
	ran := ""
	m := testMachine(t)
	m.Contained = true
	list := []step{
		{name: "a", do: func(*Machine) error { ran += "a"; return nil }},
		{name: "b", do: func(m *Machine) error { ran += "b"; m.stopBoot(); return nil }, everywhere: true},
		{name: "c", do: func(*Machine) error { ran += "c"; return nil }, everywhere: true},
	}
	if err := m.runSteps(list); err == nil || ran != "b" {
		t.Errorf("ran %q, error %v; want b alone, then an end by the shutdown", ran, err)
	}
}

func TestScripts(t *testing.T) {
	dir := t.TempDir()
	write := func(name string) {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write("010-b")
	write("002-a")
	if err := os.Mkdir(filepath.Join(dir, "005-directory"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"003-link": "010-b", "004-dangling": "nowhere", "006-directory": "005-directory"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	scripts, err := Scripts(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range scripts {
		names = append(names, filepath.Base(s.Path))
		if s.Supervisor {
			t.Errorf("%s is taken for the supervisor", s.Path)
		}
	}
	if got := strings.Join(names, " "); got != "002-a 003-link 010-b" {
		t.Errorf("got %s", got)
	}
	if scripts, err := Scripts(filepath.Join(dir, "absent")); err != nil || scripts != nil {
		t.Errorf("an absent directory gives %v, %v", scripts, err)
	}
}

// The script for volumes is passed over where it has nothing to do, and never on a doubt.
func TestNoVolumes(t *testing.T) {
	skip.UnlessRoot(t, "mounts")
	runtime.LockOSThread() // for good: it goes with its mounts
	if err := errors.Join(unix.Unshare(unix.CLONE_NEWNS), unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")); err != nil {
		t.Fatal(err)
	}
	run, volumes := t.TempDir(), filepath.Join(t.TempDir(), "volumes")
	output := filepath.Join(run, machine.Output)
	check := func(what string, want bool) {
		t.Helper()
		if got := noVolumes(volumes, run); got != want {
			t.Errorf("%s: %t", what, got)
		}
	}
	check("no directory for files", false)
	if err := os.Mkdir(output, 0o755); err != nil {
		t.Fatal(err)
	}
	check("a directory that is not mounted", false)
	if err := mount.Output(output).Do(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Unmount(output, 0); err != nil {
			t.Error(err)
		}
	}()
	check("mounted, no volumes", true)
	if err := os.MkdirAll(filepath.Join(volumes, "v"), 0o755); err != nil {
		t.Fatal(err)
	}
	check("a volume", false)
}

func TestHostname(t *testing.T) {
	for _, c := range []struct{ file, now, mac, want string }{
		{" box\n", "(none)", "52:54:00:12:34:56\n", "box"},
		{"", "(none)", "52:54:00:12:34:56\n", "linuxkit-525400123456"},
		{"\n", "", "52:54:00:12:34:56\n", "linuxkit-525400123456"},
		{"", "given", "52:54:00:12:34:56\n", ""},
		{"", "(none)", "", ""},
	} {
		if got := hostname(c.file, c.now, c.mac); got != c.want {
			t.Errorf("hostname(%q, %q, %q) = %q, want %q", c.file, c.now, c.mac, got, c.want)
		}
	}
}

// Innermost first; memory only where it is in the way of a disk.
func TestLeave(t *testing.T) {
	const table = `21 1 7:0 / / ro shared:1 - squashfs /dev/loop0 ro
22 21 0:19 / /proc rw shared:2 - proc proc rw
25 21 0:22 / /var rw shared:6 - tmpfs tmpfs rw
30 25 254:0 / /var/lib/my\040data rw - ext4 /dev/vda rw
31 30 0:40 / /var/lib/my\040data/tmp rw - tmpfs tmpfs rw
32 25 0:41 / /var/tmp rw - tmpfs tmpfs rw
33 21 0:42 / /containers/services/a/rootfs rw - overlay overlay rw
34 33 254:1 / /containers/services/a/rootfs/disk rw master:4 - vfat /dev/vdb rw
35 21 0:43 / /nfs rw - nfs4 host:/x rw
`
	entries, err := mount.ReadTable(strings.NewReader(table))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range leave(entries) {
		got = append(got, m.Target)
	}
	want := "/var/lib/my data/tmp|/var/lib/my data|/containers/services/a/rootfs/disk|/containers/services/a/rootfs|/nfs"
	if s := strings.Join(got, "|"); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
	l := leftOf(entries)
	if len(l.free["254:0"]) != 0 || len(l.covered["254:0"]) != 1 || len(l.free["0:40"]) != 1 || len(l.free["0:41"]) != 0 {
		t.Errorf("left are %v", l)
	}
}

func TestSplitKnown(t *testing.T) {
	here := t.TempDir()
	table := []mount.Mount{{Target: here, Type: "bpf"}, {Target: here, Type: "configfs"}, {Target: here + "/absent", Type: "bpf"}}
	known, unknown := splitKnown(table, "nodev\tbpf\n\text4\n")
	if len(known) != 1 || known[0].Type != "bpf" || len(unknown) != 1 || unknown[0].Type != "configfs" {
		t.Errorf("known %v, unknown %v", known, unknown)
	}
}

func TestCallRefuses(t *testing.T) {
	for _, c := range []struct {
		args   []string
		status int
	}{
		{[]string{"/sbin/usermode-helper", "x"}, 2},
		{[]string{"/sbin/request-key"}, 2},
		{[]string{"/sbin/mdev", "-s"}, 0},
		{[]string{"/sbin/init"}, 1}, // the test is not PID 1
		{[]string{"/sbin/poweroff", "--nonsense"}, 2},
		{[]string{"/bin/rc.shutdown", "noop"}, 0},
		{[]string{"/bin/rc.shutdown", "explode"}, 2},
	} {
		if got := Call(c.args); got != c.status {
			t.Errorf("%v: status %d, want %d", c.args, got, c.status)
		}
	}
}

// Only PID 1's own names, and the kernel's helper by whatever name, are not the service program's.
func TestCalled(t *testing.T) {
	for _, c := range []struct {
		args []string
		want bool
	}{
		{nil, true}, {[]string{"/init"}, true}, {[]string{"/bin/rc.init"}, true}, {[]string{"exec", "/usr/bin/service"}, true},
		{[]string{"/sbin/poweroff"}, true}, {[]string{"modprobe", "x"}, true},
		{[]string{"service", "list"}, false}, {[]string{"/etc/init.d/010-onboot"}, false},
		{[]string{"/run/slipway/program/new", "try"}, false}, // an upgrade under way
	} {
		if got := Called(c.args); got != c.want {
			t.Errorf("%q: %t", c.args, got)
		}
	}
	for name, want := range map[string]string{helper: "true\n", "service": "false\n"} {
		program := filepath.Join(t.TempDir(), name)
		if err := os.Symlink("/proc/self/exe", program); err != nil {
			t.Fatal(err)
		}
		cmd := &exec.Cmd{Path: program, Args: []string{"/usr/bin/service", "list"}, Env: append(os.Environ(), asCalled+"=1")}
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != want {
			t.Errorf("%s: %s, %v; want %s", program, out, err, want)
		}
	}
}

func TestRequestOnce(t *testing.T) {
	m := testMachine(t)
	m.Console = &Console{Console: console.New()}
	m.request(machine.Halt)
	m.request(machine.Reboot)
	if v := <-m.verbs; v != machine.Halt {
		t.Errorf("verb is %s, want the first that was asked for", v)
	}
	if m.boot.Err() == nil {
		t.Error("the boot goes on")
	}
}
