package tree

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// Limits bound what an image may hold, so that a hostile one cannot fill
// memory or disk.
type Limits struct {
	Bytes   int64 // of one image, unpacked
	Entries int   // of one image, those that another replaces included
}

// nameBytes is what names, links and extended attributes may take for each
// entry of the limit.
const nameBytes = 256

// DefaultLimits are far above every image that makes sense in a VM. An entry
// takes about 600 bytes of memory.
var DefaultLimits = Limits{Bytes: 16 << 30, Entries: 1 << 20}

// Whiteout names of the OCI image specification.
const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

// AddLayer lays one layer, an uncompressed tar, over the tree: whiteouts hide
// what earlier layers hold, opaque folders hide all of it.
func (t *Tree) AddLayer(layer *io.SectionReader, origin *Origin, limits Limits) error {
	t.layer++
	return t.readTar(layer, limits, func(h *tar.Header, e Entry) error {
		e.Origin = origin
		dir, base := path.Split(strings.TrimSuffix(h.Name, "/"))
		switch {
		case base == opaque:
			t.hideLower(dir)
			return nil
		case strings.HasPrefix(base, whiteout+whiteout):
			return nil // aufs' own bookkeeping
		case strings.HasPrefix(base, whiteout):
			return t.hide(dir + strings.TrimPrefix(base, whiteout))
		}
		return t.putHeader(h, e)
	})
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
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read tar: %w", err)
		}
		if err := t.charge(h, limits); err != nil {
			return err
		}
		e, err := fromHeader(h, r)
		if errors.Is(err, errSkip) {
			continue
		}
		if err == nil {
			err = each(h, e)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", shorten(h.Name), err)
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
	case t.read > limits.Entries:
		return fmt.Errorf("more than %d entries", limits.Entries)
	case t.names > int64(limits.Entries)*nameBytes:
		return fmt.Errorf("names, links and attributes of more than %d kB", int64(limits.Entries)*nameBytes>>10)
	}
	return nil
}

var errSkip = errors.New("nothing to place")

// fromHeader translates a header. The reader stands at the entry's content:
// archive/tar reads whole blocks and nothing ahead.
func fromHeader(h *tar.Header, r *io.SectionReader) (Entry, error) {
	e := Entry{
		Type: h.Typeflag, Mode: h.Mode & 0o7777, UID: h.Uid, GID: h.Gid,
		ModTime: h.ModTime.Truncate(1e9), Major: h.Devmajor, Minor: h.Devminor,
	}
	for k, v := range h.PAXRecords {
		if strings.HasPrefix(k, "GNU.sparse.") {
			return e, errors.New("a sparse file, which images do not have")
		}
		if name, ok := strings.CutPrefix(k, "SCHILY.xattr."); ok {
			if e.Xattrs == nil {
				e.Xattrs = map[string]string{}
			}
			e.Xattrs[name] = v
		}
	}
	switch h.Typeflag {
	case tar.TypeReg:
		at, err := r.Seek(0, io.SeekCurrent)
		if err != nil {
			return e, err
		}
		e.Inode = &Inode{Size: h.Size, Data: io.NewSectionReader(r, at, h.Size)}
	case tar.TypeSymlink:
		e.Link = h.Linkname
	case tar.TypeDir, tar.TypeLink, tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
	case tar.TypeXGlobalHeader:
		return e, errSkip
	default:
		return e, fmt.Errorf("entry of unknown type %q", h.Typeflag)
	}
	return e, nil
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

// hide removes what lower layers hold at path.
func (t *Tree) hide(path string) error {
	if _, err := split(path); err != nil {
		return err
	}
	if n := t.Lookup(path); n != nil && n.Parent != nil && n.layer != t.layer {
		t.drop(n)
	}
	return nil
}

// hideLower empties a folder of what lower layers put there; what this layer
// put there stays, whichever came first.
func (t *Tree) hideLower(dir string) {
	if n := t.Resolve(dir); n != nil && n.IsDir() && n.opaque != t.layer {
		n.opaque = t.layer // once is enough for a layer
		t.dropLower(n)
	}
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

func shorten(name string) string {
	if len(name) > 80 {
		name = name[:77] + "..."
	}
	return fmt.Sprintf("%q", name)
}
