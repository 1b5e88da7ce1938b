package tree

import (
	"fmt"
	"slices"
	"strings"
)

// Whiteout names of the OCI image specification.
const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

// cutMark cuts a name at the first element that is a mark of the layer, a whiteout or
// aufs' own; mark is "" if none is.
func cutMark(name string) (above, mark, below string, err error) {
	parts, err := split(name)
	i := slices.IndexFunc(parts, func(p string) bool { return strings.HasPrefix(p, whiteout) })
	if i < 0 {
		return "", "", "", err
	}
	return strings.Join(parts[:i], "/"), parts[i], strings.Join(parts[i+1:], "/"), nil
}

// isAufs tells what the file system aufs keeps for itself in a layer. Nothing of it is
// in the image, but hard links of the layer may name files in .wh..wh.plnk.
func isAufs(mark string) bool {
	return mark != opaque && strings.HasPrefix(mark, whiteout+whiteout)
}

// whiteout hides what lower layers hold. What its own layer puts there stays,
// whichever comes first.
func (t *Tree) whiteout(dir, mark string, origin *Origin) error {
	if mark == opaque {
		return t.hideLower(dir, origin)
	}
	switch name := strings.TrimPrefix(mark, whiteout); name {
	case "", ".", "..":
		return fmt.Errorf("a whiteout of %q, which is no name", name)
	default:
		return t.hide(dir + "/" + name)
	}
}

// hide removes what lower layers hold at path.
func (t *Tree) hide(path string) error {
	if _, err := split(path); err != nil {
		return err
	}
	n := t.Lookup(path)
	switch {
	case n == nil || n.Parent == nil || n.opaque == t.layer:
	case n.layer != t.layer && !n.holdsLayer(t.layer):
		t.drop(n)
	case n.IsDir():
		n.opaque = t.layer
		t.dropLower(n)
	}
	return nil
}

// hideLower empties a directory of what lower layers put there. Where they have
// something else, as a link to another directory, it is that which the directory
// hides: the other directory stays as it is.
func (t *Tree) hideLower(dir string, origin *Origin) error {
	if _, err := split(dir); err != nil {
		return err
	}
	n := t.Lookup(dir)
	if n != nil && !n.IsDir() && n.layer != t.layer {
		var err error
		if n, err = t.place(n.Parent, n.Name, missing(Entry{Origin: origin, ModTime: n.ModTime})); err != nil {
			return err
		}
	}
	if n != nil && n.IsDir() && n.opaque != t.layer {
		n.opaque = t.layer // once is enough for a layer
		t.dropLower(n)
	}
	return nil
}

func (t *Tree) dropLower(dir *Node) {
	for _, c := range dir.Children() {
		switch {
		case c.layer == t.layer && c.IsDir():
			t.dropLower(c)
		case c.layer != t.layer && c.holdsLayer(t.layer):
			t.dropLower(c)
		case c.layer != t.layer:
			t.drop(c)
		}
	}
}

func (n *Node) holdsLayer(layer int) bool {
	for _, c := range n.children {
		if c.layer == layer || c.holdsLayer(layer) {
			return true
		}
	}
	return false
}
