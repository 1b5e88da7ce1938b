package container

import (
	"os"
	"testing"

	"slipway/pkg/bundle"
	"slipway/pkg/container/mount"
	"slipway/test/poll"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// sharing is a service that mounts in dir, which it and the machine share.
func sharing(name, dir, script string, options ...string) shape {
	return shape{name: name, section: bundle.Services, write: true, script: script, spec: func(s *specs.Spec) {
		s.Linux.RootfsPropagation = "shared"
		s.Mounts = append(s.Mounts, specs.Mount{Source: dir, Destination: "/mnt", Type: "bind", Options: append([]string{"rw", "rbind"}, options...)})
		caps := []string{"CAP_SYS_ADMIN"}
		s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: caps, Effective: caps, Permitted: caps}
	}}
}

// sharedDir has three places to mount on, and one that is mounted on already.
func sharedDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"/a", "/b", "/old"} {
		must(t, os.Mkdir(dir+name, 0o755))
	}
	t.Cleanup(func() { must(t, mount.Clear(dir)) })
	must(t, mount.Mount{Source: "tmpfs", Target: dir + "/old", Type: "tmpfs"}.Do())
	return dir
}

// Whatever a service mounts in a shared directory goes when it ends, each time; what
// lay there before, below it too, stays.
func TestServiceTakesItsSharedMountsAlong(t *testing.T) {
	for name, script := range map[string]string{
		"one":       "mount -t tmpfs tmpfs /mnt/a",
		"nested":    "mount -t tmpfs tmpfs /mnt/a && mkdir /mnt/a/in && mount -t tmpfs tmpfs /mnt/a/in",
		"bind":      "mount -t tmpfs tmpfs /mnt/a && mount --bind /mnt/a /mnt/b",
		"stacked":   "mount -t tmpfs tmpfs /mnt/a && mount -t tmpfs tmpfs /mnt/a && mount -t tmpfs tmpfs /mnt/old",
		"the whole": "mount -t tmpfs tmpfs /mnt",
	} {
		t.Run(name, func(t *testing.T) {
			e, root, dir := testEngine(t), containers(t), sharedDir(t)
			b := sharing("mounts", dir, script, "rshared").lay(t, root)
			before := state(t, e, root)
			for range 2 {
				if code, text := runToEnd(t, e, b); code != 0 {
					t.Fatalf("exit status %d, %s", code, text)
				}
				same(t, before, state(t, e, root))
			}
		})
	}
}

// So it is where the start itself has made the directory, the first time too.
func TestSharedMountsInADirectoryThatIsMade(t *testing.T) {
	e, root, dir := testEngine(t), containers(t), t.TempDir()
	t.Cleanup(func() { must(t, mount.Clear(dir)) })
	s := sharing("mounts", dir+"/made", "mkdir /mnt/a && mount -t tmpfs tmpfs /mnt/a", "rshared")
	s.runtime.Mkdir = []string{dir + "/made"}
	b := s.lay(t, root)
	before := state(t, e, root)
	if code, text := runToEnd(t, e, b); code != 0 {
		t.Fatalf("exit status %d, %s", code, text)
	}
	same(t, before, state(t, e, root))
}

// A supervisor that comes after the one that made the start does the same.
func TestSharedMountsGoAfterTheStarterDied(t *testing.T) {
	e, root, dir := testEngine(t), containers(t), sharedDir(t)
	b := sharing("mounts", dir, "mount -t tmpfs tmpfs /mnt/a && touch /mnt/a/here && exec sleep 1000", "rshared").lay(t, root)
	before := state(t, e, root)
	c, err := e.Start(testContext(t), b, IO{})
	must(t, err)
	poll.Until(t, "the mount", func() bool { return exists(dir + "/a/here") })
	next, err := e.Attach(b, c.Ident())
	must(t, err)
	must(t, next.Kill())
	must(t, next.Cleanup())
	same(t, before, state(t, e, root))
}

// What another container that runs is shown is not taken away from it; what is
// open on the machine, and what we mount ourselves, neither.
func TestSharedMountsThatOthersNeedStay(t *testing.T) {
	e, dir := testEngine(t), sharedDir(t)
	root := dir + "/containers" // so that our own mounts lie in the shared directory too
	ours := root + "/ours"
	must(t, os.MkdirAll(ours, 0o755))
	other := start(t, e, sharing("other", dir+"/b", "exec sleep 1000", "rslave").lay(t, root))
	b := sharing("mounts", dir, "mount -t tmpfs tmpfs /mnt/a && mount -t tmpfs tmpfs /mnt/b && touch /mnt/b/here && touch /mnt/a/here && exec sleep 1000", "rshared").lay(t, root)
	run := func(meanwhile func()) {
		c, err := e.Start(testContext(t), b, IO{})
		must(t, err)
		poll.Until(t, "the mounts", func() bool { return exists(dir+"/b/here") && exists(dir+"/a/here") })
		meanwhile()
		must(t, c.Kill())
		must(t, c.Cleanup())
	}
	run(func() {})
	if exists(dir+"/a/here") || !exists(dir+"/b/here") {
		t.Error("of what it mounted, only what the other is shown should be left")
	}
	must(t, mount.Unmount(dir+"/b", 0))
	must(t, other.Kill())
	must(t, other.Cleanup())

	var open *os.File
	run(func() {
		var err error
		open, err = os.Open(dir + "/a/here")
		must(t, err)
		must(t, mount.Mount{Source: "tmpfs", Target: ours, Type: "tmpfs"}.Do())
	})
	if !exists(dir+"/a/here") || exists(dir+"/b/here") {
		t.Error("what is open should be left, and nothing else")
	}
	must(t, open.Close())
	must(t, mount.Unmount(ours, 0)) // it is still there
}
