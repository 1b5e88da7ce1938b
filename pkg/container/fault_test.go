package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/container/mount"
	"slipway/pkg/container/step"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// everything asks for all that runtime.json can.
func everything(dir string) bundle.Runtime {
	return bundle.Runtime{
		Mounts: []specs.Mount{
			{Source: "tmpfs", Destination: dir + "/t/mnt", Type: "tmpfs", Options: []string{"size=1m"}},
			{Source: "/etc", Destination: "mnt/etc", Options: []string{"bind", "ro", "nosuid"}},
		},
		Mkdir:   []string{dir + "/made/deep", "var/inside"},
		Cgroups: []string{fmt.Sprintf("pods-t%d/inner", os.Getpid())},
		Interfaces: []bundle.Interface{
			{Name: "moved0"},
			{Name: "dummy7", Add: "bridge"},
			{Name: "inner0", Peer: "outer0"},
			{Name: "root1", Add: "bridge", CreateInRoot: true},
		},
		BindNS: bundle.BindNS{Net: dir + "/ns/net", Uts: dir + "/ns/uts"},
	}
}

func ownNamespaces(s *specs.Spec) {
	s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: "network"}, specs.LinuxNamespace{Type: "uts"})
}

// A start that fails at any step leaves nothing, and the next one works. A
// cgroup that cannot be made is no failure, as in LinuxKit.
func TestFailureAtEachStepUndoesAll(t *testing.T) {
	e, root, dir := testEngine(t), containers(t), t.TempDir()
	b := shape{name: "000-all", write: true, script: "exit 0", runtime: everything(dir), spec: ownNamespaces}.lay(t, root)
	addLink(t, "moved0")
	fault := errors.New("injected")
	before := append(state(t, e, root), state(t, e, dir)...)
	for k, failed := 1, "the first"; failed != ""; k++ {
		n := 0
		failed = ""
		e.beforeStep = func(s step.Step) error {
			if n++; n != k {
				return nil
			}
			failed = s.String()
			return fault
		}
		c, err := e.Start(testContext(t), b, IO{})
		switch {
		case failed == "" || strings.HasPrefix(failed, "mkdir -p -m 755 /sys/fs/cgroup"):
			must(t, err)
			must(t, c.Cleanup())
			undoLasting(t, dir)
			addLink(t, "moved0") // that one went with the namespace
		case !errors.Is(err, fault) || !strings.HasPrefix(err.Error(), "onboot "+b.Name+": "):
			t.Errorf("error %v", err)
		case !slices.Contains(interfaces(t), "moved0"):
			t.Error("the interface that was moved did not come back")
		}
		same(t, before, append(state(t, e, root), state(t, e, dir)...))
		if t.Failed() {
			t.Fatalf("after a failure before step %d, %q", k, failed)
		}
	}
}

// undoLasting takes away by hand what a container leaves for later ones.
func undoLasting(t testing.TB, dir string) {
	t.Helper()
	must(t, mount.Clear(dir))
	for _, name := range []string{"t/mnt", "t", "made/deep", "made", "ns/net", "ns/uts", "ns"} {
		must(t, os.Remove(filepath.Join(dir, name)))
	}
	for _, name := range []string{"/inner", ""} {
		err := unix.Rmdir(fmt.Sprintf("/sys/fs/cgroup/pods-t%d%s", os.Getpid(), name))
		if err != nil && !errors.Is(err, unix.ENOENT) {
			t.Error(err)
		}
	}
}

