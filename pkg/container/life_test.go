package container

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/container/mount"
	"slipway/pkg/reap"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// start starts a container that the test ends itself.
func start(t testing.TB, e *Engine, b *bundle.Bundle) *Container {
	t.Helper()
	c, err := e.Start(testContext(t), b, IO{})
	must(t, err)
	t.Cleanup(func() { must(t, c.Cleanup()) })
	return c
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

func TestCleanupKillsWhatInitLeftBehind(t *testing.T) {
	e, root := testEngine(t), containers(t)
	b := shape{name: "000-stray", write: true, script: "sleep 1000 & exit 0", spec: func(s *specs.Spec) {
		s.Linux.Namespaces = []specs.LinuxNamespace{{Type: "mount"}} // the host's pids
	}}.lay(t, root)
	before := state(t, e, root)
	if code, text := runToEnd(t, e, b); code != 0 {
		t.Errorf("exit status %d, %s", code, text)
	}
	same(t, before, state(t, e, root))
}

// A frozen container with groups of its own is killed and its groups go.
func TestKillFrozenAndNested(t *testing.T) {
	e, root := testEngine(t), containers(t)
	b := shape{name: "frozen", section: bundle.Services, script: "sleep 1000"}.lay(t, root)
	before := state(t, e, root)
	c := start(t, e, b)
	must(t, os.MkdirAll(c.Group().String()+"/a/b", 0o755))
	must(t, c.Group().Freeze(true))
	must(t, c.Kill())
	status, err := c.Wait(testContext(t))
	if err != nil || status != (reap.Status{Signal: unix.SIGKILL}) {
		t.Errorf("%v, %v", status, err)
	}
	if err := c.Signal(unix.SIGTERM); !errors.Is(err, unix.ESRCH) {
		t.Errorf("signal to a dead container: %v", err)
	}
	must(t, c.Cleanup())
	same(t, before, state(t, e, root))
}

// One that may write to its cgroup can have groups of threads in it, whose processes
// the kernel does not list.
func TestKillThreaded(t *testing.T) {
	e, root := testEngine(t), containers(t)
	b := shape{name: "threaded", section: bundle.Services, script: "sleep 1000"}.lay(t, root)
	before := state(t, e, root)
	c := start(t, e, b)
	group := c.Group().String()
	for _, own := range []string{"/a", "/a/b"} {
		must(t, os.Mkdir(group+own, 0o755))
		must(t, os.WriteFile(group+own+"/cgroup.type", []byte("threaded"), 0))
	}
	must(t, os.WriteFile(group+"/a/b/cgroup.threads", []byte(strconv.Itoa(c.Ident().Pid)), 0))
	pids, err := c.Group().Pids()
	if err != nil || !slices.Equal(pids, []int{c.Ident().Pid}) {
		t.Errorf("processes %v, %v, want %d", pids, err, c.Ident().Pid)
	}
	must(t, c.Kill())
	status, err := c.Wait(testContext(t))
	if err != nil || status != (reap.Status{Signal: unix.SIGKILL}) {
		t.Errorf("%v, %v", status, err)
	}
	must(t, c.Cleanup())
	same(t, before, state(t, e, root))
}

// A process that started a container and is gone leaves it running; the next
// one attaches to it, or cleans it up by starting it again.
func TestAfterTheStarterDied(t *testing.T) {
	for name, write := range map[string]bool{"read-only": false, "read-write": true} {
		t.Run(name, func(t *testing.T) {
			e, root := testEngine(t), containers(t)
			b := shape{name: "orphan", section: bundle.Services, write: write, script: "sleep 1000"}.lay(t, root)
			before := state(t, e, root)
			first, err := e.Start(testContext(t), b, IO{})
			must(t, err)

			attached, err := e.Attach(b, first.Ident())
			must(t, err)
			if attached.Ident() != first.Ident() {
				t.Errorf("attached to %v, want %v", attached.Ident(), first.Ident())
			}
			second := start(t, e, b)
			if status, err := attached.Wait(testContext(t)); err != nil || status.Signal != unix.SIGKILL {
				t.Errorf("the first container: %v, %v", status, err)
			}
			if !second.Ident().Alive() {
				t.Error("the second container does not run")
			}
			third, err := e.Attach(b, second.Ident())
			must(t, err)
			must(t, third.Cleanup())
			same(t, before, state(t, e, root))
		})
	}
}

// A disk that was mounted below the rootfs while the container ran keeps its
// data, and is unmounted with it.
func TestDiskBelowRootfsKeepsItsData(t *testing.T) {
	for name, write := range map[string]bool{"read-only": false, "read-write": true} {
		t.Run(name, func(t *testing.T) {
			e, root := testEngine(t), containers(t)
			disk := filepath.Join(t.TempDir(), "disk")
			must(t, os.Mkdir(disk, 0o755))
			m := mount.Mount{Source: "tmpfs", Target: disk, Type: "tmpfs"}
			must(t, m.Do())
			t.Cleanup(func() { must(t, mount.Unmount(disk, 0)) })
			must(t, os.WriteFile(disk+"/data", []byte("precious"), 0o600))

			b := shape{name: "000-disk", write: write, script: "exit 0"}.lay(t, root)
			before := state(t, e, root)
			c := start(t, e, b)
			for _, at := range []string{"var", "var", "tmp"} { // one upon the other, too
				bind := mount.Mount{Source: disk, Target: b.Path("rootfs", at), Flags: unix.MS_BIND}
				must(t, bind.Do())
			}
			_, err := c.Wait(testContext(t))
			must(t, err)
			must(t, c.Cleanup())
			same(t, before, state(t, e, root))
			if data, err := os.ReadFile(disk + "/data"); string(data) != "precious" {
				t.Errorf("on the disk is %q, %v", data, err)
			}
		})
	}
}

// What a container mounts in a directory that it shares with us stays, and is there
// for the containers that come later: so does LinuxKit's mount package mount
// /var. What it mounts elsewhere goes with it.
func TestSharedMountsOfAContainerStay(t *testing.T) {
	e, root, dir := testEngine(t), containers(t), t.TempDir()
	must(t, os.Mkdir(dir+"/disk", 0o755))
	t.Cleanup(func() { must(t, mount.Clear(dir)) })
	b := shape{name: "000-shared", write: true, spec: func(s *specs.Spec) {
		s.Linux.RootfsPropagation = "shared"
		s.Mounts = append(s.Mounts, specs.Mount{Source: dir, Destination: "/mnt", Type: "bind", Options: []string{"rw", "rbind", "rshared"}})
		caps := []string{"CAP_SYS_ADMIN"}
		s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: caps, Effective: caps, Permitted: caps}
	}, script: "mount -t tmpfs tmpfs /var && mount -t tmpfs tmpfs /mnt/disk && touch /mnt/disk/here"}.lay(t, root)
	before := state(t, e, root)
	if code, text := runToEnd(t, e, b); code != 0 {
		t.Errorf("exit status %d, %s", code, text)
	}
	if !exists(dir + "/disk/here") {
		t.Error("the mount in the shared directory is gone")
	}
	must(t, mount.Unmount(dir+"/disk", 0))
	same(t, before, state(t, e, root))
}

