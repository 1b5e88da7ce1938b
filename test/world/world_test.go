// Package world shows what two OCI runtimes make of the same bundles: a program in the
// container prints all that it sees, and what differs has to be in docs/engines.md.
package world

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	goruntime "runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"slipway/pkg/build"
	"slipway/pkg/build/oci"
	"slipway/pkg/build/spec"
	"slipway/pkg/container/mount"
	"slipway/pkg/container/runtime"
	"slipway/pkg/reap"
	"slipway/test/skip"
)

// inside tells the second run of the test binary that it has namespaces of its own.
const inside = "SLIPWAY_TEST_WORLD"

var reaper *reap.Reaper

func TestMain(m *testing.M) {
	if os.Getuid() != 0 {
		os.Exit(m.Run()) // which says what is skipped
	}
	if os.Getenv(inside) == "" {
		cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
		cmd.Env = append(os.Environ(), inside+"=1")
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
		if cmd.Run() != nil {
			os.Exit(1)
		}
		return
	}
	if err := enter(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// controllers are those the controllers of a host that has cgroup v1 beside v2, of which crun takes no
// mixture.
var controllers = []string{"cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "systemd"}

func enter() error {
	mounts := []mount.Mount{{Target: "/", Flags: unix.MS_PRIVATE | unix.MS_REC}}
	if _, err := os.Stat("/sys/fs/cgroup/unified/cgroup.procs"); err == nil {
		mounts = append(mounts, mount.Mount{Source: "cgroup", Target: "/sys/fs/cgroup", Type: "tmpfs"})
		for _, name := range controllers {
			m := mount.Mount{Source: "cgroup", Target: "/sys/fs/cgroup/" + name, Type: "cgroup", Data: []string{name}}
			if name == "systemd" {
				m.Data = []string{"none", "name=systemd"}
			}
			mounts = append(mounts, m)
		}
	}
	// What a runtime does to devices is not to reach those of the host.
	mounts = append(mounts, mount.Mount{Source: "dev", Target: "/dev", Type: "tmpfs", Data: []string{"mode=755"}})
	// As in the guest.
	mounts = append(mounts, mount.Mount{Target: "/", Flags: unix.MS_SHARED | unix.MS_REC})
	for _, m := range mounts {
		if m.Type == "cgroup" {
			if err := os.Mkdir(m.Target, 0o755); err != nil {
				return err
			}
		}
		if err := m.Do(); err != nil {
			return err
		}
	}
	for name, minor := range map[string]uint32{"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9} {
		if err := errors.Join(unix.Mknod("/dev/"+name, unix.S_IFCHR|0o666, int(unix.Mkdev(1, minor))), os.Chmod("/dev/"+name, 0o666)); err != nil {
			return err
		}
	}
	reaper = reap.New()
	return reap.SetSubreaper()
}

// elided is how a listing has a filter of system calls.
var elided = regexp.MustCompile(`"seccomp": \(\d+ lines\)`)

// profile is the filter that the builder writes by default.
func profile(t *testing.T) *specs.LinuxSeccomp {
	t.Helper()
	file := filepath.Join(t.TempDir(), "m.yml")
	must(t, os.WriteFile(file, []byte("services:\n  - {name: a, image: \"slipway/busybox:v0.1\"}\n"), 0o600))
	b := &build.Builder{Finder: &oci.Finder{Store: oci.OpenStore()}, Platform: v1.Platform{OS: "linux", Architecture: goruntime.GOARCH}, Hardening: spec.HardeningDefault}
	m, err := b.BuildFiles(t.Context(), []string{file}, nil)
	must(t, err)
	defer func() { must(t, m.Close()) }()
	spec := &specs.Spec{}
	must(t, json.NewDecoder(m.Root.Lookup("containers/services/a/config.json").Inode.Open()).Decode(spec))
	if spec.Linux.Seccomp == nil {
		t.Fatal("no filter")
	}
	return spec.Linux.Seccomp
}

// bundles are the config.json files in the builder's golden listings, by a name.
func bundles(t *testing.T) map[string]*specs.Spec {
	t.Helper()
	files, err := filepath.Glob("../../pkg/build/testdata/*/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no listings: %v", err)
	}
	all, filter := map[string]*specs.Spec{}, profile(t)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split(string(data), "\n== ")[1:] {
			name, text, _ := strings.Cut(part, "\n")
			if !strings.HasSuffix(name, "/config.json") {
				continue
			}
			// Filters are counted only; what they are made of is the same for all.
			text, filtered := elided.ReplaceAllString(text, `"seccomp": null`), elided.MatchString(text)
			spec := &specs.Spec{}
			if err := json.NewDecoder(strings.NewReader(text)).Decode(spec); err != nil {
				t.Fatalf("%s: %s: %v", file, name, err)
			}
			if filtered {
				spec.Linux.Seccomp = filter
			}
			name = strings.TrimSuffix(strings.TrimPrefix(name, "containers/"), "/config.json")
			all[filepath.Base(filepath.Dir(file))+"/"+strings.TrimSuffix(filepath.Base(file), ".txt")+"/"+name] = spec
		}
	}
	return all
}

// adapt lets a bundle run on this host: the program is ours, and what only its own
// machine has is left out.
func adapt(s *specs.Spec, root string) {
	s.Process.Args, s.Process.Terminal, s.Hooks = []string{"/see"}, false, nil
	s.Process.Rlimits = slices.DeleteFunc(s.Process.Rlimits, func(l specs.POSIXRlimit) bool {
		var own unix.Rlimit
		return l.Type != "RLIMIT_NOFILE" || unix.Getrlimit(unix.RLIMIT_NOFILE, &own) != nil || l.Hard > own.Max || l.Soft < 64
	})
	s.Root.Path = root
	s.Mounts = slices.DeleteFunc(s.Mounts, func(m specs.Mount) bool {
		_, err := os.Stat(m.Source)
		// crun would give this host's own /dev/null to the container's user.
		ofDev := m.Source == "/dev" || strings.HasPrefix(m.Source, "/dev/") || m.Source == "/"
		return ofDev || err != nil && (m.Type == "bind" || strings.HasPrefix(m.Source, "/"))
	})
	for i := range s.Linux.Namespaces {
		s.Linux.Namespaces[i].Path = ""
	}
	s.Linux.CgroupsPath = "/world"
	// One of the machine's network may not be set by whoever shares it.
	hasNet := slices.ContainsFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.NetworkNamespace })
	for name := range s.Linux.Sysctl {
		if !hasNet || !strings.HasPrefix(name, "net.") {
			delete(s.Linux.Sysctl, name)
		}
	}
}

