package tree

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"path"
)

// Limits bound what an image may hold, so that a hostile one cannot fill
// memory or disk.
type Limits struct {
	Bytes   int64 // of one image, unpacked
	Entries int   // of one image, with those that another replaces and the directories that none names
}

// nameBytes is what names, links and extended attributes may take for each
// entry of the limit.
const nameBytes = 256

// DefaultLimits are far above every image that makes sense in a VM. An entry
// takes about 600 bytes of memory.
var DefaultLimits = Limits{Bytes: 16 << 30, Entries: 1 << 20}

// AddLayer lays one layer, an uncompressed tar, over the tree: whiteouts hide
// what earlier layers hold, opaque directories hide all of it.
func (t *Tree) AddLayer(layer *io.SectionReader, origin *Origin, limits Limits) error {
	t.layer++
	var kept []string // aufs' own
	err := t.readTar(layer, limits, func(h *tar.Header, e Entry) error {
		e.Origin = origin
		above, mark, below, err := cutMark(h.Name)
		switch {
		case err != nil:
			return err
		case mark == "":
			return t.putHeader(h, e)
		case isAufs(mark):
			kept = append(kept, path.Join(above, mark))
			return t.putHeader(h, e)
		case below != "":
			return fmt.Errorf("lies below the whiteout %s, where an image has nothing", shorten(path.Join(above, mark)))
		}
		return t.whiteout(above, mark, origin)
	})
	for _, name := range kept {
		t.Remove(name)
	}
	return err
}

// AddTar lays a plain tar over the tree: names mean what they say.
func (t *Tree) AddTar(archive *io.SectionReader, origin *Origin, limits Limits) error {
	t.layer++
	return t.readTar(archive, limits, func(h *tar.Header, e Entry) error {
		e.Origin = origin
		return t.putHeader(h, e)
	})
}

func (t *Tree) readTar(r *io.SectionReader, limits Limits, each func(*tar.Header, Entry) error) error {
	tr := tar.NewReader(r)
	last := ""
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && last != "" {
			return fmt.Errorf("read tar: behind %s: %w", last, err)
		}
		if err != nil {
			return fmt.Errorf("read tar: %w", err)
		}
		if err := t.charge(h, limits); err != nil {
			return err
		}
		last = shorten(h.Name)
		e, err := fromHeader(h)
		if errors.Is(err, errSkip) {
			continue
		}
		if err == nil && e.Type == tar.TypeReg {
			e.Inode, err = t.content(h, tr, r, limits)
		}
		if err == nil {
			err = each(h, e)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", last, err)
		}
	}
}

// charge counts what an entry takes in memory, whether it stays or is replaced.
func (t *Tree) charge(h *tar.Header, limits Limits) error {
	t.read++
	t.names += int64(len(h.Name) + len(h.Linkname))
	for k, v := range h.PAXRecords {
		t.names += int64(len(k) + len(v))
	}
	switch {
	case t.read+t.made > limits.Entries:
		return fmt.Errorf("more than %d entries", limits.Entries)
	case t.names > int64(limits.Entries)*nameBytes:
		return fmt.Errorf("names, links and attributes of more than %d kB", int64(limits.Entries)*nameBytes>>10)
	}
	return nil
}

// putHeader places an entry; a hard link takes the content of what it names.
func (t *Tree) putHeader(h *tar.Header, e Entry) error {
	if e.Type != tar.TypeLink {
		return t.Put(h.Name, e)
	}
	target := t.Lookup(h.Linkname)
	if target == nil || target.IsDir() {
		return fmt.Errorf("hard link to %s, which is no file before it", shorten(h.Linkname))
	}
	linked := target.Entry
	linked.Origin = e.Origin
	if n := t.Lookup(h.Name); n == target {
		return nil
	}
	return t.Put(h.Name, linked)
}

func shorten(name string) string {
	if len(name) > 80 {
		name = name[:77] + "..."
	}
	return fmt.Sprintf("%q", name)
}
