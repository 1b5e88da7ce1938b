package test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/pkg/build/output"
)

// reproducibleYML names a file beside it, and a directory's worth of small ones.
const reproducibleYML = `
kernel:
  image: slipway/kernel:v0.1
  cmdline: "console=ttyS0"
init:
  - slipway/init:v0.1
  - slipway/runc:v0.1
onboot:
  - name: first
    image: slipway/busybox:v0.1
    command: ["/bin/true"]
services:
  - name: second
    image: slipway/getty:v0.1
    env: ["A=1", "B=2"]
    sysctl: {net.ipv4.ip_forward: "1", kernel.msgmax: "65536", kernel.hostname: x}
    annotations: {slipway.after: third, x.y: z, a.b: c}
  - name: third
    image: slipway/busybox:v0.1
    command: ["/bin/sleep", "1000"]
files:
  - {path: etc/source, source: beside, mode: "0640"}
  - {path: etc/all.json, metadata: json}
  - {path: etc/all.yml, metadata: yaml}
`

// surroundings are what must not show in an image.
type surroundings struct {
	umask string
	env   []string
	store bool // images come from the local store, else from an archive
	late  bool // the clock has moved on, and files are of another time
}

// TestReproducible builds every format of one machine twice, with everything
// different that is no input.
func TestReproducible(t *testing.T) {
	tl := makeTool(t)
	archive := filepath.Join(t.TempDir(), "images.tar")
	tl.want(t, 0, "", "images", "--root", "..", "export", archive, "kernel", "init", "runc", "busybox", "getty", "efi-stub")
	one := tl.sums(t, archive, surroundings{umask: "022", env: []string{"TZ=UTC", "LC_ALL=C", "GOMAXPROCS=1"}, store: true})
	two := tl.sums(t, archive, surroundings{umask: "077", late: true, env: []string{
		"TZ=Asia/Tokyo", "LC_ALL=tr_TR.UTF-8", "GOMAXPROCS=7", "HOME=/nonexistent", "SOURCE_DATE_EPOCH=1000000000",
		"SLIPWAY_STORE=" + filepath.Join(t.TempDir(), "no-store"), "TMPDIR=" + t.TempDir(),
	}})
	names := slices.Sorted(maps.Keys(one))
	if want := 12; len(names) < want {
		t.Errorf("%d files, want %d or more: %v", len(names), want, names)
	}
	for _, name := range names {
		if one[name] != two[name] {
			t.Errorf("%s: two builds differ: %s and %s", name, one[name], two[name])
		}
	}
	if len(one) != len(two) {
		t.Errorf("files %v and %v", names, slices.Sorted(maps.Keys(two)))
	}
}

// sums builds in a directory of its own and hashes what comes out.
func (tl *tool) sums(t *testing.T, archive string, s surroundings) map[string]string {
	t.Helper()
	dir := t.TempDir()
	names := []string{"m.yml", "beside"}
	if s.late {
		slices.Reverse(names)
		time.Sleep(1100 * time.Millisecond)
	}
	for _, name := range names {
		text := map[string]string{"m.yml": reproducibleYML, "beside": "source\n"}[name]
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if s.late {
			long := time.Unix(1, 0)
			if err := os.Chtimes(filepath.Join(dir, name), long, long); err != nil {
				t.Fatal(err)
			}
		}
	}
	args := []string{"-c", `umask ` + s.umask + `; exec "$0" "$@"`, tl.binary, "build", "-q", "--offline", "--dir", "out", "--sbom", "out.json", "-f", strings.Join(output.Formats(), ",")}
	if !s.store {
		args = append(args, "--oci", archive)
	}
	cmd := exec.Command("sh", append(args, "m.yml")...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), s.env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	sums := map[string]string{"out.json": sum(t, filepath.Join(dir, "out.json"))}
	entries, err := os.ReadDir(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		sums[e.Name()] = sum(t, filepath.Join(dir, "out", e.Name()))
	}
	return sums
}

func sum(t *testing.T, file string) string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x, mode %o", h.Sum(nil), info.Mode().Perm())
}
