package tree

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// entry is a tar entry in the few words a test needs: its type follows from
// the name and the link.
type entry struct {
	name, link, text string
	kind             byte
	mode             int64 // 0755 if 0
	uid              int
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
			Typeflag: e.kind, Name: e.name, Linkname: e.link, Size: int64(len(e.text)), Mode: e.mode, Uid: e.uid,
			Format: tar.FormatPAX,
		}
		if h.Mode == 0 {
			h.Mode = 0o755
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

// grafted is the tree as it comes into a machine.
func grafted(t *testing.T, images ...*Tree) *Tree {
	t.Helper()
	machine := New()
	for i, image := range images {
		if err := machine.Graft("", image, &Origin{Image: fmt.Sprint("image", i)}); err != nil {
			t.Fatal(err)
		}
	}
	return machine
}

func TestLayers(t *testing.T) {
	available := []entry{file("srv/available/a", "1"), file("srv/available/b", "1"), symlink("srv/enabled", "available")}
	const untouched = "srv/ srv/available/ srv/available/a=1 srv/available/b=1 "
	merged := []entry{dir("usr/lib"), file("usr/lib/a", "1"), symlink("lib", "usr/lib")}
	cases := []struct {
		name   string
		layers [][]entry
		want   string
	}{
		{"missing directories are made", [][]entry{{file("a/b/c", "1")}}, "a/ a/b/ a/b/c=1"},
		{"absolute and dotted names are the image's", [][]entry{{file("/x", "1"), file("./y/../z", "2")}}, "x=1 z=2"},
		{"a later layer wins", [][]entry{{file("a", "1")}, {file("a", "2")}}, "a=2"},
		{"a directory keeps what is in it", [][]entry{{dir("d"), file("d/a", "1")}, {dir("d"), file("d/b", "2")}}, "d/ d/a=1 d/b=2"},
		{"a file takes a directory's place", [][]entry{{file("d/a", "1")}, {file("d", "2")}}, "d=2"},
		{"a link takes a directory's place", [][]entry{{file("d/a", "1"), dir("e")}, {symlink("d", "e")}}, "e/ d->e"},
		{"a directory takes a file's place", [][]entry{{file("d", "1")}, {file("d/a", "2")}}, "d/ d/a=2"},
		{"a directory takes a link's place", [][]entry{available, {dir("srv/enabled"), file("srv/enabled/a", "2")}}, untouched + "srv/enabled/ srv/enabled/a=2"},
		{"a file takes a link's place", [][]entry{available, {file("srv/enabled", "2")}}, untouched + "srv/enabled=2"},
		{"a link takes a link's place", [][]entry{available, {symlink("srv/enabled", "/srv/other")}}, untouched + "srv/enabled->/srv/other"},
		{"a directory takes a dangling link's place", [][]entry{{symlink("d", "/nothing")}, {dir("d"), file("d/a", "2")}}, "d/ d/a=2"},
		{"a directory takes a link to the root's place", [][]entry{{symlink("d", "/"), file("a", "1")}, {dir("d"), file("d/a", "2")}}, "a=1 d/ d/a=2"},
		{"a directory takes a link's place within a layer", [][]entry{append(available, dir("srv/enabled"), file("srv/enabled/a", "2"))}, untouched + "srv/enabled/ srv/enabled/a=2"},
		{"a file takes a directory's place within a layer", [][]entry{{file("d/a", "1"), file("d", "2")}}, "d=2"},
		{"one name three times in a layer", [][]entry{{file("d/a", "1"), file("d", "2"), dir("d"), file("d/b", "3")}}, "d/ d/b=3"},
		{"directory, file, directory in three layers", [][]entry{{file("d/a", "1")}, {file("d", "2")}, {dir("d"), file("d/b", "3")}}, "d/ d/b=3"},
		{"directory, link, directory in three layers", [][]entry{{file("d/a", "1"), file("e/x", "1")}, {symlink("d", "e")}, {dir("d")}}, "e/ e/x=1 d/"},
		{"through a link of a lower layer", [][]entry{available, {file("srv/enabled/a", "2")}}, "srv/ srv/available/ srv/available/b=1 srv/enabled->available srv/available/a=2"},
		{"through a link inside", [][]entry{{dir("usr/lib"), symlink("lib", "usr/lib")}, {file("lib/x", "1")}}, "usr/ usr/lib/ lib->usr/lib usr/lib/x=1"},
		{"through a link to what is not there yet", [][]entry{{symlink("run", "/var/run")}, {file("run/x/y", "1")}}, "run->/var/run var/ var/run/ var/run/x/ var/run/x/y=1"},
		{"through a link that climbs out", [][]entry{{symlink("d", "../../../e")}, {file("d/x", "1")}}, "d->../../../e e/ e/x=1"},
		{"through links in a row", [][]entry{{symlink("a", "b"), symlink("b", "c/d")}, {file("a/x", "1")}}, "a->b b->c/d c/ c/d/ c/d/x=1"},
		{"through a link to a file", [][]entry{{symlink("a", "f"), file("f", "1")}, {file("a/x", "2")}}, "f=1 a/ a/x=2"},
		{"whiteout of a file", [][]entry{{file("d/a", "1"), file("d/b", "1")}, {file("d/.wh.a", "")}}, "d/ d/b=1"},
		{"whiteout of a directory", [][]entry{{file("d/a", "1")}, {file(".wh.d", "")}}, ""},
		{"whiteout of a link", [][]entry{available, {file("srv/.wh.enabled", "")}}, strings.TrimSpace(untouched)},
		{"whiteout of nothing", [][]entry{{file("a", "1")}, {file(".wh.b", ""), file("c/d/.wh.e", ""), file("a/.wh.b", "")}}, "a=1"},
		{"whiteout below a link that a directory replaces", [][]entry{available, {dir("srv/enabled"), file("srv/enabled/.wh.a", "")}}, untouched + "srv/enabled/"},
		{"whiteout through a link", [][]entry{merged, {file("lib/.wh.a", "")}}, "usr/ usr/lib/ lib->usr/lib"},
		{"whiteout below a link in a circle", [][]entry{{symlink("a", "b"), symlink("b", "a")}, {file("a/.wh.x", ""), file("a/.wh..wh..opq", "")}}, "b->a a/"},
		{"whiteout leaves its own layer alone", [][]entry{{file("a", "1")}, {file("a", "2"), file(".wh.a", "")}}, "a=2"},
		{"whiteout before what its layer puts there", [][]entry{{file("d/a", "1")}, {file(".wh.d", ""), file("d/b", "2")}}, "d/ d/b=2"},
		{"whiteout behind what its layer puts there", [][]entry{{file("d/a", "1")}, {dir("d"), file("d/b", "2"), file(".wh.d", "")}}, "d/ d/b=2"},
		{"whiteout behind what its layer puts below", [][]entry{{file("d/e/a", "1"), file("d/f", "1")}, {file("d/e/b", "2"), file(".wh.d", "")}}, "d/ d/e/ d/e/b=2"},
		{"whiteout of a directory and a file of that name", [][]entry{{file("d/a", "1")}, {file(".wh.d", ""), file("d", "2")}}, "d=2"},
		{"opaque directory", [][]entry{{file("d/a", "1"), file("d/s/b", "1")}, {file("d/c", "2"), file("d/.wh..wh..opq", "")}}, "d/ d/c=2"},
		{"opaque directory, marker first", [][]entry{{file("d/a", "1")}, {file("d/.wh..wh..opq", ""), file("d/a", "2")}}, "d/ d/a=2"},
		{"opaque root", [][]entry{{file("d/a", "1"), file("b", "1")}, {file(".wh..wh..opq", ""), file("c", "2")}}, "c=2"},
		{"opaque below a link, marker last", [][]entry{available, {dir("srv/enabled"), file("srv/enabled/c", "2"), file("srv/enabled/.wh..wh..opq", "")}}, untouched + "srv/enabled/ srv/enabled/c=2"},
		{"opaque below a link, marker first", [][]entry{available, {file("srv/enabled/.wh..wh..opq", ""), dir("srv/enabled"), file("srv/enabled/c", "2")}}, untouched + "srv/enabled/ srv/enabled/c=2"},
		{"opaque below a link, marker alone", [][]entry{available, {file("srv/enabled/.wh..wh..opq", "")}}, untouched + "srv/enabled/"},
		{"opaque in the place of a file", [][]entry{{file("d", "1")}, {file("d/.wh..wh..opq", ""), file("d/a", "2")}}, "d/ d/a=2"},
		{"opaque through a link", [][]entry{{file("usr/lib/d/a", "1"), symlink("lib", "usr/lib")}, {file("lib/d/.wh..wh..opq", "")}}, "usr/ usr/lib/ usr/lib/d/ lib->usr/lib"},
		{"aufs' bookkeeping", [][]entry{{file(".wh..wh.plnk", ""), file("a", "1")}}, "a=1"},
		{"aufs' bookkeeping in directories", [][]entry{{dir(".wh..wh.plnk"), file(".wh..wh.plnk/12.34", "1"), hardlink("d/a", ".wh..wh.plnk/12.34"), file("d/.wh..wh.orph/x/y", "2")}}, "d/ d/a=1"},
		{"whiteout that is a directory", [][]entry{{file("d/a", "1"), file("e", "1")}, {dir(".wh.d/")}}, "e=1"},
		{"whiteout with slashes behind it", [][]entry{{file("d/a", "1"), file("e", "1")}, {dir("./.wh.d//."), dir("/.wh.e//")}}, ""},
		{"whiteout that is a link", [][]entry{{file("d/a", "1")}, {symlink("d/.wh.a", "b")}}, "d/"},
		{"opaque directory, the mark is one", [][]entry{{file("d/a", "1")}, {dir("d/.wh..wh..opq//"), file("d/b", "2")}}, "d/ d/b=2"},
		{"a name that a mark was left by .. of", [][]entry{{file("a", "1")}, {file(".wh.a/../b", "2")}}, "a=1 b=2"},
		{"hard link", [][]entry{{file("a", "1"), hardlink("d/b", "a")}}, "a=1 d/ d/b=1"},
		{"hard link keeps a replaced file's content", [][]entry{{file("a", "1"), hardlink("b", "/a")}, {file("a", "2")}}, "b=1 a=2"},
		{"hard link to a lower layer", [][]entry{{file("a", "1")}, {hardlink("b", "a")}}, "a=1 b=1"},
		{"hard link through a link", [][]entry{merged, {hardlink("b", "lib/a")}}, "usr/ usr/lib/ usr/lib/a=1 lib->usr/lib b=1"},
		{"hard link to a link", [][]entry{merged, {hardlink("b", "lib")}}, "usr/ usr/lib/ usr/lib/a=1 lib->usr/lib b->usr/lib"},
		{"hard link in a directory's place", [][]entry{{file("a", "1"), file("d/x", "1")}, {hardlink("d", "a")}}, "a=1 d=1"},
		{"hard link to a replaced file", [][]entry{{file("a", "1")}, {file("a", "2"), hardlink("b", "a")}}, "a=2 b=2"},
		{"hard link to what its layer puts behind a whiteout", [][]entry{{file("a", "1")}, {file(".wh.a", ""), file("a", "2"), hardlink("b", "a")}}, "a=2 b=2"},
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
			if got := listing(t, grafted(t, tr)); got != c.want {
				t.Errorf("as a machine: got %s\nwant %s", got, c.want)
			}
			if n := len(tr.Nodes()); n != tr.Len() {
				t.Errorf("counted %d nodes, there are %d", tr.Len(), n)
			}
		})
	}
}

