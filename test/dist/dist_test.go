// Package dist holds what `make dist` makes against what people do with it.
package dist

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"slipway/test/skip"
)

// TestDist makes a release twice, in two directories and with what is no input different,
// for one architecture and the images of the demo; then it installs each kind of package into
// a root of Debian 12 with nothing in it but what apt says that the package needs: no Go, no
// clone, no shell. There it builds the demo and an example of the package from the images of the
// release. The example is booted by the program that was installed, to what it promises.
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
	needs := neededOfDebian(t, find(t, one, "*.deb"))
	deb, rpm := freshRoot(t, needs), freshRoot(t, needs)
	run(t, "dpkg", "--root="+deb, "--force-depends", "-i", find(t, one, "*.deb"))
	run(t, "rpm", "--root="+rpm, "--nodeps", "-i", find(t, one, "*.rpm"))
	installed(t, deb, one)
	installed(t, rpm, one)
	for _, part := range []string{"-kernel", "-initrd.img", "-cmdline"} {
		same(t, filepath.Join(deb, "root/first/demo"+part), filepath.Join(deb, "root/second/demo"+part))
		same(t, filepath.Join(deb, "root/first/demo"+part), filepath.Join(rpm, "root/first/demo"+part))
	}
	inside(t, deb, "slipway", "build", "--offline", "--dir", "/root", "/usr/share/doc/slipway/examples/disk.yml")
	disk := filepath.Join(t.TempDir(), "data.img")
	run(t, filepath.Join(deb, "usr/bin/slipway"), "run", "--report", "--expect", "^formatting /dev/vda", "--expect", "^boots so far: 1", "--timeout", "40m",
		"--disk", disk+",size=64M", filepath.Join(deb, "root/disk"))
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
	inside(t, root, "slipway", "build", "--oci", "/images.tar", "--dir", "/root/first", "--name", "demo", "/usr/share/doc/slipway/linuxkit.yml")
	inside(t, root, "slipway", "images", "import", "/images.tar")
	inside(t, root, "slipway", "build", "--offline", "--dir", "/root/second", "--name", "demo", "/usr/share/doc/slipway/linuxkit.yml")
	// Of a commit with no tag: v0.0.0-TIME-COMMIT, which the archive has in its name.
	if version := strings.Fields(inside(t, root, "slipway", "--version"))[1]; !strings.HasPrefix(version, "devel") {
		find(t, release, "slipway-"+strings.TrimSuffix(version, ",")+"-linux-amd64.tar.gz")
	}
}

// inside runs a program of a root there, with nothing of the environment.
func inside(t *testing.T, root, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command("/usr/bin/"+name, args...)
	cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/bin", "HOME=/root"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s in %s: %v\n%s", cmd, root, err, out)
	}
	return string(out)
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

// neededOfDebian has apt fetch what it would install with a package where nothing is.
func neededOfDebian(t *testing.T, deb string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	nothing := filepath.Join(dir, "status")
	if err := errors.Join(os.WriteFile(nothing, nil, 0o644), os.Mkdir(filepath.Join(dir, "partial"), 0o755)); err != nil {
		t.Fatal(err)
	}
	run(t, "apt-get", "-q", "-y", "--download-only", "--no-install-recommends", "-o", "Dir::State::status="+nothing,
		"-o", "Dir::Cache::archives="+dir, "-o", "APT::Sandbox::User=root", "install", deb)
	return dir
}

// freshRoot has the files of Debian's packages in a directory, and dpkg's database.
func freshRoot(t *testing.T, packages string) string {
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
	debs, err := filepath.Glob(filepath.Join(packages, "*.deb"))
	if err != nil || len(debs) < 5 {
		t.Fatal(debs, err)
	}
	for _, deb := range debs {
		if !strings.HasPrefix(filepath.Base(deb), "slipway") {
			run(t, "dpkg-deb", "-x", deb, root)
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
