package output

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/pkg/build/tree"
)

// times are what tars say, and what the formats of machines hold of it.
var times = map[int64]int64{
	math.MinInt64: 0, -1 << 40: 0, -5: 0, -1: 0, 0: 0, 1: 1, 1 << 31: 1 << 31,
	math.MaxUint32: math.MaxUint32, 1 << 32: math.MaxUint32, 1<<32 + 7: math.MaxUint32, 1 << 60: math.MaxUint32, math.MaxInt64: math.MaxUint32,
}

// TestTimes writes files of all times. A tar keeps them.
func TestTimes(t *testing.T) {
	needSquashfs(t)
	tr := demo(t)
	for at := range times {
		if err := tr.Put(fmt.Sprint("t/", at), tree.Entry{Type: tar.TypeReg, Mode: 0o644, Inode: tree.Text(""), ModTime: time.Unix(at, 0)}); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	c := &cpioWriter{w: &b}
	if err := c.writeTree(rootNodes(tr)); err != nil {
		t.Fatal(err)
	}
	for at, want := range times {
		i := bytes.Index(b.Bytes(), fmt.Append(nil, "t/", at, "\x00"))
		if got := string(b.Bytes()[i-110+46 : i-110+54]); got != fmt.Sprintf("%08X", want) {
			t.Errorf("cpio, %d: got %s", at, got)
		}
	}
	file := filepath.Join(t.TempDir(), "root.sqfs")
	nodes, err := squashNodes(tr)
	if err != nil {
		t.Fatal(err)
	}
	if err := writeSquashfs(t.Context(), nodes, file, 0, Options{Compression: "none"}); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unsquashfs", "-lln", "-d", "", file)
	cmd.Env = []string{"TZ=UTC"}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range times {
		line := fmt.Sprintf("%s /t/%d\n", time.Unix(want, 0).UTC().Format("2006-01-02 15:04"), at)
		if !strings.Contains(string(out), line) {
			t.Errorf("squashfs: no line %q in\n%s", line, out)
		}
	}
	var whole bytes.Buffer
	if err := WriteTar(context.Background(), &whole, tr.Nodes(), TarOptions{}); err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(&whole); ; {
		h, err := r.Next()
		if err != nil {
			break
		}
		if name, ok := strings.CutPrefix(h.Name, "t/"); ok && name != "" && fmt.Sprint(h.ModTime.Unix()) != name {
			t.Errorf("tar: %s has %d", h.Name, h.ModTime.Unix())
		}
	}
}

// TestCheck finds what formats cannot hold.
func TestCheck(t *testing.T) {
	origin := &tree.Origin{Image: "test/app:1", Location: "onboot[0]", Layer: "layer 2 (sha256:abc)"}
	with := func(e tree.Entry) *tree.Tree {
		tr := demo(t)
		e.Origin, e.Type = origin, tar.TypeReg
		if e.Inode == nil {
			e.Inode = tree.Text("x")
		}
		if err := tr.Put("opt/f", e); err != nil {
			t.Fatal(err)
		}
		return tr
	}
	large := with(tree.Entry{Inode: &tree.Inode{Size: 1 << 32}})
	caps := with(tree.Entry{Xattrs: map[string]string{"security.capability": "x"}})
	acl := with(tree.Entry{Xattrs: map[string]string{"system.posix_acl_access": "x"}})
	overlay := with(tree.Entry{Xattrs: map[string]string{"trusted.overlay.metacopy": ""}})
	user := with(tree.Entry{Xattrs: map[string]string{"user.x": "x"}})
	owners := demo(t)
	for i := range maxOwners + 1 {
		if err := owners.Put(fmt.Sprint("o/", i), tree.Entry{Type: tar.TypeReg, UID: i, GID: i, Inode: tree.Text(""), Origin: origin}); err != nil {
			t.Fatal(err)
		}
	}
	cpio, payload := Options{Initrd: "cpio"}, Options{}
	for _, c := range []struct {
		name, format string
		tree         *tree.Tree
		o            Options
		want         string
	}{
		{"4 GB in a cpio", "kernel+initrd", large, cpio, "!/opt/f of image test/app:1, layer 2 (sha256:abc): 4294967296 bytes"},
		{"4 GB in a cpio in a tar", "tar-kernel-initrd", large, cpio, "!4294967296 bytes"},
		{"4 GB in a disk's cpio", "qcow2", large, cpio, "!4294967296 bytes"},
		{"4 GB in a payload", "kernel+initrd", large, payload, ""},
		{"4 GB in a squashfs", "kernel+squashfs", large, cpio, ""},
		{"4 GB in a tar", "tar", large, cpio, ""},
		{"capabilities in a cpio", "kernel+initrd", caps, cpio, "opt/f file capabilities"},
		{"capabilities in a payload", "kernel+initrd", caps, payload, ""},
		{"attribute in a cpio", "iso-efi", user, cpio, "opt/f attribute user.x"},
		{"attribute in a payload", "iso-efi", user, payload, ""},
		{"access list in a payload", "kernel+initrd", acl, payload, "opt/f attribute system.posix_acl_access"},
		{"access list in a squashfs", "kernel+squashfs", acl, payload, "opt/f attribute system.posix_acl_access"},
		{"overlay's mark in a payload", "kernel+initrd", overlay, payload, "opt/f attribute trusted.overlay.metacopy"},
		{"overlay's mark in a squashfs", "kernel+squashfs", overlay, payload, "opt/f attribute trusted.overlay.metacopy"},
		{"overlay's mark in a tar", "tar", overlay, payload, ""},
		{"access list in a tar", "tar", acl, payload, ""},
		{"owners in a squashfs", "kernel+squashfs", owners, payload, "!of image test/app:1, layer 2 (sha256:abc): a squashfs has 65535 users and groups"},
		{"owners in a cpio", "kernel+initrd", owners, cpio, ""},
	} {
		losses, err := Check(c.format, c.tree, c.o)
		if want, ok := strings.CutPrefix(c.want, "!"); ok {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v", c.name, err)
			}
			continue
		}
		got := ""
		for _, l := range losses {
			got += l.Node.Path() + " " + l.What
		}
		if err != nil || got != c.want {
			t.Errorf("%s: got %q, %v", c.name, got, err)
		}
	}
}

// TestMountPointsBehindLinks makes what links in the place of mount points lead to,
// and leaves the tree as it is for the formats that follow.
func TestMountPointsBehindLinks(t *testing.T) {
	tr := demo(t)
	for name, to := range map[string]string{"tmp": "var/tmp", "mnt": "/media/mnt", "run": "../run2", "proc": "proc"} {
		if err := tr.Put(name, tree.Entry{Type: tar.TypeSymlink, Mode: 0o777, Link: to, ModTime: tree.Epoch}); err != nil {
			t.Fatal(err)
		}
	}
	before := tr.Len()
	nodes, err := squashNodes(tr)
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]string{}
	for _, n := range nodes {
		have[n.Path()] = fmt.Sprintf("%c %04o %s", n.Type, n.Mode, n.Link)
	}
	for path, want := range map[string]string{
		"tmp": "2 0777 var/tmp", "var/tmp": "5 1777 ", "mnt": "2 0777 /media/mnt", "media/mnt": "5 0755 ",
		"run": "2 0777 ../run2", "run2": "5 0755 ", "proc": "5 0755 ", "sys": "5 0755 ", "var": "5 0755 ",
	} {
		if have[path] != want {
			t.Errorf("%s: got %q, want %q", path, have[path], want)
		}
	}
	if tr.Len() != before {
		t.Errorf("the tree has %d entries, it had %d", tr.Len(), before)
	}
}
