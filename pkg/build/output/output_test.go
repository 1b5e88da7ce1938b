package output

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"slipway/pkg/build/tree"
	"slipway/pkg/machine"
	"slipway/test/skip"
)

// demo is a small root tree with a kernel and modules.
func demo(t *testing.T, extra ...string) *tree.Tree {
	t.Helper()
	tr := tree.New()
	put := func(path string, e tree.Entry) {
		t.Helper()
		e.ModTime = tree.Epoch
		if err := tr.Put(path, e); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range append([]string{
		"boot/kernel=vmlinuz", "boot/cmdline=console=ttyS0", "bin/init=#!init", "etc/motd=hello", payloadMarker + "=yes",
		"lib/modules/6.1/modules.dep=kernel/loop.ko:\nkernel/squashfs.ko: kernel/b.ko kernel/a.ko\nkernel/a.ko:\nkernel/b.ko: kernel/a.ko\n",
		"lib/modules/6.1/modules.builtin=kernel/fs/overlayfs/overlay.ko\n",
		"lib/modules/6.1/kernel/loop.ko=loop", "lib/modules/6.1/kernel/squashfs.ko=sq",
		"lib/modules/6.1/kernel/a.ko=a", "lib/modules/6.1/kernel/b.ko=b",
	}, extra...) {
		name, text, _ := strings.Cut(f, "=")
		put(name, tree.Entry{Type: tar.TypeReg, Mode: 0o755, Inode: tree.Text(text)})
	}
	put("init", tree.Entry{Type: tar.TypeSymlink, Mode: 0o777, Link: "bin/init"})
	linked := tr.Lookup("etc/motd").Entry
	put("usr/share/motd", linked)
	put("dev/null", tree.Entry{Type: tar.TypeChar, Mode: 0o666, Major: 1, Minor: 3})
	return tr
}

// member is an entry of a newc archive.
type member struct {
	name, text   string
	mode         int64
	major, minor int64
}

// readCpio reads the newc format on its own, strictly.
func readCpio(t *testing.T, r *bytes.Reader) []member {
	t.Helper()
	var list []member
	seen := map[string]bool{"": true}
	for {
		header := make([]byte, 110)
		if _, err := io.ReadFull(r, header); err != nil || string(header[:6]) != "070701" {
			t.Fatalf("after %d entries: %q, %v", len(list), header, err)
		}
		field := func(i int) int64 {
			n, err := strconv.ParseInt(string(header[6+8*i:14+8*i]), 16, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		text := func(n int64) string {
			b := make([]byte, n)
			if _, err := io.ReadFull(r, b); err != nil {
				t.Fatal(err)
			}
			for (r.Size()-int64(r.Len()))%4 != 0 {
				if c, err := r.ReadByte(); err != nil || c != 0 {
					t.Fatalf("padding %d, %v", c, err)
				}
			}
			return string(b)
		}
		m := member{mode: field(1), major: field(9), minor: field(10)}
		m.name = strings.TrimSuffix(text(field(11)), "\x00")
		m.text = text(field(6))
		if m.name == "TRAILER!!!" {
			return list
		}
		if parent := filepath.Dir(m.name); parent != "." && !seen[parent] {
			t.Errorf("%s comes before its directory; the kernel drops it", m.name)
		}
		seen[m.name] = true
		list = append(list, m)
	}
}

func find(list []member, name string) *member {
	for i := range list {
		if list[i].name == name {
			return &list[i]
		}
	}
	return nil
}

func TestCpio(t *testing.T) {
	var b bytes.Buffer
	c := &cpioWriter{w: &b}
	if err := c.writeTree(rootNodes(demo(t, "TRAILER!!!=no end", "etc/TRAILER!!!=nor this"))); err != nil {
		t.Fatal(err)
	}
	list := readCpio(t, bytes.NewReader(b.Bytes()))
	if find(list, "boot/kernel") != nil {
		t.Error("the kernel is in the initrd")
	}
	for name, want := range map[string]member{
		"etc/motd":       {mode: 0o100755, text: "hello"},
		"etc":            {mode: 0o040755},
		"./TRAILER!!!":   {mode: 0o100755, text: "no end"},
		"etc/TRAILER!!!": {mode: 0o100755, text: "nor this"},
		"init":           {mode: 0o120777, text: "bin/init"},
		"usr/share/motd": {mode: 0o120777, text: "../../etc/motd"},
		"dev/null":       {mode: 0o020666, major: 1, minor: 3},
	} {
		m := find(list, name)
		if m == nil {
			t.Errorf("no %s", name)
			continue
		}
		want.name = name
		if *m != want {
			t.Errorf("got %+v, want %+v", *m, want)
		}
	}
}

func TestRelative(t *testing.T) {
	for _, c := range [][3]string{
		{"a", "b", "b"}, {"a/b", "c", "../c"}, {"a/b", "a/c", "c"}, {"a/b/c", "a/d/e", "../d/e"}, {"x", "a/b", "a/b"},
	} {
		if got := relative(c[0], c[1]); got != c[2] {
			t.Errorf("from %s to %s: got %s, want %s", c[0], c[1], got, c[2])
		}
	}
}

func TestNeededModules(t *testing.T) {
	nodes, err := neededModules(demo(t), payloadSet)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, n := range nodes {
		names = append(names, n.Name)
	}
	if got, want := strings.Join(names, " "), "loop.ko a.ko b.ko squashfs.ko"; got != want {
		t.Errorf("load order %s, want %s", got, want)
	}
	missing := demo(t, "lib/modules/6.1/modules.builtin=")
	if _, err := neededModules(missing, payloadSet); err == nil || !strings.Contains(err.Error(), "no module overlay") {
		t.Errorf("got %v", err)
	}
	if nodes, err := neededModules(tree.New(), payloadSet); err != nil || nodes != nil {
		t.Errorf("a kernel without modules: %v, %v", nodes, err)
	}
	two := demo(t, "lib/modules/6.2/modules.dep=")
	if _, err := neededModules(two, payloadSet); err == nil || !strings.Contains(err.Error(), "several kernels") {
		t.Errorf("got %v", err)
	}
}

func needSquashfs(t *testing.T) {
	for _, name := range []string{"mksquashfs", "unsquashfs"} {
		if _, err := exec.LookPath(name); err != nil {
			skip.Test(t, skip.Program, name, " (squashfs-tools)")
		}
	}
}

// build writes a format and returns the directory.
func build(t *testing.T, format string, o Options) string {
	t.Helper()
	dir := t.TempDir()
	to := &Target{Dir: dir, Name: "m"}
	if err := Write(context.Background(), format, demo(t), to, o); err != nil {
		t.Fatal(err)
	}
	if _, err := to.Commit(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func read(t *testing.T, elem ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestPayload(t *testing.T) {
	needSquashfs(t)
	dir := build(t, "kernel+initrd", Options{})
	if got := string(read(t, dir, "m-kernel")); got != "vmlinuz" {
		t.Errorf("kernel %q", got)
	}
	if got := string(read(t, dir, "m-cmdline")); got != "console=ttyS0" {
		t.Errorf("cmdline %q", got)
	}
	list := readCpio(t, bytes.NewReader(read(t, dir, "m-initrd.img")))
	if m := find(list, "init"); m == nil || m.text != "#!init" || m.mode != 0o100755 {
		t.Errorf("init: %+v", m)
	}
	modules := find(list, machine.PayloadModules).text
	if want := "/payload/lib/modules/6.1/kernel/loop.ko\n"; !strings.HasPrefix(modules, want) {
		t.Errorf("modules %q", modules)
	}
	for line := range strings.FieldsSeq(modules) {
		if find(list, strings.TrimPrefix(line, "/")) == nil {
			t.Errorf("no module %s", line)
		}
	}
	root := filepath.Join(dir, "root")
	if err := os.WriteFile(root, []byte(find(list, machine.PayloadRoot).text), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("unsquashfs", "-lls", "-d", "", root).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"/etc/motd", "/usr/share/motd", "/init -> bin/init", "/proc", "/mnt", "/tmp", "/var", "/run"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the root has no %s:\n%s", want, out)
		}
	}
	if strings.Contains(string(out), "/boot") {
		t.Error("the kernel is in the root")
	}
}

// TestReproducible builds under another umask and time zone, a second later.
func TestReproducible(t *testing.T) {
	needSquashfs(t)
	for _, o := range []Options{{}, {Initrd: "cpio"}, {Compression: "lz4"}} {
		first := read(t, build(t, "kernel+initrd", o), "m-initrd.img")
		old := syscall.Umask(0o077)
		t.Setenv("TZ", "Asia/Tokyo")
		now := time.Now().Unix()
		for time.Now().Unix() == now {
			time.Sleep(50 * time.Millisecond)
		}
		second := read(t, build(t, "kernel+initrd", o), "m-initrd.img")
		syscall.Umask(old)
		if !bytes.Equal(first, second) {
			t.Errorf("%+v: two builds differ", o)
		}
	}
}

func TestMicrocodeComesFirst(t *testing.T) {
	tr := demo(t, "boot/ucode.cpio=microcode!")
	to := &Target{Dir: t.TempDir(), Name: "m"}
	if err := Write(context.Background(), "kernel+initrd", tr, to, Options{Initrd: "cpio"}); err != nil {
		t.Fatal(err)
	}
	if _, err := to.Commit(); err != nil {
		t.Fatal(err)
	}
	data := read(t, to.Dir, "m-initrd.img")
	if !bytes.HasPrefix(data, []byte("microcode!\x00\x00\x1f\x8b")) {
		t.Errorf("the initrd starts with %q", data[:16])
	}
}

// TestNothingIsLeftBehind fails and interrupts builds.
func TestNothingIsLeftBehind(t *testing.T) {
	stopped, stop := context.WithCancel(context.Background())
	stop()
	noKernel := tree.New()
	for name, run := range map[string]func(*Target) error{
		"interrupted": func(to *Target) error {
			return Write(stopped, "kernel+initrd", demo(t), to, Options{})
		},
		"interrupted tar": func(to *Target) error { return Write(stopped, "tar", demo(t), to, Options{}) },
		"no kernel":       func(to *Target) error { return Write(context.Background(), "kernel+initrd", noKernel, to, Options{}) },
		"unknown format":  func(to *Target) error { return Write(context.Background(), "floppy", demo(t), to, Options{}) },
		"unknown initrd": func(to *Target) error {
			return Write(context.Background(), "kernel+initrd", demo(t), to, Options{Initrd: "x"})
		},
		"wrong compression": func(to *Target) error {
			return Write(context.Background(), "kernel+initrd", demo(t), to, Options{Compression: "x"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			to := &Target{Dir: t.TempDir(), Name: "m"}
			if err := errors.Join(run(to)); err == nil {
				t.Error("no error")
			}
			if err := to.Discard(); err != nil {
				t.Error(err)
			}
			left, err := os.ReadDir(to.Dir)
			if err != nil || len(left) != 0 {
				t.Errorf("left behind: %v %v", left, err)
			}
		})
	}
}

func TestTarToStandardOutput(t *testing.T) {
	var out bytes.Buffer
	to := &Target{Dir: t.TempDir(), File: "-", Stdout: &out}
	if err := Write(context.Background(), "tar", demo(t), to, Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := to.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := to.Discard(); err != nil {
		t.Fatal(err)
	}
	links := 0
	for r := tar.NewReader(&out); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeLink && fmt.Sprint(h.Name, h.Linkname) == "usr/share/motdetc/motd" {
			links++
		}
	}
	if links != 1 {
		t.Errorf("%d hard links, want 1", links)
	}
}

// TestLostContent names what could not be read, beside the file that it was for.
func TestLostContent(t *testing.T) {
	for path, file := range map[string]string{"boot/kernel": "m-kernel", "boot/cmdline": "m-cmdline", "boot/ucode.cpio": "m-initrd.img", "etc/lost": "m-initrd.img"} {
		tr := demo(t, diskBuiltin)
		if err := tr.Put(path, tree.Entry{Type: tar.TypeReg, Mode: 0o644, Inode: &tree.Inode{Size: 1, Data: (*os.File)(nil)}}); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		to := &Target{Dir: dir, Name: "m"}
		err := Write(t.Context(), "kernel+initrd", tr, to, Options{Initrd: "cpio"})
		if want := "write kernel+initrd: " + filepath.Join(dir, file) + ": " + path + ": invalid argument"; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		if err := to.Discard(); err != nil {
			t.Error(err)
		}
	}
}
