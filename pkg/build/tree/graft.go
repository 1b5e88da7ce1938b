package tree

import (
	"archive/tar"
	"fmt"
)

// Graft lays another tree over the directory dir. Hard links stay links among
// themselves, never to another copy of the same image. Of what the layers of an
// image replaced there is no trace in LinuxKit's tar either.
func (t *Tree) Graft(dir string, src *Tree, origin *Origin) error {
	if err := t.MkdirAll(dir, origin); err != nil {
		return err
	}
	t.layer++
	g := &copier{origin: origin, inodes: map[*Inode]*Inode{}, origins: map[*Origin]*Origin{}}
	// What an init image says of its own root is nothing to the machine's.
	if src.rooted && dir != "" {
		if err := t.PutDir(dir, g.copy(src.root.Entry)); err != nil {
			return err
		}
	}
	for _, n := range src.Nodes() {
		path := n.Path()
		if dir != "" {
			path = dir + "/" + path
		}
		e := g.copy(n.Entry)
		if err := t.join(path, e); err != nil {
			return fmt.Errorf("%s of %s: %w", shorten(path), e.Origin, err)
		}
	}
	return nil
}

// copier makes an image's entries those of one place in the machine.
type copier struct {
	origin  *Origin
	inodes  map[*Inode]*Inode
	origins map[*Origin]*Origin
}

func (c *copier) copy(e Entry) Entry {
	if e.Inode != nil {
		if c.inodes[e.Inode] == nil {
			i := *e.Inode
			c.inodes[e.Inode] = &i
		}
		e.Inode = c.inodes[e.Inode]
	}
	if e.Origin == nil || c.origin == nil {
		e.Origin = c.origin
		return e
	}
	if c.origins[e.Origin] == nil {
		o := *c.origin
		o.Layer = e.Origin.Layer
		c.origins[e.Origin] = &o
	}
	e.Origin = c.origins[e.Origin]
	return e
}

func (o *Origin) String() string {
	switch {
	case o == nil:
		return "the builder"
	case o.Image == "":
		return o.Location
	case o.Layer != "":
		return "image " + o.Image + ", " + o.Layer
	}
	return "image " + o.Image
}

// MkdirAll makes a directory and what is missing above it, 0755 and root's, where
// the path leads: through links, as PutDir.
func (t *Tree) MkdirAll(dir string, origin *Origin) error {
	e := Entry{Type: tar.TypeDir, Mode: 0o755, Origin: origin, ModTime: Epoch}
	if n := t.Resolve(dir); n != nil && n.IsDir() {
		return nil
	}
	return t.PutDir(dir, e)
}
