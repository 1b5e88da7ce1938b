// Package dist holds what `make dist` makes against what people do with it.
package dist

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"slipway/test/skip"
)

// TestDist makes a release twice, in two directories and with what is no input different,
// for one architecture and the images of the demo; then it installs each kind of package into
// a root with nothing in it but what the package depends on, and builds the demo there from the
// images of the release. It boots one.
func TestDist(t *testing.T) {
	skip.IfShort(t)
	skip.UnlessRoot(t, "chroot")
	one, two := filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "two")
	here, elsewhere := copyOfTree(t), copyOfTree(t) // both of now, whatever is edited meanwhile
	release(t, here, one, "umask 022", "TZ=UTC")
	release(t, elsewhere, two, "umask 077", "TZ=Asia/Tokyo", "LINUXKIT_CACHE=/somewhere", "SLIPWAY_RENAME=a=b")
	if a, b := sums(t, one), sums(t, two); a != b {
		t.Errorf("one release is\n%s\nand the other\n%s", a, b)
	}
	deb, rpm := freshRoot(t), freshRoot(t)
	run(t, "dpkg", "--root="+deb, "--force-depends", "-i", find(t, one, "*.deb"))
	run(t, "rpm", "--root="+rpm, "--nodeps", "-i", find(t, one, "*.rpm"))
	installed(t, deb, one)
	installed(t, rpm, one)
	for _, part := range []string{"-kernel", "-initrd.img", "-cmdline"} {
		same(t, filepath.Join(deb, "root/first/demo"+part), filepath.Join(deb, "root/second/demo"+part))
		same(t, filepath.Join(deb, "root/first/demo"+part), filepath.Join(rpm, "root/first/demo"+part))
	}
	said := run(t, filepath.Join(deb, "usr/bin/slipway"), "run", "--report", "--timeout", "10m", filepath.Join(deb, "root/first/demo"))
	if !strings.Contains(said, "slipway: report: ok") {
		t.Errorf("boot: %s", said)
	}
}

// installed looks at what a package has put into a root, and uses it there.
func installed(t *testing.T, root, release string) {
	t.Helper()
	if err := os.Link(find(t, release, "*-images-amd64.tar"), filepath.Join(root, "images.tar")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"share/man/man1/slipway-build.1", "share/bash-completion/completions/slipway", "share/zsh/vendor-completions/_slipway", "share/fish/vendor_completions.d/slipway.fish", "share/doc/slipway/LICENSE"} {
		if info, err := os.Stat(filepath.Join(root, "usr", name)); err != nil || info.Size() < 300 || info.Mode().Perm() != 0o644 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	inside := func(args ...string) string {
		return run(t, "chroot", append([]string{root, "/usr/bin/env", "-i", "PATH=/usr/bin", "HOME=/root"}, args...)...)
	}
	inside("slipway", "build", "--oci", "/images.tar", "--dir", "/root/first", "--name", "demo", "/usr/share/doc/slipway/linuxkit.yml")
	inside("slipway", "images", "import", "/images.tar")
	inside("slipway", "build", "--offline", "--dir", "/root/second", "--name", "demo", "/usr/share/doc/slipway/linuxkit.yml")
	// Of a commit with no tag: v0.0.0-TIME-COMMIT, which the archive has in its name.
	if version := strings.Fields(inside("slipway", "--version"))[1]; !strings.HasPrefix(version, "devel") {
		find(t, release, "slipway-"+strings.TrimSuffix(version, ",")+"-linux-amd64.tar.gz")
	}
}

func same(t *testing.T, one, other string) {
	t.Helper()
	a, errA := os.ReadFile(one)
	b, errB := os.ReadFile(other)
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Errorf("%s: %d bytes, and %s %d; %v, %v", one, len(a), other, len(b), errA, errB)
	}
}

// copyOfTree is the work tree in another place, of the same commit and with the same changes.
// The compiler takes a file .git for none.
func copyOfTree(t *testing.T) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "elsewhere")
	run(t, "bash", "-ec", `cd ../.. && mkdir "$0" && git ls-files -z -co --exclude-standard | while IFS= read -rd '' f; do [ ! -e "$f" ] || printf '%s\0' "$f"; done |
		tar --null -cf - -T - | tar -C "$0" -xf - && ln -s "$(git rev-parse --absolute-git-dir)" "$0/.git"`, to)
	return to
}

// release makes a release of a tree.
func release(t *testing.T, tree, out, before string, env ...string) {
	t.Helper()
	cmd := exec.Command("bash", "-c", before+`; NFPM=$(sed -n 's/^NFPM := //p' Makefile) packaging/dist "$0"`, out)
	cmd.Dir = tree
	cmd.Env = append(os.Environ(), "ARCHES=amd64", "IMAGES=kernel init runc busybox dhcp getty", "BUILDVCS=-buildvcs=auto", "TMPDIR="+t.TempDir(), "GIT_OPTIONAL_LOCKS=0")
	cmd.Env = append(cmd.Env, env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make dist: %v\n%s", err, out)
	}
}

func sums(t *testing.T, dir string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(data), "\n"); n != 5 {
		t.Errorf("%d files:\n%s", n, data)
	}
	return string(data)
}

// freshRoot has dpkg's database, a mksquashfs with its libraries, and env.
func freshRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"tmp", "root/first", "root/second", "var/tmp", "var/lib/dpkg/info", "var/lib/dpkg/updates"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "var/lib/dpkg/status"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{"mksquashfs", "env"} {
		path, err := exec.LookPath(program)
		if err != nil {
			skip.Test(t, skip.Program, program)
		}
		files := append(regexp.MustCompile(`/\S+`).FindAllString(run(t, "ldd", path), -1), path)
		unwinder, err := filepath.Glob("/lib/*/libgcc_s.so.1") // libc loads it when a thread ends
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range append(files, unwinder...) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			to := filepath.Join(root, file)
			if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(to, data, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	return root
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func find(t *testing.T, dir, pattern string) string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(all) != 1 {
		t.Fatalf("%s in %s: %q, %v", pattern, dir, all, err)
	}
	return all[0]
}