// world is what the program says in a container of a runtime; its fault is a line too.
func world(t *testing.T, r *runtime.Runtime, spec specs.Spec, see string) []string {
	t.Helper()
	dir := t.TempDir()
	root := filepath.Join(dir, "rootfs")
	for _, sub := range []string{"dev", "proc", "sys", "etc", "tmp", "run", "var"} {
		must(t, os.MkdirAll(filepath.Join(root, sub), 0o755))
	}
	must(t, os.Link(see, root+"/see"))
	// Runtimes want the root to be a mount.
	must(t, mount.Mount{Source: root, Target: root, Flags: unix.MS_BIND}.Do())
	defer func() { must(t, mount.Clear(dir)) }()
	adapt(&spec, root)
	data, err := json.Marshal(r.Fit(&spec))
	must(t, err)
	must(t, os.WriteFile(dir+"/config.json", data, 0o600))
	out, err := os.Create(dir + "/out")
	must(t, err)
	defer out.Close()
	call := runtime.Call{ID: "world", Bundle: dir, PidFile: dir + "/pid", Log: dir + "/log", Stdout: out, Stderr: out}
	r.Root = dir + "/state"
	if err := r.Run(t.Context(), call); err != nil {
		return []string{"start " + err.Error()}
	}
	pid, err := runtime.ReadPid(call.PidFile)
	must(t, err)
	if p := reaper.Adopt(pid); p != nil {
		_, err := p.Wait(t.Context())
		must(t, err)
	}
	must(t, r.Delete(t.Context(), call))
	text, err := os.ReadFile(dir + "/out")
	must(t, err)
	return normal(string(text), dir)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var namespace = regexp.MustCompile(`(\w+):\[\d+\]`)

// normal takes out what differs from one start to the next.
func normal(text, dir string) []string {
	text = strings.ReplaceAll(text, dir, "DIR")
	text = namespace.ReplaceAllStringFunc(text, func(link string) string {
		kind, _, _ := strings.Cut(link, ":")
		if own, err := os.Readlink("/proc/self/ns/" + kind); err == nil && own == link {
			return kind + " of the host"
		}
		return kind + " of its own"
	})
	return strings.Split(strings.TrimSpace(text), "\n")
}

// only are the lines of a that b has not.
func only(a, b []string) []string {
	rest := slices.Clone(b)
	var list []string
	for _, line := range a {
		if i := slices.Index(rest, line); i >= 0 {
			rest = slices.Delete(rest, i, i+1)
		} else {
			list = append(list, line)
		}
	}
	return list
}

func TestEnginesShowTheSameWorld(t *testing.T) {
	skip.UnlessRoot(t, "containers")
	crun, err := exec.LookPath("crun")
	if err != nil {
		skip.Test(t, skip.Program, "crun")
	}
	runc := os.Getenv("SLIPWAY_RUNC")
	if runc == "" {
		runc = "../../bin/runc"
	}
	runc, err = filepath.Abs(runc)
	must(t, err)
	see := filepath.Join(t.TempDir(), "see")
	build := exec.Command("go", "build", "-trimpath", "-o", see, "./see")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var before, after unix.Stat_t
	must(t, unix.Stat(os.DevNull, &before))
	ran, found := 0, map[string]int{}
	for name, spec := range bundles(t) {
		var said [2][]string
		for i, program := range []string{runc, crun} {
			said[i] = world(t, &runtime.Runtime{Path: program, Reaper: reaper, Timeout: time.Minute}, clone(t, spec), see)
		}
		runs := [2]bool{len(said[0]) > 1, len(said[1]) > 1}
		if runs[0] != runs[1] {
			t.Errorf("%s runs by one alone: %q, %q", name, said[0][0], said[1][0])
		}
		if !runs[0] || !runs[1] {
			t.Logf("%s: %q, %q", name, said[0][0], said[1][0])
			continue
		}
		ran++
		for _, line := range only(said[0], said[1]) {
			found["runc: "+line]++
		}
		for _, line := range only(said[1], said[0]) {
			found["crun: "+line]++
		}
	}
	if must(t, unix.Stat(os.DevNull, &after)); after.Uid != before.Uid || after.Gid != before.Gid {
		t.Errorf("/dev/null belongs to %d:%d now", after.Uid, after.Gid)
	}
	if ran < 30 {
		t.Errorf("only %d bundles ran", ran)
	}
	compare(t, found)
}

// differs is a row of the table in docs/engines.md: which lines it explains.
type differs struct{ runc, crun *regexp.Regexp }

// compare wants each line that only one has to be explained by a row, and each row to be
// needed. Rows of cgroup v1 and of kernels are for hosts that have them.
func compare(t *testing.T, found map[string]int) {
	t.Helper()
	rows, needed := explained(t), map[string]bool{}
	for _, line := range slices.Sorted(maps.Keys(found)) {
		who, text, _ := strings.Cut(line, ": ")
		name := ""
		for row, d := range rows {
			if re := map[string]*regexp.Regexp{"runc": d.runc, "crun": d.crun}[who]; re != nil && re.MatchString(text) {
				name = row
			}
		}
		if name == "" {
			t.Errorf("not explained in docs/engines.md (%d bundles): %s", found[line], line)
		}
		needed[name] = true
	}
	for row := range rows {
		if !needed[row] && !strings.Contains(row, "cgroup v1") && !strings.Contains(row, "by kernel") {
			t.Errorf("docs/engines.md explains what does not differ: %s", row)
		}
	}
}

// explained reads the table: what differs, a pattern of runc's lines, one of crun's, why.
func explained(t *testing.T) map[string]differs {
	t.Helper()
	text, err := os.ReadFile("../../docs/engines.md")
	must(t, err)
	rows := map[string]differs{}
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		var d differs
		for i, re := range []**regexp.Regexp{&d.runc, &d.crun} {
			if m[i+2] != "" {
				*re = regexp.MustCompile("^(?:" + strings.ReplaceAll(m[i+2], `\|`, "|") + ")")
			}
		}
		rows[m[1]] = d
	}
	if len(rows) == 0 {
		t.Fatal("no rows in docs/engines.md")
	}
	return rows
}

var row = regexp.MustCompile("(?m)^\\| ([^|]+) \\| (?:`([^`]*)`|-) \\| (?:`([^`]*)`|-) \\| [^|]+ \\|$")

// clone keeps a bundle as it is in the listing.
func clone(t *testing.T, s *specs.Spec) (c specs.Spec) {
	t.Helper()
	data, err := json.Marshal(s)
	must(t, err)
	must(t, json.Unmarshal(data, &c))
	return c
}