// TestHostileLinks checks that no link leads a file out of its image once the
// image lies below a directory of the machine.
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
		{"hard link to a directory", []entry{dir("d"), hardlink("a", "d")}, "no file before it"},
		{"hard link to what follows", []entry{hardlink("a", "b"), file("b", "1")}, "no file before it"},
		{"whiteout of no name", []entry{file("d/a", "1"), file("d/.wh.", "")}, "no name"},
		{"whiteout of the directory above", []entry{file("d/a", "1"), file("d/.wh...", "")}, "no name"},
		{"below a whiteout", []entry{dir(".wh.d"), file(".wh.d/a", "1")}, `".wh.d/a": lies below the whiteout ".wh.d"`},
		{"a directory below a whiteout", []entry{dir("x/.wh.d/e/f")}, `lies below the whiteout "x/.wh.d"`},
		{"below the mark of an opaque directory", []entry{file("d/.wh..wh..opq/a", "1")}, "lies below the whiteout"},
		{"whiteout below a whiteout", []entry{file(".wh.d/.wh.a", "")}, "lies below the whiteout"},
		{"long name", []entry{file(long, "1")}, "longer than 255"},
		{"links in a circle", []entry{symlink("a", "b"), symlink("b", "a"), file("a/x", "1")}, "too many links"},
		{"deep", []entry{file(strings.Repeat("d/", maxPath/2)+"x", "1")}, "more than 4096 bytes"},
		{"the root as a file", []entry{file(".", "")}, "must be a directory"},
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

