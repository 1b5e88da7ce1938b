package tree

import (
	"archive/tar"
	"errors"
	"fmt"
)

// Put places an entry. Directories on the way are made; a symbolic link on the
// way is followed, but only inside the tree, as container engines do. What is
// there already is replaced; only a directory put on a directory keeps what is
// in it.
func (t *Tree) Put(path string, e Entry) error {
	parent, name, err := t.parent(path, missing(e))
	if err != nil {
		return err
	}
	if name == "" {
		if e.Type != tar.TypeDir {
			return errors.New("the root of an image must be a directory")
		}
		t.root.Entry, t.rooted = e, true
		return nil
	}
	_, err = t.place(parent, name, e)
	return err
}

// PutDir is Put for a directory that the builder wants: where its path is a
// link, the directory is the link's target, which is made if it is not there.
// A link in a circle, or to a file, is replaced.
func (t *Tree) PutDir(path string, e Entry) error {
	parts, err := split(path)
	if err != nil {
		return err
	}
	n := t.root
	for _, p := range parts {
		next, err := t.enter(n, p, e)
		if errors.Is(err, errLoop) {
			next, err = t.place(n, p, e)
		}
		if err != nil {
			return fmt.Errorf("make directory %s: %w", path, err)
		}
		n = next
	}
	if n != t.root && !sameAttributes(n.Entry, e) {
		n.Before = append(n.Before, n.Entry)
	}
	n.Entry = e
	return nil
}

// missing is what directories are made of that lie above an entry.
func missing(e Entry) Entry {
	return Entry{Type: tar.TypeDir, Mode: 0o755, Origin: e.Origin, ModTime: e.ModTime}
}

func (t *Tree) place(parent *Node, name string, e Entry) (*Node, error) {
	old := parent.children[name]
	if old == nil {
		return t.add(parent, name, e)
	}
	before := old.Before
	if !sameAttributes(old.Entry, e) {
		before = append(before, old.Entry)
	}
	if old.IsDir() && e.Type == tar.TypeDir {
		old.Entry, old.Before, old.layer = e, before, t.layer
		return old, nil
	}
	t.drop(old)
	n, err := t.add(parent, name, e)
	if err == nil {
		n.Before = before
	}
	return n, err
}

// sameAttributes tells whether a listing shows the two alike.
func sameAttributes(a, b Entry) bool {
	return a.Type == b.Type && a.Mode == b.Mode && a.UID == b.UID && a.GID == b.GID && a.Link == b.Link
}

// parent finds the directory that path lies in, making what is missing.
func (t *Tree) parent(path string, missing Entry) (*Node, string, error) {
	parts, err := split(path)
	if err != nil || len(parts) == 0 {
		return t.root, "", err
	}
	dir := t.root
	for _, p := range parts[:len(parts)-1] {
		if dir, err = t.enter(dir, p, missing); err != nil {
			return nil, "", fmt.Errorf("path %s: %w", shorten(path), err)
		}
	}
	return dir, parts[len(parts)-1], nil
}

// enter gives the directory name in dir: through links, and made if it is
// missing.
func (t *Tree) enter(dir *Node, name string, missing Entry) (*Node, error) {
	n := dir.children[name]
	switch {
	case n == nil:
		t.made++
		return t.add(dir, name, missing)
	case n.IsDir():
		return n, nil
	case n.Type != tar.TypeSymlink:
		// A later layer needs a directory where an earlier one has a file.
		return t.place(dir, name, missing)
	}
	target, err := (&walker{Tree: t, links: maxLinks, missing: &missing}).follow(n)
	if err != nil {
		return nil, err
	}
	if target == nil || !target.IsDir() {
		// A link to a file: the directory takes its place.
		return t.place(dir, name, missing)
	}
	return target, nil
}

// Remove takes a path and what is below it out of the tree.
func (t *Tree) Remove(path string) {
	if n := t.Lookup(path); n != nil && n.Parent != nil {
		t.drop(n)
	}
}
