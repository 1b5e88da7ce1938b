package output

import (
	"archive/tar"
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"slipway/pkg/build/tree"
)

// bufferSize is for writers that get many small pieces.
const bufferSize = 256 << 10

func writeTarFile(ctx context.Context, t *tree.Tree, to *Target, o Options) error {
	return to.WriteFile(".tar", func(f *os.File) error {
		w := bufio.NewWriterSize(f, bufferSize)
		if err := WriteTar(ctx, w, t.Nodes(), TarOptions{Repeats: o.Repeats, Origins: true, Progress: o.Progress}); err != nil {
			return err
		}
		return w.Flush()
	})
}

// TarOptions choose what a tar holds beside the entries.
type TarOptions struct {
	// Repeats writes entries that later ones replace, too.
	Repeats bool
	// Origins says in PAX records, as LinuxKit's, which image an entry is from.
	Origins bool
	// Bounded brings times and attributes to what a squashfs holds.
	Bounded bool
	// Progress is told how many bytes have been read; may be nil.
	Progress func(done, total int64)
}

// WriteTar writes entries as a tar.
func WriteTar(ctx context.Context, w io.Writer, nodes []*tree.Node, o TarOptions) error {
	a := &tarWriter{Writer: tar.NewWriter(w), to: w, TarOptions: o, paths: map[*tree.Inode]string{}, total: contentSize(nodes)}
	for _, n := range nodes {
		if err := ctx.Err(); err != nil {
			return err
		}
		if o.Repeats {
			for _, e := range n.Before {
				if err := a.write(n.Path(), e); err != nil {
					return err
				}
			}
		}
		if err := a.write(n.Path(), n.Entry); err != nil {
			return err
		}
	}
	return a.Close()
}

// sender takes the content of a file by itself.
type sender interface {
	io.Writer
	send(*tree.Inode) error
}

type tarWriter struct {
	*tar.Writer
	to io.Writer
	TarOptions
	done, total int64
	// paths are where contents were written; the next one is a hard link.
	paths map[*tree.Inode]string
}

func (a *tarWriter) write(path string, e tree.Entry) error {
	h := &tar.Header{
		Format: tar.FormatPAX, Typeflag: e.Type, Name: path, Linkname: e.Link, Mode: e.Mode,
		Uid: e.UID, Gid: e.GID, ModTime: e.ModTime, Devmajor: e.Major, Devminor: e.Minor,
		PAXRecords: a.records(e),
	}
	if a.Bounded {
		h.ModTime = time.Unix(seconds32(e.ModTime), 0)
	}
	content := e.Inode
	switch {
	case e.Type == tar.TypeDir:
		h.Name += "/"
	case content == nil:
	case a.paths[content] != "" && a.paths[content] != path:
		h.Typeflag, h.Linkname, content = tar.TypeLink, a.paths[content], nil
	default:
		h.Size = content.Size
		a.paths[content] = path
	}
	if err := a.put(h, content); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if content == nil {
		return nil
	}
	if a.done += content.Size; a.Progress != nil {
		a.Progress(a.done, a.total)
	}
	return nil
}

// put writes an entry. The library's writer knows nothing of a content that goes past it, so
// another one writes the header of that.
func (a *tarWriter) put(h *tar.Header, content *tree.Inode) error {
	past, ok := a.to.(sender)
	switch {
	case content == nil:
		return a.WriteHeader(h)
	case !ok:
		if err := a.WriteHeader(h); err != nil {
			return err
		}
		_, err := io.Copy(a, content.Open())
		return err
	}
	if err := a.Flush(); err != nil {
		return err
	}
	if err := tar.NewWriter(past).WriteHeader(h); err != nil {
		return err
	}
	if err := past.send(content); err != nil {
		return err
	}
	_, err := past.Write(make([]byte, -content.Size&(tarBlock-1)))
	return err
}

// tarBlock is what a tar fills contents up to.
const tarBlock = 512

// contentSize is how many bytes the files have, each content counted once.
func contentSize(nodes []*tree.Node) int64 {
	seen := map[*tree.Inode]bool{}
	var total int64
	for _, n := range nodes {
		if n.Inode != nil && !seen[n.Inode] {
			seen[n.Inode] = true
			total += n.Inode.Size
		}
	}
	return total
}

func (a *tarWriter) records(e tree.Entry) map[string]string {
	records := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(e.Xattrs)) {
		if !a.Bounded || squashfsHolds(name) {
			records["SCHILY.xattr."+name] = e.Xattrs[name]
		}
	}
	if a.Origins && e.Origin != nil {
		if s := source(e.Origin); s != "" {
			records["LINUXKIT.source"] = s
		}
		if e.Origin.Location != "" {
			records["LINUXKIT.location"] = e.Origin.Location
		}
	}
	return records
}

// source is what LinuxKit's records call the origin of an entry.
func source(o *tree.Origin) string {
	switch {
	case o.Image != "":
		return o.Image
	case strings.HasPrefix(o.Location, "files["):
		return "linuxkit.files"
	case o.Location == "init":
		return "LINUXKIT.apkinit" // the packages of all init images in one list
	}
	return ""
}
