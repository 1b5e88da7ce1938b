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
func writePayload(ctx context.Context, t *tree.Tree, f *os.File, o Options) error {
	init := t.Resolve("init")
	if init == nil || init.Inode == nil {
		return errors.New("payload: the init images have no /init")
	}
	modules, err := neededModules(t, payloadSet)
	if err != nil {
		return fmt.Errorf("payload: %w", err)
	}
	o.Compression = orDefault(o.Compression, payloadCompression)
	squashfs, err := squashRoot(ctx, t, f, o)
	if err != nil {
		return err
	}
	err = writePayloadFiles(f, init, modules, squashfs)
	return errors.Join(err, squashfs.Close())
}

// squashRoot makes the squashfs in a nameless file beside the initrd.
func squashRoot(ctx context.Context, t *tree.Tree, beside *os.File, o Options) (*os.File, error) {
	nodes, err := squashNodes(t)
	if err != nil {
		return nil, err
	}
	temp, err := os.CreateTemp(path.Dir(beside.Name()), ".slipway-root-")
	if err != nil {
		return nil, err
	}
	err = temp.Close()
	if err == nil {
		err = os.Remove(temp.Name()) // mksquashfs wants to make the file itself
	}
	if err == nil {
		err = writeSquashfs(ctx, nodes, temp.Name(), o)
	}
	if err != nil {
		if gone := os.Remove(temp.Name()); gone != nil && !errors.Is(gone, os.ErrNotExist) {
			err = errors.Join(err, gone)
		}
		return nil, err
	}
	file, err := os.Open(temp.Name())
	if err != nil {
		return nil, err
	}
	if err := os.Remove(temp.Name()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

func orDefault(v, fallback string) string {
	if v == "" {
		return fallback
	}
	return v
}

// writePayloadFiles writes the archive; without a squashfs it is for one that
// is on a disk.
func writePayloadFiles(f io.Writer, init *tree.Node, modules []*tree.Node, squashfs *os.File) error {
	w := bufio.NewWriterSize(f, bufferSize)
	c := &payloadWriter{cpioWriter{w: w}, map[string]bool{}}
	if err := c.file("init", 0o755, init.Inode.Size, init.Inode.Open()); err != nil {
		return err
	}
	var list strings.Builder
	for _, m := range modules {
		fmt.Fprintf(&list, "/%s/%s\n", machine.PayloadDir, m.Path())
	}
	if err := c.file(machine.PayloadModules, 0o644, int64(list.Len()), strings.NewReader(list.String())); err != nil {
		return err
	}
	for _, m := range modules {
		if err := c.file(machine.PayloadDir+"/"+m.Path(), 0o644, m.Inode.Size, m.Inode.Open()); err != nil {
			return err
		}
	}
	if squashfs != nil {
		info, err := squashfs.Stat()
		if err != nil {
			return err
		}
		if err := c.file(machine.PayloadRoot, 0o644, info.Size(), squashfs); err != nil {
			return err
		}
	}
	return errors.Join(c.close(), w.Flush())
}

// payloadWriter lists a directory before what is in it.
type payloadWriter struct {
	cpioWriter
	made map[string]bool
}

func (p *payloadWriter) file(name string, mode, size int64, content io.Reader) error {
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
	return p.write(cpioFile{name: name, Entry: e, size: size, content: content})
}