func TestSharedLower(t *testing.T) {
	e, root := testEngine(t), containers(t)
	first := shape{name: "000-first", write: true, script: "sleep 1000"}.lay(t, root)
	second := shape{name: "001-second", write: true, script: "exit 3", lower: first.Path("lower")}.lay(t, root)
	c := start(t, e, first)
	if code, text := runToEnd(t, e, second); code != 3 {
		t.Errorf("exit status %d, %s", code, text)
	}
	if !c.Ident().Alive() || !exists(first.Path("rootfs", "bin")) {
		t.Error("cleaning up the second took the first one's root away")
	}
}

func TestBusyRootIsDetachedAndHolderNamed(t *testing.T) {
	e, root := testEngine(t), containers(t)
	b := shape{name: "000-busy", write: true, script: "exit 0"}.lay(t, root)
	before := state(t, e, root)
	c := start(t, e, b)
	held, err := os.Open(b.Path("rootfs", "etc"))
	must(t, err)
	defer held.Close()
	_, err = c.Wait(testContext(t))
	must(t, err)
	err = c.Cleanup()
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("pid %d", os.Getpid())) || !errors.Is(err, unix.EBUSY) {
		t.Errorf("error is %v, want one that names the holder", err)
	}
	must(t, e.Clean(b))
	same(t, before, state(t, e, root))
}

