package output

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"slipway/pkg/build/tree"
	"slipway/pkg/machine"
)

// writePayload writes an uncompressed cpio with /init, the modules it needs
// before the root is mounted, and the root as a squashfs. The kernel copies it
// to memory once; nothing is unpacked, and only what is used is read.
//
// The root is nearly all of it, so mksquashfs writes it where it is to lie. What
// stands before it has a known length, and is written afterwards: mksquashfs
// empties a file that it does not add to, and the archive says how long the root is.
func writePayload(ctx context.Context, t *tree.Tree, f *os.File, o Options) error {
	p := payload{tree: t, init: t.Resolve("init")}
	if p.init == nil || p.init.Inode == nil {
		return errors.New("payload: the init images have no /init")
	}
	var err error
	if p.modules, err = neededModules(t, payloadSet); err != nil {
		return fmt.Errorf("payload: %w", err)
	}
	var length counter
	if _, err := p.writeHead(&length, 0); err != nil {
		return err
	}
	o.Compression = orDefault(o.Compression, payloadCompression)
	size, err := squashRoot(ctx, t, f, int64(length), o)
	if err != nil {
		return err
	}
	c, err := p.writeHead(io.NewOffsetWriter(f, 0), size)
	if err != nil {
		return err
	}
	c.at += size
	c.w = io.NewOffsetWriter(f, int64(length)+size)
	return errors.Join(c.pad(), c.close())
}

// squashRoot writes the root as a squashfs to f from a place on, and tells its size.
// Nothing may stand before that place yet.
func squashRoot(ctx context.Context, t *tree.Tree, f *os.File, at int64, o Options) (int64, error) {
	nodes, err := squashNodes(t)
	if err != nil {
		return 0, err
	}
	if err := writeSquashfs(ctx, nodes, f.Name(), at, o); err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size() - at, nil
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

func orDefault(v, fallback string) string {
	if v == "" {
		return fallback
	}
	return v
}

// payload is what stands before the root: microcode, /init, and the modules that it
// loads.
type payload struct {
	tree    *tree.Tree
	init    *tree.Node
	modules []*tree.Node
}

// writeHead writes all that stands before the root's content. The archive is not
// finished, and the one returned goes on behind the head.
func (p payload) writeHead(to io.Writer, rootSize int64) (*payloadWriter, error) {
	w := bufio.NewWriterSize(to, bufferSize)
	c, err := p.writeFiles(w)
	if err != nil {
		return nil, err
	}
	if err := c.header(machine.PayloadRoot, 0o644, rootSize); err != nil {
		return nil, err
	}
	return c, w.Flush()
}

// writeFiles writes what comes before the root, which may be on a disk.
func (p payload) writeFiles(w io.Writer) (*payloadWriter, error) {
	if err := writeMicrocode(p.tree, w); err != nil {
		return nil, err
	}
	c := &payloadWriter{cpioWriter{w: w}, map[string]bool{}}
	if err := c.file("init", 0o755, p.init.Inode.Size, p.init.Inode.Open()); err != nil {
		return nil, err
	}
	var list strings.Builder
	for _, m := range p.modules {
		fmt.Fprintf(&list, "/%s/%s\n", machine.PayloadDir, m.Path())
	}
	if err := c.file(machine.PayloadModules, 0o644, int64(list.Len()), strings.NewReader(list.String())); err != nil {
		return nil, err
	}
	for _, m := range p.modules {
		if err := c.file(machine.PayloadDir+"/"+m.Path(), 0o644, m.Inode.Size, m.Inode.Open()); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// payloadWriter lists a directory before what is in it.
type payloadWriter struct {
	cpioWriter
	made map[string]bool
}

func (p *payloadWriter) file(name string, mode, size int64, content io.Reader) error {
	if err := p.header(name, mode, size); err != nil {
		return err
	}
	return p.content(name, size, content)
}

// header writes what stands before a file's content, its directories first.
func (p *payloadWriter) header(name string, mode, size int64) error {
	parts := strings.Split(path.Dir(name), "/")
	for i := range parts {
		dir := strings.Join(parts[:i+1], "/")
		if dir == "." || p.made[dir] {
			continue
		}
		p.made[dir] = true
		if err := p.write(cpioFile{name: dir, Entry: tree.Entry{Type: tar.TypeDir, Mode: 0o755, ModTime: tree.Epoch}}); err != nil {
			return err
		}
	}
	e := tree.Entry{Type: tar.TypeReg, Mode: mode, ModTime: tree.Epoch}
	return p.writeHeader(cpioFile{name: name, Entry: e, size: size})
}
