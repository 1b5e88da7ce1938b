package images

import (
	"archive/tar"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// The time of every entry of every image, so that it is no input.
var epoch = time.Unix(0, 0).UTC()

// An Entry is one file, directory or symbolic link of a Tree.
type Entry struct {
	Type byte   // tar.TypeReg, tar.TypeDir, tar.TypeSymlink or tar.TypeLink
	Perm int64  // permission bits with set-id and sticky bits, as chmod(1) takes them
	Data []byte // of a file
	Link string // target of a symbolic link; of a hard link the key of the file

	standIn bool // Data is a library of ours in the place of another
}

// A Tree is the content of one layer, by path. Paths are relative to the root
// and have no leading slash. Everything belongs to root.
type Tree map[string]Entry

// clean turns the path of a recipe or of an archive into the key of a Tree. No
// path can point outside of the tree.
func clean(name string) string {
	return strings.TrimPrefix(path.Clean("/"+name), "/")
}

// AddDirectory adds a directory, or changes the permissions of one.
func (t Tree) AddDirectory(name string, perm int64) {
	if name = clean(name); name != "" {
		t[name] = Entry{Type: tar.TypeDir, Perm: perm}
	}
}

// AddFile adds a regular file and replaces what was there.
func (t Tree) AddFile(name string, perm int64, data []byte) {
	t[clean(name)] = Entry{Type: tar.TypeReg, Perm: perm, Data: data}
}

// AddLink adds a symbolic link and replaces what was there.
func (t Tree) AddLink(name, target string) {
	t[clean(name)] = Entry{Type: tar.TypeSymlink, Perm: 0o777, Link: target}
}

// AddHardLink gives a file another path, and replaces what was there.
func (t Tree) AddHardLink(name, file string) {
	e := t[clean(file)]
	t[clean(name)] = Entry{Type: tar.TypeLink, Perm: e.Perm, Link: clean(file)}
}

// addParents adds the directories that entries are in and nobody has named.
func (t Tree) addParents() error {
	for _, name := range slices.Sorted(maps.Keys(t)) {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			e, ok := t[dir]
			if ok && e.Type != tar.TypeDir {
				return fmt.Errorf("add /%s: /%s is not a directory", name, dir)
			}
			if !ok {
				t.AddDirectory(dir, 0o755)
			}
		}
	}
	return nil
}

// WriteTar writes the tree as a tar archive whose bytes depend on the tree
// alone. Directories come before what is in them, files before their hard links.
func (t Tree) WriteTar(w io.Writer) error {
	if err := t.addParents(); err != nil {
		return err
	}
	tw := tar.NewWriter(w)
	for _, name := range slices.SortedFunc(maps.Keys(t), t.byPath) {
		if err := writeEntry(tw, name, t[name]); err != nil {
			return fmt.Errorf("write /%s: %w", name, err)
		}
	}
	return tw.Close()
}

// byPath orders a directory directly before its content, which plain string order
// does not: "a.b" would come between "a" and "a/b".
func (t Tree) byPath(a, b string) int {
	if isA, isB := t[a].Type == tar.TypeLink, t[b].Type == tar.TypeLink; isA != isB {
		if isA {
			return 1
		}
		return -1
	}
	return cmp.Compare(strings.ReplaceAll(a, "/", "\x00"), strings.ReplaceAll(b, "/", "\x00"))
}

func writeEntry(tw *tar.Writer, name string, e Entry) error {
	h := &tar.Header{
		Typeflag: e.Type,
		Name:     name,
		Linkname: e.Link,
		Mode:     e.Perm,
		Size:     int64(len(e.Data)),
		ModTime:  epoch,
	}
	if e.Type == tar.TypeDir {
		h.Name += "/"
	}
	if err := tw.WriteHeader(h); err != nil {
		return err
	}
	_, err := tw.Write(e.Data)
	return err
}

// ReadTar reads an archive, such as the content of a Debian package. Hard links
// become copies; entries of other types are an error, for no image of ours
// needs a device node.
func ReadTar(r io.Reader) (Tree, error) {
	t := Tree{}
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read tar: %w", err)
		}
		if err := t.addTarEntry(h, tr); err != nil {
			return nil, fmt.Errorf("read tar: %s: %w", h.Name, err)
		}
	}
}

func (t Tree) addTarEntry(h *tar.Header, r io.Reader) error {
	switch h.Typeflag {
	case tar.TypeDir:
		t.AddDirectory(h.Name, h.Mode&0o7777)
	case tar.TypeSymlink:
		t.AddLink(h.Name, h.Linkname)
	case tar.TypeLink:
		from, ok := t[clean(h.Linkname)]
		if !ok {
			return fmt.Errorf("hard link to %s, which is not there", h.Linkname)
		}
		t[clean(h.Name)] = from
	case tar.TypeReg:
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		t.AddFile(h.Name, h.Mode&0o7777, data)
	default:
		return fmt.Errorf("entry of type %q cannot be in an image", h.Typeflag)
	}
	return nil
}
