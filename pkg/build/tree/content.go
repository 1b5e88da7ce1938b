package tree

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// content is where a file's bytes are. The reader stands at them: archive/tar
// reads whole blocks and nothing ahead.
func (t *Tree) content(h *tar.Header, tr *tar.Reader, r *io.SectionReader, limits Limits) (*Inode, error) {
	if IsSparse(h) {
		return t.expand(tr, h.Size, limits)
	}
	at, err := r.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, err
	}
	return &Inode{Size: h.Size, Data: io.NewSectionReader(r, at, h.Size)}, nil
}

// IsSparse tells whether a tar leaves the holes of a file out: in GNU's old
// form, or in those with PAX records, 0.0, 0.1 and 1.0.
func IsSparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for k := range h.PAXRecords {
		if strings.HasPrefix(k, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// expand writes a sparse file to the scratch file, where its holes are holes
// again. With them it counts against the limit.
func (t *Tree) expand(content io.Reader, size int64, limits Limits) (*Inode, error) {
	if left := limits.Bytes - t.expanded; size > left {
		return nil, fmt.Errorf("a sparse file of %d bytes, more than the %d MB that are left for the image", size, left>>20)
	}
	if t.scratch == nil {
		if t.Scratch == nil {
			return nil, errors.New("a sparse file, and no place to expand it to")
		}
		var err error
		if t.scratch, err = t.Scratch(); err != nil {
			return nil, err
		}
	}
	start := t.expanded
	t.expanded += size
	if err := WriteSparse(t.scratch, start, content, size); err != nil {
		return nil, fmt.Errorf("expand sparse file: %w", err)
	}
	return &Inode{Size: size, Data: io.NewSectionReader(t.scratch, start, size)}, nil
}

// WriteSparse writes size bytes of content at the end of a file, which is at start,
// with holes where there are zeros.
func WriteSparse(file *os.File, start int64, content io.Reader, size int64) error {
	if err := file.Truncate(start + size); err != nil {
		return err
	}
	buffer, hole := make([]byte, 64<<10), make([]byte, 64<<10)
	for at := int64(0); at < size; {
		n, err := io.ReadFull(content, buffer[:min(size-at, int64(len(buffer)))])
		if err != nil {
			return err
		}
		if !bytes.Equal(buffer[:n], hole[:n]) {
			if _, err := file.WriteAt(buffer[:n], start+at); err != nil {
				return err
			}
		}
		at += int64(n)
	}
	return nil
}