func TestFaultsAreNamed(t *testing.T) {
	for name, tt := range map[string]struct {
		shape
		spoil func(*testing.T, *Engine, *bundle.Bundle)
		want  []string
	}{
		"missing command": {shape: shape{args: []string{"/bin/nonesuch"}}, want: []string{"start", "/bin/nonesuch", "no such file"}},
		"no runc": {want: []string{"start", "/nonesuch/runc", "init section"},
			spoil: func(_ *testing.T, e *Engine, _ *bundle.Bundle) { e.one().Path = "/nonesuch/runc" }},
		"no rootfs": {shape: shape{bare: true}, want: []string{"prepare rootfs", "/rootfs", "no such file"},
			spoil: func(t *testing.T, _ *Engine, b *bundle.Bundle) { must(t, os.Remove(b.Path("rootfs"))) }},
		"no lower": {shape: shape{write: true, bare: true}, want: []string{"prepare rootfs", "/lower", "no such file"}},
		"unknown interface": {shape: shape{spec: ownNamespaces, runtime: bundle.Runtime{Interfaces: []bundle.Interface{{Name: "eth77"}}}},
			want: []string{"wire", "eth77", "none of that name"}},
		"unknown kind": {shape: shape{spec: ownNamespaces, runtime: bundle.Runtime{Interfaces: []bundle.Interface{{Name: "x0", Add: "nonesuch"}}}},
			want: []string{"wire", "x0", "no interfaces of type nonesuch"}},
		"unknown filesystem": {shape: shape{runtime: bundle.Runtime{Mounts: []specs.Mount{{Type: "nonesuchfs", Source: "none", Destination: "mnt"}}}},
			want: []string{"prepare rootfs", "/mnt", "the kernel has no nonesuchfs filesystem"}},
		"wrong option": {shape: shape{runtime: bundle.Runtime{Mounts: []specs.Mount{{Type: "tmpfs", Source: "tmpfs", Destination: "var", Options: []string{"nonesuch=1"}}}}},
			want: []string{"prepare rootfs", "/var", "wrong option", "nonesuch=1"}},
	} {
		t.Run(name, func(t *testing.T) {
			e, root := testEngine(t), containers(t)
			tt.name = "000-fault"
			b := tt.lay(t, root)
			if tt.spoil != nil {
				tt.spoil(t, e, b)
			}
			before := state(t, e, root)
			_, err := e.Start(testContext(t), b, IO{})
			if err == nil {
				t.Fatal("no error")
			}
			for _, word := range append(tt.want, "onboot "+b.Name+": ") {
				if !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(word)) {
					t.Errorf("error does not say %q: %v", word, err)
				}
			}
			same(t, before, state(t, e, root))
		})
	}
}

// A runtime that hangs is killed, whatever it has already made goes.
func TestRuntimeThatHangs(t *testing.T) {
	e, root := testEngine(t), containers(t)
	fake := filepath.Join(t.TempDir(), "fake")
	script := fmt.Sprintf("#!/bin/sh\nmkdir -p %s/000-hang-t%d/sub\nexec sleep 1000\n", e.one().Root, os.Getpid())
	must(t, os.WriteFile(fake, []byte(script), 0o755))
	e.one().Path, e.one().Timeout = fake, 300*time.Millisecond
	b := shape{name: "000-hang", write: true}.lay(t, root)
	must(t, os.MkdirAll(e.one().Root, 0o700))
	before := state(t, e, root)
	_, err := e.Start(testContext(t), b, IO{})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "fake run: not done after 300ms, killed") {
		t.Errorf("error is %v", err)
	}
	same(t, before, state(t, e, root))
}

// runc killed at many moments leaves nothing that Clean does not take away.
func TestRuntimeKilledAtAnyMoment(t *testing.T) {
	e, root := testEngine(t), containers(t)
	b := shape{name: "000-killed", write: true, script: "sleep 1000"}.lay(t, root)
	must(t, os.MkdirAll(e.one().Root, 0o700))
	before := state(t, e, root)
	for after := time.Millisecond; after < 40*time.Millisecond; after += time.Millisecond {
		e.one().Timeout = after
		c, err := e.Start(testContext(t), b, IO{})
		if err == nil {
			must(t, c.Cleanup())
		} else if !errors.Is(err, context.DeadlineExceeded) {
			t.Logf("killed after %s: %v", after, err)
		}
		same(t, before, state(t, e, root))
		if t.Failed() {
			t.Fatalf("killed after %s", after)
		}
	}
}

// A process whose first thread has ended, and whose others have not, is killed
// like any other: here it is runc's own, whose thread the profile ends.
func TestKillWithoutTheFirstThread(t *testing.T) {
	e, root := testEngine(t), containers(t)
	e.one().Timeout = time.Second
	b := shape{name: "000-headless", script: "exit 0", spec: func(s *specs.Spec) {
		s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActKillThread}
	}}.lay(t, root)
	must(t, os.MkdirAll(e.one().Root, 0o700))
	before := state(t, e, root)
	if _, err := e.Start(testContext(t), b, IO{}); err == nil || strings.Contains(err.Error(), "does not die") {
		t.Errorf("error is %v", err)
	}
	same(t, before, state(t, e, root))
}

