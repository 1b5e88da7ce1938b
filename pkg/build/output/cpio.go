package output

import (
	"archive/tar"
	"fmt"
	"io"
	"path"
	"strings"

	"slipway/pkg/build/tree"
)

// cpioWriter writes the kernel's "newc" format (Documentation/driver-api/
// early-userspace/buffer-format.rst). The libraries for it know no device
// nodes, which an initramfs may hold.
type cpioWriter struct {
	w     io.Writer
	inode uint32
	at    int64
}

// trailer is the name that ends an archive.
const trailer = "TRAILER!!!"

// Bits of st_mode.
const (
	modeDir, modeRegular, modeLink       = 0o040000, 0o100000, 0o120000
	modeChar, modeBlock, modeFifo        = 0o020000, 0o060000, 0o010000
	maxNewc                        int64 = 1<<32 - 1
)

var cpioTypes = map[byte]int64{
	tar.TypeDir: modeDir, tar.TypeReg: modeRegular, tar.TypeSymlink: modeLink,
	tar.TypeChar: modeChar, tar.TypeBlock: modeBlock, tar.TypeFifo: modeFifo,
}

// cpioFile is one entry of the archive.
type cpioFile struct {
	name string
	tree.Entry
	size    int64
	content io.Reader
}

func (c *cpioWriter) write(f cpioFile) error {
	if err := c.writeHeader(f); err != nil {
		return err
	}
	return c.content(f.name, f.size, f.content)
}

func (c *cpioWriter) writeHeader(f cpioFile) error {
	if f.size > maxNewc {
		return fmt.Errorf("%s: %d bytes, more than a cpio archive takes", f.name, f.size)
	}
	c.inode++
	links := 1
	if f.Type == tar.TypeDir {
		links = 2
	}
	header := fmt.Sprintf("070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00",
		c.inode, cpioTypes[f.Type]|f.Mode, f.UID, f.GID, links, seconds32(f.ModTime), f.size,
		0, 0, f.Major, f.Minor, len(f.name)+1, 0, f.name)
	return c.put(strings.NewReader(header), int64(len(header)))
}

func (c *cpioWriter) content(name string, size int64, content io.Reader) error {
	if size == 0 {
		return nil
	}
	if err := c.put(content, size); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// put copies exactly n bytes and fills up.
func (c *cpioWriter) put(r io.Reader, n int64) error {
	if _, err := io.CopyN(c.w, r, n); err != nil {
		return err
	}
	c.at += n
	return c.pad()
}

// pad fills up to the next multiple of four.
func (c *cpioWriter) pad() error {
	pad := -c.at & 3
	if pad == 0 {
		return nil
	}
	c.at += pad
	_, err := c.w.Write(make([]byte, pad))
	return err
}

// close writes the trailer.
func (c *cpioWriter) close() error {
	c.inode = 0
	return c.write(cpioFile{name: trailer})
}

// writeTree writes everything but boot/. A hard link becomes a relative
// symbolic link, as in LinuxKit's images: newc's own links would need every
// content to be kept until the last of its names.
func (c *cpioWriter) writeTree(nodes []*tree.Node) error {
	first := map[*tree.Inode]string{}
	for _, n := range nodes {
		name := n.Path()
		f := cpioFile{name: name, Entry: n.Entry}
		if name == trailer {
			f.name = "./" + name // the same file, and not the archive's end
		}
		switch {
		case n.Type == tar.TypeSymlink:
			f.setLink(n.Link)
		case n.Inode != nil && first[n.Inode] != "":
			f.Type, f.Mode = tar.TypeSymlink, 0o777
			f.setLink(relative(name, first[n.Inode]))
		case n.Inode != nil:
			first[n.Inode] = name
			f.size, f.content = n.Inode.Size, n.Inode.Open()
		}
		if err := c.write(f); err != nil {
			return err
		}
	}
	return c.close()
}

func (f *cpioFile) setLink(target string) {
	f.size, f.content = int64(len(target)), strings.NewReader(target)
}

// relative is the way from the directory of one path to another.
func relative(from, to string) string {
	a, b := strings.Split(path.Dir(from), "/"), strings.Split(to, "/")
	if a[0] == "." {
		a = nil
	}
	for len(a) > 0 && len(b) > 1 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	return strings.Repeat("../", len(a)) + strings.Join(b, "/")
}
