package tree

import (
	"archive/tar"
	"errors"
	"fmt"
	"strings"
)

// maxLinks is how many symbolic links one path may run through, as in Linux.
const maxLinks = 40

// Put places an entry. Folders on the way are made; a symbolic link on the way
// is followed, but only inside the tree. A folder put on a folder keeps what
// is in it.
func (t *Tree) Put(path string, e Entry) error {
	parent, name, err := t.parent(path, Entry{Type: tar.TypeDir, Mode: 0o755, Origin: e.Origin, ModTime: e.ModTime})
	if err != nil {
		return err
	}
	if name == "" {
		if e.Type != tar.TypeDir {
			return errors.New("the root of an image must be a folder")
		}
		return nil
	}
	_, err = t.place(parent, name, e)
	return err
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

// parent finds the folder that path lies in, making what is missing.
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

// enter gives the folder name in dir, following links, making it if missing.
func (t *Tree) enter(dir *Node, name string, missing Entry) (*Node, error) {
	n := dir.children[name]
	switch {
	case n == nil:
		return t.add(dir, name, missing)
	case n.IsDir():
		return n, nil
	case n.Type != tar.TypeSymlink:
		// A later layer needs a folder where an earlier one has a file.
		return t.place(dir, name, missing)
	}
	target, err := t.resolve(n)
	if err != nil {
		return nil, err
	}
	if target == nil || !target.IsDir() {
		// A link to nothing: the folder takes its place, it cannot lead out.
		return t.place(dir, name, missing)
	}
	return target, nil
}

// Lookup finds a path without following its last element; nil if there is none.
func (t *Tree) Lookup(path string) *Node {
	parts, err := split(path)
	if err != nil {
		return nil
	}
	n := t.root
	for _, p := range parts {
		if n.Type == tar.TypeSymlink {
			if n, err = t.resolve(n); err != nil || n == nil {
				return nil
			}
		}
		if n = n.children[p]; n == nil {
			return nil
		}
	}
	return n
}

// Resolve finds a path and follows links to the end; nil if there is nothing.
func (t *Tree) Resolve(path string) *Node {
	n := t.Lookup(path)
	if n == nil || n.Type != tar.TypeSymlink {
		return n
	}
	target, err := t.resolve(n)
	if err != nil {
		return nil
	}
	return target
}

// resolve follows a symbolic link inside the tree. An absolute target and one
// that climbs too high both start at the tree's root, as in a chroot.
func (t *Tree) resolve(link *Node) (*Node, error) {
	budget := maxLinks
	return t.follow(link, &budget)
}

func (t *Tree) follow(link *Node, budget *int) (*Node, error) {
	if *budget--; *budget < 0 {
		return nil, fmt.Errorf("link %q: too many links in a row", link.Path())
	}
	n := link.Parent
	if strings.HasPrefix(link.Link, "/") {
		n = t.root
	}
	for _, p := range strings.Split(link.Link, "/") {
		switch p {
		case "", ".":
			continue
		case "..":
			if n.Parent != nil {
				n = n.Parent
			}
			continue
		}
		if n = n.children[p]; n == nil {
			return nil, nil
		}
		if n.Type == tar.TypeSymlink {
			var err error
			if n, err = t.follow(n, budget); err != nil || n == nil {
				return nil, err
			}
		}
	}
	return n, nil
}

// Remove takes a path and what is below it out of the tree.
func (t *Tree) Remove(path string) {
	if n := t.Lookup(path); n != nil && n.Parent != nil {
		t.drop(n)
	}
}
