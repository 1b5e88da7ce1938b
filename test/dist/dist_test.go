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

// TestDist makes a release twice, with what is no input different, for one architecture and
// the images of the demo; then it installs the package into a root with nothing in it but
// what the package depends on, builds the demo there from the images of the release, and
// boots it.
func TestDist(t *testing.T) {
	skip.IfShort(t)
	skip.UnlessRoot(t, "chroot")
	one, two := filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "two")
	release(t, one, "umask 022", "TZ=UTC")
	release(t, two, "umask 077", "TZ=Asia/Tokyo", "LINUXKIT_CACHE=/somewhere", "SLIPWAY_RENAME=a=b")
	if a, b := sums(t, one), sums(t, two); a != b {
		t.Errorf("one release is\n%s\nand the other\n%s", a, b)
	}
	root := freshRoot(t)
	run(t, "dpkg", "--root="+root, "--force-depends", "-i", find(t, one, "*.deb"))
	if err := os.Link(find(t, one, "*-images-amd64.tar"), filepath.Join(root, "images.tar")); err != nil {
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
	for _, part := range []string{"-kernel", "-initrd.img", "-cmdline"} {
		a, errA := os.ReadFile(filepath.Join(root, "root/first/demo"+part))
		b, errB := os.ReadFile(filepath.Join(root, "root/second/demo"+part))
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s: %d and %d bytes; %v, %v", part, len(a), len(b), errA, errB)
		}
	}
	said := run(t, filepath.Join(root, "usr/bin/slipway"), "run", "--report", "--timeout", "10m", filepath.Join(root, "root/first/demo"))
	if !strings.Contains(said, "slipway: report: ok") {
		t.Errorf("boot: %s", said)
	}
	// Of a commit with no tag: v0.0.0-TIME-COMMIT, which the archive has in its name.
	if version := strings.Fields(inside("slipway", "--version"))[1]; !strings.HasPrefix(version, "devel") {
		find(t, one, "slipway-"+strings.TrimSuffix(version, ",")+"-linux-amd64.tar.gz")
	}
}

// release makes a release.
func release(t *testing.T, out, before string, env ...string) {
	t.Helper()
	cmd := exec.Command("bash", "-c", before+`; NFPM=$(sed -n 's/^NFPM := //p' Makefile) packaging/dist "$0"`, out)
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "ARCHES=amd64", "IMAGES=kernel init runc busybox dhcp getty", "BUILDVCS=-buildvcs=auto", "TMPDIR="+t.TempDir())
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
