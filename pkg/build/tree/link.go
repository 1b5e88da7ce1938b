package tree

import (
	"archive/tar"
	"errors"
	"fmt"
	"strings"
)

// maxLinks is how many symbolic links one path may run through, as in Linux.
const maxLinks = 40

var errLoop = errors.New("too many links in a row")

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

// Blocked tells whether a link is at path that PutDir would replace: one in a
// circle, or to what is no directory.
func (t *Tree) Blocked(path string) bool {
	n := t.Lookup(path)
	if n == nil || n.Type != tar.TypeSymlink {
		return false
	}
	target, err := t.resolve(n)
	return err != nil || target != nil && !target.IsDir()
}

// resolve follows a symbolic link inside the tree; nil if it leads to nothing.
func (t *Tree) resolve(link *Node) (*Node, error) {
	return (&walker{Tree: t, links: maxLinks}).follow(link)
}

// walker follows symbolic links inside a tree.
type walker struct {
	*Tree
	links int // that may still be followed
	// missing is what a directory is made of that a link leads to and that is
	// not there; nil: none is made.
	missing *Entry
}

// follow gives what a link leads to, nil if that is nothing. An absolute target
// and one that climbs too high both start at the tree's root, as in a chroot.
func (w *walker) follow(link *Node) (*Node, error) {
	if w.links--; w.links < 0 {
		return nil, fmt.Errorf("link %q: %w", link.Path(), errLoop)
	}
	n := link.Parent
	if strings.HasPrefix(link.Link, "/") {
		n = w.root
	}
	for p := range strings.SplitSeq(link.Link, "/") {
		switch {
		case p == "" || p == ".":
			continue
		case p == ".." && n.Parent != nil:
			n = n.Parent
			continue
		case p == "..":
			continue
		}
		var err error
		if n, err = w.step(n, p); err != nil || n == nil {
			return nil, err
		}
	}
	return n, nil
}

// step goes to a name in a directory.
func (w *walker) step(dir *Node, name string) (*Node, error) {
	n := dir.children[name]
	switch {
	case n == nil && w.missing != nil && dir.IsDir():
		w.made++
		return w.add(dir, name, *w.missing)
	case n != nil && n.Type == tar.TypeSymlink:
		return w.follow(n)
	}
	return n, nil
}
