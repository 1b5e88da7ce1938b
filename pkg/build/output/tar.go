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

	"slipway/pkg/build/tree"
)

// bufferSize is for writers that get many small pieces.
const bufferSize = 256 << 10

func writeTarFile(ctx context.Context, t *tree.Tree, to *Target, o Options) error {
	return to.WriteFile(".tar", func(f *os.File) error {
		w := bufio.NewWriterSize(f, bufferSize)
		if err := WriteTar(ctx, w, t.Nodes(), o.Repeats, true); err != nil {
			return err
		}
		return w.Flush()
	})
}

// WriteTar writes entries as a tar. With repeats it holds what later entries
// replace, too. With origins each entry says in PAX records, as LinuxKit's do,
// which image it comes from.
func WriteTar(ctx context.Context, w io.Writer, nodes []*tree.Node, repeats, origins bool) error {
	a := &tarWriter{Writer: tar.NewWriter(w), origins: origins, paths: map[*tree.Inode]string{}}
	for _, n := range nodes {
		if err := ctx.Err(); err != nil {
			return err
		}
		if repeats {
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

type tarWriter struct {
	*tar.Writer
	origins bool
	// paths are where contents were written; the next one is a hard link.
	paths map[*tree.Inode]string
}

func (a *tarWriter) write(path string, e tree.Entry) error {
	h := &tar.Header{
		Format: tar.FormatPAX, Typeflag: e.Type, Name: path, Linkname: e.Link, Mode: e.Mode,
		Uid: e.UID, Gid: e.GID, ModTime: e.ModTime, Devmajor: e.Major, Devminor: e.Minor,
		PAXRecords: a.records(e),
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
	if err := a.WriteHeader(h); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if content == nil {
		return nil
	}
	if _, err := io.Copy(a, content.Open()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func (a *tarWriter) records(e tree.Entry) map[string]string {
	records := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(e.Xattrs)) {
		records["SCHILY.xattr."+name] = e.Xattrs[name]
	}
	if a.origins && e.Origin != nil {
		if e.Origin.Image != "" {
			records["LINUXKIT.source"] = e.Origin.Image
		}
		if e.Origin.Location != "" {
			records["LINUXKIT.location"] = e.Origin.Location
		}
	}
	return records
}
