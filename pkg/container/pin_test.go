package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/pkg/bundle"
	"slipway/pkg/container/mount"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// sharedTree has a directory that one container may write, with the source of another's
// bind in it, and something of the machine's that is nobody's.
func sharedTree(t *testing.T) (dir string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	for _, name := range []string{"/shared/x", "/secret"} {
		must(t, os.MkdirAll(dir+name, 0o755))
	}
	must(t, os.WriteFile(dir+"/shared/x/file", []byte("mine"), 0o644))
	must(t, os.WriteFile(dir+"/secret/file", []byte("secret"), 0o644))
	return dir
}

func bindOf(source, destination string, options ...string) func(*specs.Spec) {
	return func(s *specs.Spec) {
		s.Mounts = append(s.Mounts, specs.Mount{Source: source, Destination: destination, Type: "bind", Options: append([]string{"rbind"}, options...)})
	}
}

// Whoever can write the directory in which another's source lies puts a link there, and
// the other's start is refused rather than led where the link leads.
func TestLinksOfOthersLeadNowhere(t *testing.T) {
	for name, lay := range map[string]func(dir string) shape{
		"bind":   func(dir string) shape { return shape{spec: bindOf(dir+"/shared/x", "/mnt", "ro")} },
		"file":   func(dir string) shape { return shape{spec: bindOf(dir+"/shared/x/file", "/etc/file", "ro")} },
		"shared": func(dir string) shape { return shape{spec: bindOf(dir+"/shared/x", "/mnt", "rshared")} },
		"mkdir":  func(dir string) shape { return shape{runtime: bundle.Runtime{Mkdir: []string{dir + "/shared/x/made"}}} },
		"mount": func(dir string) shape {
			return shape{runtime: bundle.Runtime{Mounts: []specs.Mount{{Source: dir + "/shared/x", Destination: "mnt", Options: []string{"bind"}}}}}
		},
		"namespace": func(dir string) shape {
			return shape{section: bundle.Services, runtime: bundle.Runtime{BindNS: bundle.BindNS{Uts: dir + "/shared/x/uts"}},
				spec: func(s *specs.Spec) {
					s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: "uts"})
				}}
		},
		"upper": func(dir string) shape {
			return shape{write: true, policy: map[string]string{"slipway.upper": "disk:" + dir + "/shared/x"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			e, root, dir := testEngine(t), containers(t), sharedTree(t)
			attacker := shape{name: "attacker", spec: bindOf(dir+"/shared", "/shared")}.lay(t, root)
			e.Bundles = func() []*bundle.Bundle { return []*bundle.Bundle{attacker} }
			victim := lay(dir)
			victim.name, victim.script = "victim", "true"
			b := victim.lay(t, root)
			must(t, os.Mkdir(filepath.Join(b.Dir, "rootfs", "mnt"), 0o755))

			if code, text := runToEnd(t, e, b); code != 0 {
				t.Fatalf("without a link: exit status %d, %s", code, text)
			}
			must(t, mount.Clear(dir))
			must(t, os.RemoveAll(dir+"/shared/x"))
			must(t, os.Symlink(dir+"/secret", dir+"/shared/x"))
			before := state(t, e, root)
			_, err := e.Start(testContext(t), b, IO{})
			if !errors.Is(err, mount.ErrLedOut) || !strings.Contains(err.Error(), "attacker") {
				t.Errorf("start: %v", err)
			}
			same(t, before, state(t, e, root))
			if entries, err := os.ReadDir(dir + "/secret"); err != nil || len(entries) != 1 {
				t.Errorf("secret: %v, %v", entries, err)
			}
		})
	}
}

// What was looked at is what the container gets, though the source is swapped after
// that and before the runtime gets there; its mounts are the source's as ever.
func TestSwappedSource(t *testing.T) {
	for _, options := range [][]string{nil, {"ro"}, {"rslave"}, {"rshared"}, {"rprivate"}} {
		t.Run(strings.Join(options, ","), func(t *testing.T) {
			e, root, dir := testEngine(t), containers(t), sharedTree(t)
			b := shape{name: "pinned", section: bundle.Services, script: "cat /mnt/file /mnt/below/file /one", spec: func(s *specs.Spec) {
				bindOf(dir+"/shared/x", "/mnt", options...)(s)
				bindOf(dir+"/shared/x/file", "/one", "ro")(s)
				bindOf(dir+"/shared", "/shared")(s)
			}}.lay(t, root)
			for _, on := range []string{"mnt", "shared"} {
				must(t, os.Mkdir(b.Path("rootfs", on), 0o755))
			}
			must(t, os.WriteFile(b.Path("rootfs", "one"), nil, 0o644))
			must(t, os.Mkdir(dir+"/shared/x/below", 0o755))
			must(t, mount.Mount{Source: "tmpfs", Target: dir + "/shared/x/below", Type: "tmpfs"}.Do())
			t.Cleanup(func() { must(t, mount.Clear(dir)) })
			must(t, os.WriteFile(dir+"/shared/x/below/file", []byte(" below "), 0o644))
			before := state(t, e, root)
			// The swap comes when nothing but the runtime is left.
			real := e.one().Path
			script := fmt.Sprintf("#!/bin/sh\n[ -e %[1]s/was ] || { mv %[1]s/x %[1]s/was && ln -s %[2]s/secret %[1]s/x; }\nexec %[3]s \"$@\"\n", dir+"/shared", dir, real)
			e.one().Path = filepath.Join(t.TempDir(), filepath.Base(real))
			must(t, os.WriteFile(e.one().Path, []byte(script), 0o755))
			code, text := runToEnd(t, e, b)
			if code != 0 || text != "mine below mine" {
				t.Errorf("exit status %d, %q", code, text)
			}
			must(t, os.Remove(dir+"/shared/x"))
			must(t, os.Rename(dir+"/shared/was", dir+"/shared/x"))
			same(t, before, state(t, e, root))
		})
	}
}
