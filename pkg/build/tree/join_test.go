package tree

import (
	"archive/tar"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestJoin lays the images of an init section over each other: what is a
// directory in one and a link to it in the other is one directory.
func TestJoin(t *testing.T) {
	usrMerged := []entry{dir("usr/lib"), dir("usr/bin"), file("usr/lib/u", "u"), symlink("lib", "usr/lib"), symlink("bin", "/usr/bin")}
	plain := []entry{dir("bin"), file("bin/sh", "p"), file("lib/modules/6.1/x.ko", "p")}
	cases := []struct {
		name   string
		images [][]entry
		want   string
	}{
		{"link, then directory", [][]entry{usrMerged, plain}, "usr/ usr/lib/ usr/bin/ usr/lib/u=u lib->usr/lib bin->/usr/bin usr/bin/sh=p usr/lib/modules/ usr/lib/modules/6.1/ usr/lib/modules/6.1/x.ko=p"},
		{"directory, then link", [][]entry{plain, usrMerged}, "usr/ usr/lib/ usr/bin/ usr/lib/u=u lib->usr/lib usr/lib/modules/ usr/lib/modules/6.1/ usr/lib/modules/6.1/x.ko=p bin->/usr/bin usr/bin/sh=p"},
		{"directory, then a link before its target", [][]entry{plain, {symlink("lib", "usr/lib"), symlink("bin", "usr/bin"), dir("usr/lib"), file("usr/lib/u", "u")}}, "lib->usr/lib usr/ usr/lib/ usr/lib/modules/ usr/lib/modules/6.1/ usr/lib/modules/6.1/x.ko=p bin->usr/bin usr/bin/ usr/bin/sh=p usr/lib/u=u"},
		{"a link and no target, then a directory", [][]entry{{symlink("bin", "usr/bin")}, plain}, "bin->usr/bin usr/ usr/bin/ usr/bin/sh=p lib/ lib/modules/ lib/modules/6.1/ lib/modules/6.1/x.ko=p"},
		{"the later file stays: link last", [][]entry{{file("bin/sh", "1")}, {file("usr/bin/sh", "2"), symlink("bin", "usr/bin")}}, "usr/ usr/bin/ usr/bin/sh=2 bin->usr/bin"},
		{"the later file stays: link last and first in its image", [][]entry{{file("bin/sh", "1")}, {symlink("bin", "usr/bin"), file("usr/bin/sh", "2")}}, "bin->usr/bin usr/ usr/bin/ usr/bin/sh=2"},
		{"the later file stays: three images", [][]entry{{file("usr/bin/sh", "1")}, {file("bin/sh", "2")}, {symlink("bin", "usr/bin")}}, "usr/ usr/bin/ bin->usr/bin usr/bin/sh=2"},
		{"below both", [][]entry{{file("lib/modules/a", "1"), file("usr/lib/modules/b", "1")}, {symlink("lib", "usr/lib")}}, "usr/ usr/lib/ usr/lib/modules/ usr/lib/modules/b=1 lib->usr/lib usr/lib/modules/a=1"},
		{"links below links", [][]entry{{file("bin/a", "1"), file("sbin/b", "1")}, {symlink("sbin", "bin"), symlink("bin", "usr/bin")}}, "sbin->bin bin->usr/bin usr/ usr/bin/ usr/bin/b=1 usr/bin/a=1"},
		{"an empty directory, then a link", [][]entry{{dir("run")}, {symlink("run", "var/run")}}, "run->var/run"},
		{"the same link twice", [][]entry{usrMerged, usrMerged[:4]}, "usr/ usr/lib/ usr/bin/ usr/lib/u=u lib->usr/lib bin->/usr/bin"},
		{"a layer's directory in a link's place is the image's own", [][]entry{{file("a/x", "1"), symlink("l", "a")}, {file("l/y", "2")}}, "a/ a/x=1 l->a a/y=2"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			machine := New()
			for i, entries := range c.images {
				image, err := stack(t, entries)
				if err != nil {
					t.Fatal(err)
				}
				if err := machine.Graft("", image, &Origin{Image: fmt.Sprint("image", i)}); err != nil {
					t.Fatal(err)
				}
			}
			// Files that are put again come last in the listing.
			if got := sorted(listing(t, machine)); got != sorted(c.want) {
				t.Errorf("got  %s\nwant %s", got, sorted(c.want))
			}
			if n := len(machine.Nodes()); n != machine.Len() {
				t.Errorf("counted %d nodes, there are %d", machine.Len(), n)
			}
			seen := map[string]bool{"": true}
			for _, n := range machine.Nodes() {
				if !seen[n.Parent.Path()] {
					t.Errorf("%s comes before its directory", n.Path())
				}
				seen[n.Path()] = true
			}
		})
	}
}

