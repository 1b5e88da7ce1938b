package container

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"slipway/pkg/bundle"
	"slipway/pkg/container/mount"
	"slipway/test/poll"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func interfaces(t testing.TB) []string {
	t.Helper()
	all, err := net.Interfaces()
	must(t, err)
	var names []string
	for _, i := range all {
		names = append(names, i.Name)
	}
	return names
}

// addLink makes an interface of a kind that can be moved, once an earlier one
// of that name has gone with its namespace.
func addLink(t testing.TB, name string) {
	t.Helper()
	ip, err := exec.LookPath("ip")
	must(t, err)
	t.Cleanup(func() {
		// It may be gone already, so how this ends says nothing.
		_, err := reaper.Run(context.Background(), exec.Command(ip, "link", "del", name))
		must(t, err)
	})
	poll.Until(t, "ip link add "+name, func() bool {
		cmd := exec.Command(ip, "link", "add", name, "type", "veth", "peer", "name", "far-"+name)
		status, err := reaper.Run(testContext(t), cmd)
		must(t, err)
		return status.Success()
	})
}

func TestInterfaces(t *testing.T) {
	e, root := testEngine(t), containers(t)
	addLink(t, "moved1")
	b := shape{name: "000-net", spec: ownNamespaces, script: "ip link; echo listed; sleep 100000", runtime: bundle.Runtime{Interfaces: []bundle.Interface{
		{Name: "moved1"},
		{Name: "inside0", Add: "bridge"},
		{Name: "fromroot0", Add: "bridge", CreateInRoot: true},
		{Name: "lo0", Peer: "outside0"},
	}}}.lay(t, root)
	out, read := output(t)
	c, err := e.Start(testContext(t), b, IO{Stdout: out, Stderr: out})
	must(t, err)
	// As long as it runs: the namespace goes with it, and the peer with that.
	poll.Until(t, "its list", func() bool { return strings.Contains(read(), "listed") })
	if !slices.Contains(interfaces(t), "outside0") {
		t.Errorf("the veth's peer is not in our namespace: %v", interfaces(t))
	}
	must(t, c.Kill())
	_, err = c.Wait(testContext(t))
	must(t, err)
	must(t, c.Cleanup())
	for _, name := range []string{"moved1", "inside0", "fromroot0", "lo0"} {
		if !strings.Contains(read(), ": "+name) {
			t.Errorf("no %s in the container: %s", name, read())
		}
	}
	poll.Until(t, "the peer goes with the namespace", func() bool { return !slices.Contains(interfaces(t), "outside0") })
}

// A namespace that an onboot container binds outlives it, with the interface
// moved into it; a service joins it, again and again.
func TestBoundNamespaceOutlivesItsContainer(t *testing.T) {
	e, root, dir := testEngine(t), containers(t), t.TempDir()
	bound := dir + "/netns/wg"
	make7 := shape{name: "000-make", spec: ownNamespaces, script: "exit 0", runtime: bundle.Runtime{
		Interfaces: []bundle.Interface{{Name: "wg7", Add: "bridge"}},
		BindNS:     bundle.BindNS{Net: bound},
	}}.lay(t, root)
	runToEnd(t, e, make7)
	t.Cleanup(func() { must(t, mount.Clear(dir)) })
	join := shape{name: "join", section: bundle.Services, script: "ip link", spec: func(s *specs.Spec) {
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: "network", Path: bound})
	}, runtime: bundle.Runtime{Interfaces: []bundle.Interface{{Name: "more0", Add: "bridge"}}}}.lay(t, root)
	for range 2 {
		if _, text := runToEnd(t, e, join); !strings.Contains(text, "wg7") || !strings.Contains(text, "more0") {
			t.Errorf("in the namespace is %s", text)
		}
	}
}

// A link in the place of a bound namespace leads to no other file.
func TestBoundNamespaceIsNoLink(t *testing.T) {
	e, root, dir := testEngine(t), containers(t), t.TempDir()
	t.Cleanup(func() { must(t, mount.Clear(dir)) })
	must(t, os.WriteFile(dir+"/precious", []byte("precious"), 0o600))
	must(t, os.Symlink("precious", dir+"/ns"))
	b := shape{name: "bound", section: bundle.Services, spec: ownNamespaces, script: "exit 0", runtime: bundle.Runtime{
		BindNS: bundle.BindNS{Net: dir + "/ns"},
	}}.lay(t, root)
	before := state(t, e, root)
	_, err := e.Start(testContext(t), b, IO{})
	if err == nil || !strings.Contains(err.Error(), dir+"/ns: it is a symbolic link to precious") {
		t.Errorf("%v", err)
	}
	same(t, before, state(t, e, root))
	if text, err := os.ReadFile(dir + "/precious"); string(text) != "precious" {
		t.Errorf("%q, %v", text, err)
	}
}

// The restarts of a service replace its bound namespaces and reuse the mounts
// it makes for others, instead of piling them up.
func TestRestartsDoNotPileUp(t *testing.T) {
	e, root, dir := testEngine(t), containers(t), t.TempDir()
	t.Cleanup(func() { must(t, mount.Clear(dir)) })
	b := shape{name: "again", section: bundle.Services, write: true, spec: ownNamespaces, script: "exit 0", runtime: bundle.Runtime{
		Mounts:     []specs.Mount{{Source: "tmpfs", Type: "tmpfs", Destination: dir + "/t", Options: []string{"size=1m"}}},
		Interfaces: []bundle.Interface{{Name: "vin0", Peer: "vout0"}},
		BindNS:     bundle.BindNS{Net: dir + "/ns"},
	}}.lay(t, root)
	runToEnd(t, e, b)
	must(t, os.WriteFile(dir+"/t/kept", nil, 0o600))
	before, inode := state(t, e, root), readlinkNS(t, dir+"/ns")
	for range 3 {
		runToEnd(t, e, b)
	}
	same(t, before, state(t, e, root))
	if !exists(dir + "/t/kept") {
		t.Error("the tmpfs is another one")
	}
	if readlinkNS(t, dir+"/ns") == inode {
		t.Error("the bound namespace is still that of the first run")
	}
}

func readlinkNS(t testing.TB, file string) string {
	t.Helper()
	info, err := os.Stat(file)
	must(t, err)
	return fmt.Sprint(info.Sys())
}

func TestBindIsReadOnlyWhenAsked(t *testing.T) {
	e, root, dir := testEngine(t), containers(t), t.TempDir()
	b := shape{name: "000-ro", script: "touch /mnt/x && echo written", spec: func(s *specs.Spec) { s.Root.Readonly = false },
		runtime: bundle.Runtime{Mounts: []specs.Mount{{Source: dir, Destination: "mnt", Type: "bind", Options: []string{"bind", "ro"}}}}}
	bundleDir := b.lay(t, root)
	c := start(t, e, bundleDir)
	if err := os.WriteFile(bundleDir.Path("rootfs", "mnt", "x"), nil, 0o600); err == nil {
		t.Error("a bind with ro can be written to")
	}
	_, err := c.Wait(testContext(t))
	must(t, err)
}