// The cgroup of another container is left alone by one that names the same.
func TestForeignCgroupIsNotKilled(t *testing.T) {
	e, root := testEngine(t), containers(t)
	same := func(s *specs.Spec) { s.Linux.CgroupsPath = fmt.Sprintf("/both-t%d", os.Getpid()) }
	first := shape{name: "first", section: bundle.Services, script: "sleep 1000", spec: same}.lay(t, root)
	second := shape{name: "second", section: bundle.Services, script: "sleep 1000", spec: same}.lay(t, root)
	c := start(t, e, first)
	if _, err := e.Start(testContext(t), second, IO{}); err == nil || !strings.Contains(err.Error(), "in use by other processes") {
		t.Errorf("error is %v", err)
	}
	if !c.Ident().Alive() {
		t.Error("the first container was killed")
	}
}

// Trees of a hostile image, whose links lead to a directory that must stay as it is.
func TestHostileTrees(t *testing.T) {
	for name, tt := range map[string]struct {
		shape
		plant func(t *testing.T, b *bundle.Bundle, victim string)
	}{
		"rootfs is a link": {shape{}, func(t *testing.T, b *bundle.Bundle, victim string) {
			must(t, os.Rename(b.Path("rootfs"), b.Path("moved")))
			must(t, os.Symlink(victim, b.Path("rootfs")))
		}},
		"tmp is a link": {shape{write: true}, func(t *testing.T, b *bundle.Bundle, victim string) {
			must(t, os.Remove(b.Path("tmp")))
			must(t, os.Symlink(victim, b.Path("tmp")))
		}},
		"lower is a link": {shape{write: true}, func(t *testing.T, b *bundle.Bundle, victim string) {
			must(t, os.Rename(b.Path("lower"), b.Path("moved")))
			must(t, os.Symlink(victim, b.Path("lower")))
		}},
		"mount through a link": {
			shape{runtime: bundle.Runtime{Mounts: []specs.Mount{{Source: "tmpfs", Type: "tmpfs", Destination: "var/link/mnt"}}}},
			linkIn("var/link")},
		"mount on a link": {
			shape{runtime: bundle.Runtime{Mounts: []specs.Mount{{Source: "tmpfs", Type: "tmpfs", Destination: "var/link"}}}},
			linkIn("var/link")},
		"mount by an absolute path into the rootfs": {
			shape{runtime: bundle.Runtime{Mounts: []specs.Mount{{Source: "tmpfs", Type: "tmpfs", Destination: "ROOTFS/var/link/mnt"}}}},
			linkIn("var/link")},
		"directory through a link": {shape{runtime: bundle.Runtime{Mkdir: []string{"var/link/made"}}}, linkIn("var/link")},
		"directory above the root": {shape{runtime: bundle.Runtime{Mkdir: []string{"../../../../../../../../VICTIM/made"}}}, linkIn("var/link")},
	} {
		t.Run(name, func(t *testing.T) {
			e, root, victim := testEngine(t), containers(t), filepath.Join(t.TempDir(), "victim")
			must(t, os.Mkdir(victim, 0o755))
			tt.name, tt.script = "000-hostile", "ls "+victim
			b := tt.lay(t, root)
			for i, m := range b.Runtime.Mounts {
				b.Runtime.Mounts[i].Destination = strings.Replace(m.Destination, "ROOTFS", b.Path("rootfs"), 1)
			}
			for i, dir := range b.Runtime.Mkdir {
				b.Runtime.Mkdir[i] = strings.Replace(dir, "/VICTIM", victim, 1)
			}
			tt.plant(t, b, victim)
			e.beforeStep = func(step.Step) error { return untouched(victim) }
			c, err := e.Start(testContext(t), b, IO{})
			must(t, untouched(victim))
			if err != nil {
				t.Logf("refused: %v", err)
				return
			}
			_, err = c.Wait(testContext(t))
			must(t, err)
			must(t, c.Cleanup())
			must(t, untouched(victim))
		})
	}
}

func linkIn(at string) func(*testing.T, *bundle.Bundle, string) {
	return func(t *testing.T, b *bundle.Bundle, victim string) {
		must(t, os.Symlink(victim, b.Path("rootfs", at)))
	}
}

func untouched(victim string) error {
	entries, err := os.ReadDir(victim)
	if err != nil || len(entries) > 0 {
		return fmt.Errorf("the victim is touched: %v (%w)", entries, err)
	}
	table, err := mount.Table()
	if found := mount.InnermostFirst(table, victim); len(found) > 0 {
		return fmt.Errorf("mounted on the victim: %v", found)
	}
	return err
}
