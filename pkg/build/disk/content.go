package disk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// content is what a section holds: a file, or a text. A file stays on disk
// until it is copied.
type content interface {
	size() (int64, error)
	open() (source, error)
}

type source interface {
	io.ReaderAt
	io.Closer
}

type file string

func (f file) size() (int64, error) {
	info, err := os.Stat(string(f))
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("%s is no regular file", string(f))
	}
	return info.Size(), nil
}

func (f file) open() (source, error) { return os.Open(string(f)) }

type text string

func (t text) size() (int64, error)  { return int64(len(t)), nil }
func (t text) open() (source, error) { return textSource{strings.NewReader(string(t))}, nil }

type textSource struct{ *strings.Reader }

func (textSource) Close() error { return nil }

// part is a piece of a file being made: size bytes of a content, from skip on,
// that go to offset.
type part struct {
	offset  int64
	skip    int64
	size    int64
	content content
}

const copyBuffer = 1 << 20

// writeTo writes the image to w from its first byte to its last.
func (u *uki) writeTo(w io.Writer) error {
	buf := make([]byte, copyBuffer)
	if _, err := w.Write(u.head); err != nil {
		return err
	}
	at := int64(len(u.head))
	for _, p := range u.parts {
		if err := pad(w, p.offset-at); err != nil {
			return err
		}
		if err := p.copyTo(w, buf); err != nil {
			return err
		}
		at = p.offset + p.size
	}
	return pad(w, u.size-at)
}

func (p part) copyTo(w io.Writer, buf []byte) error {
	r, err := p.content.open()
	if err != nil {
		return err
	}
	defer r.Close()
	// Without the wrappers io.Copy would use smaller buffers of its own.
	from := struct{ io.Reader }{io.NewSectionReader(r, p.skip, p.size)}
	n, err := io.CopyBuffer(struct{ io.Writer }{w}, from, buf)
	if err == nil && n != p.size {
		err = errors.New("it has become shorter while it was read")
	}
	if f, ok := p.content.(file); err != nil && ok {
		return fmt.Errorf("copy %s: %w", string(f), err)
	}
	return err
}

func pad(w io.Writer, n int64) error {
	_, err := w.Write(make([]byte, n))
	return err
}
