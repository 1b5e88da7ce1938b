package build

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"slipway/pkg/build/tree"
	"slipway/pkg/build/yml"
)

func (l *layout) addFiles() error {
	numbers := containerIDs(l.config)
	l.fileDirs = map[string]bool{}
	for i, f := range l.config.Files {
		if err := l.addFile(f, numbers, &tree.Origin{Location: fmt.Sprintf("files[%d]", i)}); err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	return nil
}

func (l *layout) addFile(f *yml.File, numbers ids, origin *tree.Origin) error {
	uid, _ := numbers.number(f.UID) // checkFiles knows they are there
	gid, _ := numbers.number(f.GID)
	e := tree.Entry{Mode: fileMode(f), UID: int(uid), GID: int(gid), ModTime: tree.Epoch, Origin: origin}
	switch {
	case f.Directory:
		e.Type = tar.TypeDir
	case f.Symlink != "":
		e.Type, e.Link = tar.TypeSymlink, f.Symlink
	default:
		content, err := l.fileContent(f)
		if err != nil || content == nil {
			return err
		}
		e.Type, e.Inode = tar.TypeReg, content
	}
	if err := l.addParents(f, e); err != nil {
		return err
	}
	l.fileDirs[strings.Trim(path.Clean("/"+f.Path), "/")] = true
	return l.root.Put(f.Path, e)
}

func fileMode(f *yml.File) int64 {
	n, err := strconv.ParseInt(f.Mode, 8, 64)
	switch {
	case f.Mode != "" && err == nil:
		return n
	case f.Directory:
		return 0o700
	}
	return 0o600
}

// addParents makes the folders above a file: the file's owner, and its mode
// with x wherever r or w is set. LinuxKit's tool writes each of them once, even
// where it exists, and so changes it: a file of mode 0600 in etc makes etc 0700,
// for root alone. Only the exact imitation does that here.
func (l *layout) addParents(f *yml.File, e tree.Entry) error {
	mode := fileMode(f)
	for shift := 0; shift <= 6; shift += 3 {
		if mode&(6<<shift) != 0 {
			mode |= 1 << shift
		}
	}
	e.Type, e.Mode, e.Inode, e.Link = tar.TypeDir, mode, nil, ""
	parts := strings.Split(strings.Trim(path.Clean("/"+f.Path), "/"), "/")
	for i := 1; i < len(parts); i++ {
		dir := strings.Join(parts[:i], "/")
		if n := l.root.Resolve(dir); l.fileDirs[dir] || n != nil && l.Hardening != HardeningNone {
			continue
		}
		l.fileDirs[dir] = true
		if err := l.root.Put(dir, e); err != nil {
			return err
		}
	}
	return nil
}

// fileContent is what is in the file; nil for an optional source that is not
// there.
func (l *layout) fileContent(f *yml.File) (*tree.Inode, error) {
	switch {
	case f.Contents != nil:
		return tree.Text(*f.Contents), nil
	case f.Metadata == "json":
		data, err := json.MarshalIndent(l.config, "", "    ")
		return tree.Text(string(data)), err
	case f.Metadata == "yaml":
		data, err := yaml.Marshal(l.config)
		return tree.Text(string(data)), err
	}
	data, err := os.ReadFile(f.SourcePath())
	if errors.Is(err, fs.ErrNotExist) && f.Optional {
		return nil, nil
	}
	if err != nil {
		return nil, yml.Faults{f.At.Child("source").At("%v", err)}
	}
	return tree.Text(string(data)), nil
}
