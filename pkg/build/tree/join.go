package tree

import (
	"archive/tar"
	"fmt"
	"slices"
)

// join puts an entry where an earlier image may have something. A directory in
// one image and a link to a directory in the other, as lib of a system with a
// merged /usr, are one directory, the link's target, whichever comes first.
func (t *Tree) join(path string, e Entry) error {
	old := t.Lookup(path)
	switch {
	case old == nil:
	case old.Type == tar.TypeSymlink && e.Type == tar.TypeDir:
		_, err := t.enter(old.Parent, old.Name, e)
		return err
	case !old.IsDir() || e.Type == tar.TypeDir || len(old.children) == 0:
	case e.Type == tar.TypeSymlink:
		return t.moveBehind(old, e)
	default:
		return hides(old)
	}
	return t.Put(path, e)
}

func hides(n *Node) error {
	return fmt.Errorf("would hide the directory that %s made there", n.Origin)
}

// moveBehind puts a link in the place of a directory, and what was in the
// directory where the link leads.
func (t *Tree) moveBehind(dir *Node, link Entry) error {
	type entry struct {
		*Node
		path string
	}
	var moved []entry
	var list func(*Node)
	list = func(n *Node) {
		for _, c := range n.children {
			moved = append(moved, entry{c, c.Path()})
			list(c)
		}
	}
	list(dir)
	slices.SortFunc(moved, func(a, b entry) int { return a.seq - b.seq })
	t.drop(dir)
	n, err := t.add(dir.Parent, dir.Name, link)
	if err != nil {
		return err
	}
	above := missing(dir.Entry)
	target, err := (&walker{Tree: t, links: maxLinks, missing: &above}).follow(n)
	if err != nil || target == nil || !target.IsDir() {
		return hides(dir)
	}
	for _, m := range moved {
		if err := t.moveTo(m.path, m.Node); err != nil {
			return fmt.Errorf("%s: %w", shorten(m.path), err)
		}
	}
	return nil
}

// moveTo puts a node at a path that leads through a new link. Of two entries that
// meet there the one that came later stays.
func (t *Tree) moveTo(path string, n *Node) error {
	have := t.Lookup(path)
	if have == nil || have.seq < n.seq {
		return t.join(path, n.Entry)
	}
	if !n.IsDir() || len(n.children) == 0 || have.IsDir() {
		return nil
	}
	if target := t.Resolve(path); target == nil || !target.IsDir() {
		return hides(n)
	}
	return nil
}