func TestUpperPolicy(t *testing.T) {
	disk := filepath.Join(t.TempDir(), "disk")
	for name, seed := range map[string]bool{"today": false, "seed": true} {
		t.Run(name, func(t *testing.T) {
			e, root := testEngine(t), containers(t)
			s := shape{name: "000-disk-" + name, write: true, seed: seed, policy: map[string]string{"slipway.upper": "disk:" + disk},
				script: "cat /etc/new 2>/dev/null; echo lasts > /etc/new"}
			b := s.lay(t, root)
			runToEnd(t, e, b)
			if _, text := runToEnd(t, e, b); text != "lasts\n" {
				t.Errorf("the second run found %q", text)
			}
			s = shape{name: "001-size", write: true, seed: seed, policy: map[string]string{"slipway.upper": "tmpfs:256k"},
				script: "cat /bin/busybox > /tmp/full"}
			if code, text := runToEnd(t, e, s.lay(t, root)); code == 0 || !strings.Contains(text, "No space left") {
				t.Errorf("filling a small tmpfs: exit status %d, %q", code, text)
			}
		})
	}
}

func TestMutate(t *testing.T) {
	e, root := testEngine(t), containers(t)
	e.Mutate = func(_ *bundle.Bundle, s *specs.Spec) {
		s.Process.Env = append(s.Process.Env, "ADDED=yes")
	}
	b := shape{name: "000-mutate", script: "echo $ADDED"}.lay(t, root)
	before := state(t, e, root)
	if _, text := runToEnd(t, e, b); text != "yes\n" {
		t.Errorf("output %q", text)
	}
	if len(b.Spec.Process.Env) != 1 {
		t.Errorf("the bundle's own spec was changed: %v", b.Spec.Process.Env)
	}
	same(t, before, state(t, e, root))
}

// TestEnvironmentIsTheBundles starts a container and looks for what we have in
// our own environment, and for what we give the runtime.
func TestEnvironmentIsTheBundles(t *testing.T) {
	t.Setenv("OURS", "leaked")
	wired := bundle.Runtime{Interfaces: []bundle.Interface{{Name: "env0", Add: "bridge"}}}
	for name, b := range map[string]shape{
		"run":              {name: "000-env", script: "env"},
		"create and start": {name: "000-env", script: "env", spec: ownNamespaces, runtime: wired},
	} {
		t.Run(name, func(t *testing.T) {
			e, root := testEngine(t), containers(t)
			_, text := runToEnd(t, e, b.lay(t, root))
			if !strings.Contains(text, "PATH=") || strings.Contains(text, "OURS") || strings.Contains(text, "GOMAXPROCS") {
				t.Errorf("its environment is %q", text)
			}
		})
	}
}

// Paths in which a character has a meaning to the overlay driver.
func TestOddBundleNames(t *testing.T) {
	root := filepath.Join(t.TempDir(), `a,upperdir=:b\c d`)
	must(t, os.Mkdir(root, 0o755))
	e := testEngine(t)
	b := shape{name: "000-odd", write: true, script: "touch /etc/new && exit 4"}.lay(t, root)
	before := state(t, e, root)
	if code, text := runToEnd(t, e, b); code != 4 {
		t.Errorf("exit status %d, %s", code, text)
	}
	same(t, before, state(t, e, root))
}

// What a file says in capital letters is read, so the runtime is to have it too: crun
// itself would not read it.
func TestOddBundleLetters(t *testing.T) {
	e, root := testEngine(t), containers(t)
	b := shape{name: "000-letters", script: "exit 4"}.lay(t, root)
	data, err := os.ReadFile(b.Path(bundle.ConfigFile))
	must(t, err)
	must(t, os.WriteFile(b.Path(bundle.ConfigFile), bytes.Replace(data, []byte(`"process":`), []byte(`"PROCESS":`), 1), 0o644))
	b, err = bundle.Load(b.Section, b.Dir)
	must(t, err)
	if code, text := runToEnd(t, e, b); code != 4 {
		t.Errorf("exit status %d, %s", code, text)
	}
}

func TestPhasesAreObserved(t *testing.T) {
	e, root := testEngine(t), containers(t)
	var seen []Phase
	e.Observe = func(_ *bundle.Bundle, p Phase, _ time.Duration, _ error) { seen = append(seen, p) }
	runToEnd(t, e, shape{name: "000-plain", script: "exit 0"}.lay(t, root))
	want := []Phase{PhasePrepare, PhaseStart, PhaseCleanup}
	if len(seen) != len(want) || seen[0] != want[0] || seen[1] != want[1] || seen[2] != want[2] {
		t.Errorf("phases %q, want %q", seen, want)
	}
}
