package tree

import (
	"archive/tar"
	"fmt"
)

// Graft lays another tree over the folder dir. Hard links stay links among
// themselves, never to another copy of the same image.
func (t *Tree) Graft(dir string, src *Tree, origin *Origin) error {
	if err := t.MkdirAll(dir, origin); err != nil {
		return err
	}
	t.layer++
	copies := map[*Inode]*Inode{}
	for _, n := range src.Nodes() {
		e := n.Entry
		e.Origin = origin
		if e.Inode != nil {
			if copies[e.Inode] == nil {
				c := *e.Inode
				copies[e.Inode] = &c
			}
			e.Inode = copies[e.Inode]
		}
		for _, b := range n.Before {
			b.Origin = origin
			if err := t.graftOne(dir, n, b); err != nil {
				return err
			}
		}
		if err := t.graftOne(dir, n, e); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tree) graftOne(dir string, n *Node, e Entry) error {
	path := dir + "/" + n.Path()
	old := t.Lookup(path)
	switch {
	case old == nil:
	case old.IsDir() && e.Type != tar.TypeDir && len(old.children) > 0:
		return fmt.Errorf("%s of %s would hide the folder that %s made there", path, e.Origin, old.Origin)
	case old.Type == tar.TypeSymlink && e.Type == tar.TypeDir:
		// lib -> usr/lib in one image, lib/ in the next: one folder.
		if target, err := t.resolve(old); err == nil && target != nil && target.IsDir() {
			return nil
		}
	}
	return t.Put(path, e)
}

func (o *Origin) String() string {
	switch {
	case o == nil:
		return "the builder"
	case o.Image == "":
		return o.Location
	}
	return o.Image
}

// MkdirAll makes a folder and what is missing above it, 0755 and root's.
func (t *Tree) MkdirAll(dir string, origin *Origin) error {
	parts, err := split(dir)
	if err != nil {
		return err
	}
	n := t.root
	for _, p := range parts {
		if n, err = t.enter(n, p, Entry{Type: tar.TypeDir, Mode: 0o755, Origin: origin, ModTime: Epoch}); err != nil {
			return fmt.Errorf("make folder %s: %w", dir, err)
		}
	}
	return nil
}
