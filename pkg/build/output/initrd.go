package output

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"slipway/pkg/build/tree"
)

// Files of the tree that are not part of the root file system.
const bootDir = "boot"

// payloadMarker is the file by which an init image says that its /init
// understands the payload initrd.
const payloadMarker = "etc/slipway/payload"

// writeKernelInitrd writes what a boot loader, or QEMU, is given one by one.
func writeKernelInitrd(ctx context.Context, t *tree.Tree, to *Target, o Options) error {
	if err := copyNode(t, "boot/kernel", to, "-kernel"); err != nil {
		return err
	}
	if err := copyNode(t, "boot/cmdline", to, "-cmdline"); err != nil {
		return err
	}
	return to.WriteFile("-initrd.img", func(f *os.File) error {
		return writeInitrd(ctx, t, f, o)
	})
}

func copyNode(t *tree.Tree, path string, to *Target, suffix string) error {
	n := t.Lookup(path)
	if n == nil || n.Inode == nil {
		return fmt.Errorf("no %s: the YAML names no kernel", path)
	}
	return to.WriteFile(suffix, func(f *os.File) error {
		if _, err := io.Copy(f, n.Inode.Open()); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return nil
	})
}

// writeInitrd writes microcode, if there is any, and the initrd that the init
// image understands.
func writeInitrd(ctx context.Context, t *tree.Tree, f *os.File, o Options) error {
	switch {
	case o.Initrd != "" && o.Initrd != "payload" && o.Initrd != "cpio":
		return fmt.Errorf("initrd %q: want payload or cpio", o.Initrd)
	case isPayload(t, o):
		return writePayload(ctx, t, f, o)
	case o.Initrd == "payload":
		return errors.New("initrd payload: the init images have no /init that understands it (no /" + payloadMarker + ")")
	}
	if err := writeMicrocode(t, f); err != nil {
		return err
	}
	return writePlain(ctx, t, f, orDefault(o.Compression, cpioCompression))
}

// isPayload tells whether the initrd holds a squashfs.
func isPayload(t *tree.Tree, o Options) bool {
	return o.Initrd != "cpio" && t.Resolve(payloadMarker) != nil
}

// writeMicrocode begins an initrd: the kernel looks for microcode in an
// uncompressed archive at the start.
func writeMicrocode(t *tree.Tree, w io.Writer) error {
	n := t.Lookup("boot/ucode.cpio")
	if n == nil || n.Inode == nil {
		return nil
	}
	if _, err := io.Copy(w, n.Inode.Open()); err != nil {
		return fmt.Errorf("boot/ucode.cpio: %w", err)
	}
	_, err := w.Write(make([]byte, -n.Inode.Size&3))
	return err
}

// writePlain writes a compressed cpio of everything, as LinuxKit's tool does.
func writePlain(ctx context.Context, t *tree.Tree, f *os.File, compression string) error {
	z, err := compressor(contextWriter{ctx, f}, compression)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(z, bufferSize)
	c := &cpioWriter{w: w}
	if err := c.writeTree(rootNodes(t)); err != nil {
		return err
	}
	return errors.Join(w.Flush(), z.Close())
}

// contextWriter stops a long write when the build is interrupted.
type contextWriter struct {
	ctx context.Context
	w   io.Writer
}

func (c contextWriter) Write(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.w.Write(p)
}

// rootNodes are the nodes of the root file system: all but boot/.
func rootNodes(t *tree.Tree) []*tree.Node {
	return slices.DeleteFunc(t.Nodes(), func(n *tree.Node) bool {
		return n.Path() == bootDir || strings.HasPrefix(n.Path(), bootDir+"/")
	})
}

// mountPoints are what PID 1 mounts on; a squashfs cannot grow them later.
var mountPoints = []struct {
	path string
	mode int64
}{
	{"dev", 0o755}, {"mnt", 0o755}, {"proc", 0o755}, {"run", 0o755},
	{"sys", 0o755}, {"tmp", 0o1777}, {"var", 0o755},
}

// squashNodes are rootNodes and the directories that a read-only root must have:
// where a link is in such a place, the one that it leads to.
func squashNodes(t *tree.Tree) ([]*tree.Node, error) {
	whole := t
	for _, m := range mountPoints {
		if t.Resolve(m.path) != nil {
			continue
		}
		if whole == t {
			whole = t.Clone() // other formats are written of t as it is
		}
		e := tree.Entry{Type: tar.TypeDir, Mode: m.mode, ModTime: tree.Epoch}
		if err := whole.PutDir(m.path, e); err != nil {
			return nil, err
		}
	}
	return rootNodes(whole), nil
}