// TestNodesListDirectoriesFirst is what a kernel unpacking a cpio relies on.
func TestNodesListDirectoriesFirst(t *testing.T) {
	tr, err := stack(t, []entry{file("b/c/d", "1"), dir("b"), file("a", "1")}, []entry{file("b", "now a file")}, []entry{file("b/x/y", "1")})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{"": true}
	for _, n := range tr.Nodes() {
		if !seen[n.Parent.Path()] {
			t.Errorf("%s comes before its directory", n.Path())
		}
		seen[n.Path()] = true
	}
}

func FuzzAddTar(f *testing.F) {
	seed := func(headers ...*tar.Header) {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range headers {
			if err := w.WriteHeader(h); err != nil {
				f.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	link := func(name, to string) *tar.Header {
		return &tar.Header{Name: name, Linkname: to, Typeflag: tar.TypeSymlink}
	}
	reg := func(name string) *tar.Header { return &tar.Header{Name: name, Typeflag: tar.TypeReg} }
	directory := func(name string) *tar.Header { return &tar.Header{Name: name, Typeflag: tar.TypeDir} }
	seed(directory("a/"), link("a/l", ".."), reg("a/l/x"))
	seed(link("a", "b/c"), reg("a/x"), directory("a/"), reg("a/.wh..wh..opq"), reg(".wh.b"), reg("b/y"))
	seed(directory("./"), link("l", "/l/../m"), link("m", "l"), &tar.Header{Name: "h", Linkname: "l", Typeflag: tar.TypeLink}, reg("l/x"))
	archives, err := filepath.Glob("testdata/sparse-*.tar.gz")
	if err != nil {
		f.Fatal(err)
	}
	// What images have: each as small as it can be.
	for _, headers := range [][]*tar.Header{
		{{Name: "d/", Typeflag: tar.TypeDir, Mode: 0o1777}, {Name: "d/h", Linkname: "d/x", Typeflag: tar.TypeLink}},
		{{Name: "dev/null", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}, {Name: "fifo", Typeflag: tar.TypeFifo}},
		{{Name: "d/.wh.x", Typeflag: tar.TypeReg}, {Name: "d/.wh..wh..opq", Typeflag: tar.TypeReg}},
		{{Name: strings.Repeat("n/", 120) + "x", Typeflag: tar.TypeReg, Format: tar.FormatPAX}},
		{{Name: "x", Typeflag: tar.TypeReg, Format: tar.FormatPAX, PAXRecords: map[string]string{"SCHILY.xattr.user.a": "b"}}},
		{{Name: "x", Typeflag: tar.TypeReg, Format: tar.FormatGNU, Linkname: strings.Repeat("l", 200)}},
	} {
		seed(headers...)
	}
	for _, name := range archives {
		f.Add(gunzip(f, name))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		tr := New()
		var scratch *os.File
		tr.Scratch = func() (_ *os.File, err error) {
			scratch, err = os.CreateTemp(dir, "scratch")
			return scratch, err
		}
		defer func() {
			if scratch != nil {
				if err := errors.Join(scratch.Close(), os.Remove(scratch.Name())); err != nil {
					t.Error(err)
				}
			}
		}()
		// Twice: what the first layer holds the second may replace and hide.
		for range 2 {
			r := io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data)))
			if err := tr.AddLayer(r, nil, Limits{Bytes: 8 << 20, Entries: 1000}); err != nil {
				return
			}
		}
		machine := New()
		if err := machine.Graft("c", tr, nil); err != nil {
			t.Errorf("what a layer gives does not fit into an empty directory: %v", err)
		}
		for _, n := range append(tr.Nodes(), machine.Nodes()...) {
			for part := range strings.SplitSeq(n.Path(), "/") {
				if part == ".." || part == "." || part == "" {
					t.Errorf("the tree holds %q", n.Path())
				}
			}
		}
		if n := len(tr.Nodes()); n != tr.Len() {
			t.Errorf("counted %d nodes, there are %d", tr.Len(), n)
		}
	})
}