func sorted(listing string) string {
	words := strings.Fields(listing)
	slices.Sort(words)
	return strings.Join(words, " ")
}

func TestJoinRefusesToHide(t *testing.T) {
	for name, second := range map[string][]entry{
		"a file":                      {file("lib", "2")},
		"a link to a file":            {file("f", "2"), symlink("lib", "f")},
		"a link to itself":            {symlink("lib", "lib")},
		"a link below itself":         {symlink("lib", "lib/modules")},
		"a link to a file of the way": {file("usr/lib/modules", "2"), symlink("lib", "usr/lib")},
	} {
		image, err := stack(t, second)
		if err != nil {
			t.Fatal(err)
		}
		first, err := stack(t, []entry{file("lib/modules/x", "1")})
		if err != nil {
			t.Fatal(err)
		}
		machine := grafted(t, first)
		err = machine.Graft("", image, &Origin{Image: "second"})
		if err == nil || !strings.Contains(err.Error(), "would hide the directory that image image0 made there") || !strings.Contains(err.Error(), "image second") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestPutDir puts a directory where a link is.
func TestPutDir(t *testing.T) {
	for _, c := range []struct{ link, want string }{
		{"private/etc", "private/ private/etc/ private/etc/x=1 etc->private/etc private/etc/y=2"},
		{"/private/etc", "private/ private/etc/ private/etc/x=1 etc->/private/etc private/etc/y=2"},
		{"../../private/etc", "private/ private/etc/ private/etc/x=1 etc->../../private/etc private/etc/y=2"},
		{"nowhere/etc", "private/ private/etc/ private/etc/x=1 etc->nowhere/etc nowhere/ nowhere/etc/ nowhere/etc/y=2"},
		{"etc", "private/ private/etc/ private/etc/x=1 etc/ etc/y=2"},
		{"private/etc/x", "private/ private/etc/ private/etc/x=1 etc/ etc/y=2"},
	} {
		tr, err := stack(t, []entry{file("private/etc/x", "1"), symlink("etc", c.link)})
		if err != nil {
			t.Fatal(err)
		}
		if err := tr.PutDir("etc", Entry{Type: tar.TypeDir, Mode: 0o755}); err != nil {
			t.Fatal(err)
		}
		if err := tr.Put("etc/y", Entry{Type: tar.TypeReg, Inode: Text("2")}); err != nil {
			t.Fatal(err)
		}
		if got := listing(t, tr); got != c.want {
			t.Errorf("%s: got %s\nwant %s", c.link, got, c.want)
		}
	}
}

// TestRootOfAnImage keeps what a layer says of its root: the last one wins.
func TestRootOfAnImage(t *testing.T) {
	image, err := stack(t, []entry{dir("."), file("a", "1")}, []entry{{name: "./", kind: tar.TypeDir, mode: 0o711, uid: 7}})
	if err != nil {
		t.Fatal(err)
	}
	machine := New()
	if err := machine.Graft("containers/c", image, nil); err != nil {
		t.Fatal(err)
	}
	if n := machine.Lookup("containers/c"); n.Mode != 0o711 || n.UID != 7 {
		t.Errorf("got mode %#o of %d", n.Mode, n.UID)
	}
	if err := machine.Graft("", image, nil); err != nil {
		t.Fatal(err)
	}
	if machine.root.Mode != 0o755 || machine.root.UID != 0 {
		t.Errorf("the machine's root: mode %#o of %d", machine.root.Mode, machine.root.UID)
	}
}
