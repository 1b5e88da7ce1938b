package container

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/container/mount"
	"slipway/pkg/container/runtime"
	"slipway/pkg/reap"
	"slipway/test/skip"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// inside tells the second run of the test binary that it has namespaces of its
// own, where it may mount and make interfaces as it likes.
const inside = "SLIPWAY_TEST_NAMESPACE"

var reaper *reap.Reaper

func TestMain(m *testing.M) {
	switch {
	case os.Getuid() != 0:
		os.Exit(skip.Package(os.Stdout, skip.Root, "mounts and starts containers"))
	case os.Getenv(inside) == "":
		os.Exit(runInside())
	default:
		if err := enter(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(m.Run())
	}
}

func runInside() int {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWIPC}
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// enter makes the namespace look like the guest: everything shared, as
// LinuxKit's rc.init leaves it, and cgroup v2.
func enter() error {
	mounts := []mount.Mount{{Target: "/", Flags: unix.MS_PRIVATE | unix.MS_REC}}
	if runtime.KindOf(os.Getenv("SLIPWAY_RUNC")).Name == "crun" && hybrid() {
		mounts = append(mounts, mount.Mount{Source: "cgroup", Target: "/sys/fs/cgroup", Type: "tmpfs"})
		for _, name := range v1 {
			mounts = append(mounts, mount.Mount{Source: "cgroup", Target: "/sys/fs/cgroup/" + name, Type: "cgroup", Data: []string{name}})
		}
	} else {
		mounts = append(mounts, mount.Mount{Source: "cgroup2", Target: "/sys/fs/cgroup", Type: "cgroup2"})
	}
	for _, m := range append(mounts, mount.Mount{Target: "/", Flags: unix.MS_SHARED | unix.MS_REC}) {
		if m.Type == "cgroup" {
			if err := os.Mkdir(m.Target, 0o755); err != nil {
				return err
			}
		}
		if err := m.Do(); err != nil {
			return err
		}
	}
	if err := reap.SetSubreaper(); err != nil {
		return err
	}
	reaper = reap.New()
	return nil
}

// v1 are the controllers that a host with both versions has in v1.
var v1 = []string{"cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids"}

// hybrid tells whether the host has cgroup v1 and, beside it, v2: crun takes no
// mixture, and on v2 rights that not every sandbox gives.
func hybrid() bool {
	_, err := os.Stat("/sys/fs/cgroup/unified/cgroup.procs")
	return err == nil
}

func findRunc(t testing.TB) string {
	t.Helper()
	if name := os.Getenv("SLIPWAY_RUNC"); name != "" {
		return name
	}
	name, err := exec.LookPath("runc")
	if err != nil {
		t.Fatal("no runc: name one in SLIPWAY_RUNC, or put it in PATH; `slipway images build runc` makes one")
	}
	return name
}

func testEngine(t testing.TB) *Engine {
	t.Helper()
	dir := t.TempDir()
	return &Engine{
		Runtimes: &runtime.Machine{Runtimes: []*runtime.Runtime{{Path: findRunc(t), Root: dir + "/runc", Reaper: reaper}}},
		Reaper:   reaper,
		RunDir:   dir + "/slipway",
		Log:      slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

// one is the runtime of a test.
func (e *Engine) one() *runtime.Runtime { return e.Runtimes.Runtimes[0] }

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// shape is a bundle to be made.
type shape struct {
	section bundle.Section
	name    string
	write   bool // read-write
	seed    bool // nothing in runtime.json mounts the rootfs
	script  string
	args    []string // in place of the script
	runtime bundle.Runtime
	spec    func(*specs.Spec)
	policy  map[string]string
	lower   string // directory of another bundle with the image
	bare    bool   // no image at all
}

// containers makes a directory of containers on a tmpfs of its own.
func containers(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "containers")
	must(t, os.Mkdir(dir, 0o755))
	return dir
}

// lay makes a bundle as the builder would.
func (s shape) lay(t testing.TB, root string) *bundle.Bundle {
	t.Helper()
	if s.section == "" {
		s.section = bundle.Onboot
	}
	// Containers of all tests share a cgroup hierarchy with the host.
	name := fmt.Sprintf("%s-t%d", s.name, os.Getpid())
	b := &bundle.Bundle{Name: name, Section: s.section, Dir: filepath.Join(root, string(s.section), name)}
	image := bundle.RootfsDir
	if s.write {
		image = bundle.LowerDir
		must(t, os.MkdirAll(b.Path(bundle.TmpDir), 0o755))
	}
	must(t, os.MkdirAll(b.Path(bundle.RootfsDir), 0o755))
	if s.lower == "" && !s.bare {
		layImage(t, b.Path(image))
	}
	b.Spec = s.makeSpec()
	b.Runtime = s.runtime
	if !s.seed {
		b.Runtime.Mounts = append(rootMounts(b, s), s.runtime.Mounts...)
	}
	policy, err := bundle.ParsePolicy(s.section, s.policy)
	must(t, err)
	b.Policy = policy
	writeSpec(t, b)
	return b
}

func rootMounts(b *bundle.Bundle, s shape) []specs.Mount {
	rootfs, tmp, lower := b.Path("rootfs"), b.Path("tmp"), b.Path("lower")
	if s.lower != "" {
		lower = s.lower
	}
	if !s.write {
		source := rootfs
		if s.lower != "" {
			source = s.lower
		}
		return []specs.Mount{{Source: source, Destination: rootfs, Options: []string{"bind"}}}
	}
	return []specs.Mount{
		{Source: "tmpfs", Destination: tmp, Type: "tmpfs"},
		{Destination: tmp, Options: []string{"remount", "private"}},
		{Source: "overlay", Destination: rootfs, Type: "overlay", Options: []string{
			"lowerdir=" + lower, "upperdir=" + tmp + "/upper", "workdir=" + tmp + "/work"}},
	}
}

func layImage(t testing.TB, dir string) {
	t.Helper()
	for _, sub := range []string{"bin", "dev", "proc", "sys", "etc", "tmp", "run", "var"} {
		must(t, os.MkdirAll(filepath.Join(dir, sub), 0o755))
	}
	in, err := os.Open("/bin/busybox")
	must(t, err)
	out, err := os.OpenFile(dir+"/bin/busybox", os.O_CREATE|os.O_WRONLY, 0o755)
	must(t, err)
	_, err = io.Copy(out, in)
	must(t, err)
	must(t, in.Close())
	must(t, out.Close())
	for _, tool := range []string{"sh", "sleep", "cat", "touch", "ls", "mount", "ip", "mkdir", "echo", "true"} {
		must(t, os.Symlink("busybox", dir+"/bin/"+tool))
	}
}

func (s shape) makeSpec() *specs.Spec {
	args := s.args
	if args == nil {
		args = []string{"/bin/sh", "-c", s.script}
	}
	spec := &specs.Spec{
		Version: "1.2.1",
		Process: &specs.Process{Args: args, Cwd: "/", Env: []string{"PATH=/bin"}, Capabilities: &specs.LinuxCapabilities{}},
		Root:    &specs.Root{Path: "rootfs", Readonly: !s.write},
		Mounts: []specs.Mount{
			{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
			{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "nodev", "noexec", "relatime"}},
		},
		Linux: &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: "pid"}, {Type: "mount"}}, Resources: &specs.LinuxResources{}},
	}
	if s.spec != nil {
		s.spec(spec)
	}
	return spec
}

