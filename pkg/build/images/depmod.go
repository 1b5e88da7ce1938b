package images

import (
	"archive/tar"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
)

// depmodCommand is depmod, which Debian keeps out of an ordinary user's PATH.
func depmodCommand(args ...string) command {
	name := "depmod"
	if _, err := exec.LookPath(name); err != nil && exists("/sbin/depmod") {
		name = "/sbin/depmod"
	}
	return command{args: append([]string{name}, args...)}
}

// indexed adds what modprobe looks up (modules.dep, modules.alias and so on) to
// a tree of modules.
func indexed(ctx context.Context, t Tree, release string) (Tree, error) {
	out := maps.Clone(t)
	err := inScratch("", func(tmp string) error {
		if err := t.writeFiles(tmp); err != nil {
			return err
		}
		if _, err := depmodCommand("-b", tmp, release).output(ctx); err != nil {
			return err
		}
		return out.addIndex(tmp, path.Join("lib/modules", release))
	})
	return out, err
}

// writeFiles writes the regular files of a tree below dir.
func (t Tree) writeFiles(dir string) error {
	for name, e := range t {
		if e.Type != tar.TypeReg {
			continue
		}
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, e.Data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// addIndex adds the files that depmod wrote directly into dir.
func (t Tree) addIndex(root, dir string) error {
	list, err := os.ReadDir(filepath.Join(root, dir))
	if err != nil {
		return err
	}
	for _, f := range list {
		// modules.devname and the like can be empty; they are kept, for depmod
		// on a running machine makes them as well.
		if f.Type()&fs.ModeType != 0 {
			continue
		}
		data, err := os.ReadFile(filepath.Join(root, dir, f.Name()))
		if err != nil {
			return fmt.Errorf("read index: %w", err)
		}
		t.AddFile(path.Join(dir, f.Name()), 0o644, data)
	}
	return nil
}
