package tree

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
)

// entry is a tar entry in the few words a test needs: its type follows from
// the name and the link.
type entry struct {
	name, link, text string
	kind             byte
}

func file(name, text string) entry   { return entry{name: name, text: text, kind: tar.TypeReg} }
func dir(name string) entry          { return entry{name: name, kind: tar.TypeDir} }
func symlink(name, to string) entry  { return entry{name: name, link: to, kind: tar.TypeSymlink} }
func hardlink(name, to string) entry { return entry{name: name, link: to, kind: tar.TypeLink} }

func layer(t *testing.T, entries ...entry) *io.SectionReader {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{
			Typeflag: e.kind, Name: e.name, Linkname: e.link, Size: int64(len(e.text)), Mode: 0o755,
			Format: tar.FormatPAX,
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return io.NewSectionReader(bytes.NewReader(b.Bytes()), 0, int64(b.Len()))
}

// stack lays layers over each other.
func stack(t *testing.T, layers ...[]entry) (*Tree, error) {
	t.Helper()
	tr := New()
	for _, l := range layers {
		if err := tr.AddLayer(layer(t, l...), &Origin{Image: "test"}, DefaultLimits); err != nil {
			return tr, err
		}
	}
	return tr, nil
}

// listing prints a tree, a line for each node, with the text of files.
func listing(t *testing.T, tr *Tree) string {
	t.Helper()
	var lines []string
	for _, n := range tr.Nodes() {
		line := n.Path()
		switch {
		case n.IsDir():
			line += "/"
		case n.Type == tar.TypeSymlink:
			line += "->" + n.Link
		case n.Inode != nil:
			text, err := io.ReadAll(n.Inode.Open())
			if err != nil {
				t.Fatal(err)
			}
			line += "=" + string(text)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, " ")
}

func TestLayers(t *testing.T) {
	cases := []struct {
		name   string
		layers [][]entry
		want   string
	}{
		{"missing folders are made", [][]entry{{file("a/b/c", "1")}}, "a/ a/b/ a/b/c=1"},
		{"absolute and dotted names are the image's", [][]entry{{file("/x", "1"), file("./y/../z", "2")}}, "x=1 z=2"},
		{"a later layer wins", [][]entry{{file("a", "1")}, {file("a", "2")}}, "a=2"},
		{"a folder keeps what is in it", [][]entry{{dir("d"), file("d/a", "1")}, {dir("d"), file("d/b", "2")}}, "d/ d/a=1 d/b=2"},
		{"a file takes a folder's place", [][]entry{{file("d/a", "1")}, {file("d", "2")}}, "d=2"},
		{"a folder takes a file's place", [][]entry{{file("d", "1")}, {file("d/a", "2")}}, "d/ d/a=2"},
		{"whiteout of a file", [][]entry{{file("d/a", "1"), file("d/b", "1")}, {file("d/.wh.a", "")}}, "d/ d/b=1"},
		{"whiteout of a folder", [][]entry{{file("d/a", "1")}, {file(".wh.d", "")}}, ""},
		{"whiteout leaves its own layer alone", [][]entry{{file("a", "1")}, {file("a", "2"), file(".wh.a", "")}}, "a=2"},
		{"opaque folder", [][]entry{{file("d/a", "1"), file("d/s/b", "1")}, {file("d/c", "2"), file("d/.wh..wh..opq", "")}}, "d/ d/c=2"},
		{"opaque folder, marker first", [][]entry{{file("d/a", "1")}, {file("d/.wh..wh..opq", ""), file("d/a", "2")}}, "d/ d/a=2"},
		{"aufs' bookkeeping", [][]entry{{file(".wh..wh.plnk", ""), file("a", "1")}}, "a=1"},
		{"hard link", [][]entry{{file("a", "1"), hardlink("d/b", "a")}}, "a=1 d/ d/b=1"},
		{"hard link keeps a replaced file's content", [][]entry{{file("a", "1"), hardlink("b", "/a")}, {file("a", "2")}}, "b=1 a=2"},
		{"through a link inside", [][]entry{{dir("usr/lib"), symlink("lib", "usr/lib")}, {file("lib/x", "1")}}, "usr/ usr/lib/ lib->usr/lib usr/lib/x=1"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			tr, err := stack(t, c.layers...)
			if err != nil {
				t.Fatal(err)
			}
			if got := listing(t, tr); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if n := len(tr.Nodes()); n != tr.Len() {
				t.Errorf("counted %d nodes, there are %d", tr.Len(), n)
			}
		})
	}
}

// TestHostileLinks checks that no link leads a file out of its image once the
// image lies below a folder of the machine.
func TestHostileLinks(t *testing.T) {
	for _, target := range []string{"/", "..", "../../../..", "/../..", "../../etc", "/etc", "loop"} {
		image, err := stack(t,
			[]entry{dir("etc"), dir("d"), symlink("d/out", target), symlink("loop", "loop")},
			[]entry{file("d/out/evil", "1")},
		)
		if err != nil {
			if target == "loop" {
				continue
			}
			t.Errorf("%s: %v", target, err)
			continue
		}
		machine := New()
		if err := machine.Put("etc/passwd", Entry{Type: tar.TypeReg, Inode: Text("root")}); err != nil {
			t.Fatal(err)
		}
		if err := machine.Graft("containers/c/lower", image, nil); err != nil {
			t.Fatal(err)
		}
		for _, n := range machine.Nodes() {
			if n.Name == "evil" && !strings.HasPrefix(n.Path(), "containers/c/lower/") {
				t.Errorf("link to %q put a file at %s", target, n.Path())
			}
		}
	}
}

func TestHostileLayers(t *testing.T) {
	long := strings.Repeat("x", 300)
	cases := []struct {
		name    string
		entries []entry
		want    string
	}{
		{"leads out", []entry{file("../evil", "1")}, "leads out of the image"},
		{"leads out later", []entry{file("a/../../evil", "1")}, "leads out of the image"},
		{"whiteout leads out", []entry{file("../.wh.evil", "")}, "leads out of the image"},
		{"hard link out", []entry{hardlink("a", "../../etc/passwd")}, "no file before it"},
		{"hard link to nothing", []entry{hardlink("a", "b")}, "no file before it"},
		{"hard link to a folder", []entry{dir("d"), hardlink("a", "d")}, "no file before it"},
		{"long name", []entry{file(long, "1")}, "longer than 255"},
		{"links in a circle", []entry{symlink("a", "b"), symlink("b", "a"), file("a/x", "1")}, "too many links"},
		{"deep", []entry{file(strings.Repeat("d/", maxPath/2)+"x", "1")}, "more than 4096 bytes"},
		{"the root as a file", []entry{file(".", "")}, "must be a folder"},
		{"unknown type", []entry{{name: "s", kind: 'Z'}}, "unknown type"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := stack(t, c.entries)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestEntryLimit(t *testing.T) {
	var many []entry
	for i := range 20 {
		many = append(many, file(fmt.Sprint(i), ""))
	}
	err := New().AddLayer(layer(t, many...), nil, Limits{Entries: 10})
	if err == nil || !strings.Contains(err.Error(), "more than 10 entries") {
		t.Errorf("got %v", err)
	}
}

func TestGraftKeepsHardLinksApart(t *testing.T) {
	image, err := stack(t, []entry{file("a", "1"), hardlink("b", "a")})
	if err != nil {
		t.Fatal(err)
	}
	machine := New()
	for _, d := range []string{"one", "two"} {
		if err := machine.Graft(d, image, nil); err != nil {
			t.Fatal(err)
		}
	}
	inode := func(p string) *Inode { return machine.Lookup(p).Inode }
	if inode("one/a") != inode("one/b") || inode("two/a") != inode("two/b") {
		t.Error("hard links came apart")
	}
	if inode("one/a") == inode("two/a") {
		t.Error("two copies of an image are linked to each other")
	}
}

func TestGraftRefusesToHideFolders(t *testing.T) {
	machine, err := stack(t, []entry{file("lib/modules/x", "1")})
	if err != nil {
		t.Fatal(err)
	}
	image, err := stack(t, []entry{symlink("lib", "usr/lib")})
	if err != nil {
		t.Fatal(err)
	}
	if err := machine.Graft("", image, &Origin{Image: "second"}); err == nil || !strings.Contains(err.Error(), "would hide") {
		t.Errorf("got %v", err)
	}
}

func TestGraftJoinsFolderWithLinkToFolder(t *testing.T) {
	machine, err := stack(t, []entry{dir("usr/lib"), symlink("lib", "usr/lib")})
	if err != nil {
		t.Fatal(err)
	}
	image, err := stack(t, []entry{dir("lib"), file("lib/x", "1")})
	if err != nil {
		t.Fatal(err)
	}
	if err := machine.Graft("", image, nil); err != nil {
		t.Fatal(err)
	}
	if got, want := listing(t, machine), "usr/ usr/lib/ lib->usr/lib usr/lib/x=1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestNodesListFoldersFirst is what a kernel unpacking a cpio relies on.
func TestNodesListFoldersFirst(t *testing.T) {
	tr, err := stack(t, []entry{file("b/c/d", "1"), dir("b"), file("a", "1")}, []entry{file("b", "now a file")}, []entry{file("b/x/y", "1")})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{"": true}
	for _, n := range tr.Nodes() {
		if !seen[n.Parent.Path()] {
			t.Errorf("%s comes before its folder", n.Path())
		}
		seen[n.Path()] = true
	}
}

func FuzzAddTar(f *testing.F) {
	var seed bytes.Buffer
	w := tar.NewWriter(&seed)
	for _, h := range []*tar.Header{
		{Name: "a/", Typeflag: tar.TypeDir}, {Name: "a/l", Linkname: "..", Typeflag: tar.TypeSymlink}, {Name: "a/l/x", Typeflag: tar.TypeReg},
	} {
		if err := w.WriteHeader(h); err != nil {
			f.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(seed.Bytes())
	// What images have: each as small as it can be.
	for _, headers := range [][]tar.Header{
		{{Name: "d/", Typeflag: tar.TypeDir, Mode: 0o1777}, {Name: "d/h", Linkname: "d/x", Typeflag: tar.TypeLink}},
		{{Name: "dev/null", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}, {Name: "fifo", Typeflag: tar.TypeFifo}},
		{{Name: "d/.wh.x", Typeflag: tar.TypeReg}, {Name: "d/.wh..wh..opq", Typeflag: tar.TypeReg}},
		{{Name: strings.Repeat("n/", 120) + "x", Typeflag: tar.TypeReg, Format: tar.FormatPAX}},
		{{Name: "x", Typeflag: tar.TypeReg, Format: tar.FormatPAX, PAXRecords: map[string]string{"SCHILY.xattr.user.a": "b"}}},
		{{Name: "x", Typeflag: tar.TypeReg, Format: tar.FormatGNU, Linkname: strings.Repeat("l", 200)}},
	} {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range headers {
			if err := w.WriteHeader(&h); err != nil {
				f.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		tr := New()
		r := io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data)))
		if err := tr.AddLayer(r, nil, Limits{Bytes: 1 << 20, Entries: 1000}); err != nil {
			return
		}
		for _, n := range tr.Nodes() {
			for _, part := range strings.Split(n.Path(), "/") {
				if part == ".." || part == "." || part == "" {
					t.Errorf("the tree holds %q", n.Path())
				}
			}
		}
	})
}