// state is all of the machine that a container has to leave as it was.
func state(t testing.TB, e *Engine, root string) []string {
	t.Helper()
	var all []string
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	must(t, err)
	for line := range strings.Lines(string(mounts)) {
		where, what, _ := strings.Cut(strings.TrimSpace(line), " - ")
		kind := strings.Split(what, " ") // type, source, options of the filesystem
		all = append(all, fmt.Sprint("mount ", strings.Fields(where)[4], kind[0], kind[2:]))
	}
	for _, dir := range []string{e.one().Root, filepath.Join(e.RunDir, "containers")} {
		names, err := filepath.Glob(dir + "/*")
		must(t, err)
		all = append(all, names...)
	}
	for _, dir := range []string{"", "containers/"} {
		groups, err := filepath.Glob(fmt.Sprintf("/sys/fs/cgroup/%s*-t%d", dir, os.Getpid()))
		must(t, err)
		all = append(all, groups...)
	}
	must(t, filepath.Walk(root, func(name string, _ os.FileInfo, err error) error {
		all = append(all, "file "+name)
		return err
	}))
	return all
}

// same fails the test for each line that only one of the states has.
func same(t testing.TB, before, after []string) {
	t.Helper()
	for _, line := range before {
		if !slices.Contains(after, line) {
			t.Errorf("gone: %s", line)
		}
	}
	for _, line := range after {
		if !slices.Contains(before, line) {
			t.Errorf("left: %s", line)
		}
	}
	if len(before) != len(after) && !t.Failed() {
		t.Errorf("%d things before, %d after", len(before), len(after))
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
