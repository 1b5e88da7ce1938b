package build

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"slipway/pkg/build/input"
	"slipway/pkg/build/oci"
	"slipway/pkg/build/spec"
	"slipway/pkg/build/tree"
	"slipway/pkg/build/yml"
)

func (l *layout) addFiles() error {
	numbers := spec.ContainerIDs(l.config)
	l.fileDirs, l.fileEntries = map[string]bool{}, map[string]*yml.File{}
	for i, f := range l.config.Files {
		if err := l.addFile(f, numbers, &tree.Origin{Location: fmt.Sprintf("files[%d]", i)}); err != nil {
			if told, is := errors.AsType[yml.Faults](err); is {
				return told
			}
			return yml.Faults{f.At.Child("path").At("%v", err)}
		}
	}
	return nil
}

func (l *layout) addFile(f *yml.File, numbers spec.IDs, origin *tree.Origin) error {
	uid, _ := numbers.Number(f.UID) // checkFiles knows they are there
	gid, _ := numbers.Number(f.GID)
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
	if err := l.checkReplaced(f); err != nil {
		return err
	}
	if err := l.addParents(f, e); err != nil {
		return err
	}
	l.fileDirs[strings.Trim(path.Clean("/"+f.Path), "/")] = true
	l.fileEntries[strings.Trim(path.Clean("/"+f.Path), "/")] = f
	if f.Directory {
		return l.root.PutDir(f.Path, e)
	}
	return l.root.Put(f.Path, e)
}

// checkReplaced tells what a file takes the place of: a directory goes with all that is
// in it, and a file that is to be a directory is none any more.
func (l *layout) checkReplaced(f *yml.File) error {
	at := f.At.Child("path")
	name := strings.Trim(path.Clean("/"+f.Path), "/")
	for i := range name + "/" {
		if i < len(name) && name[i] != '/' || i == len(name) && !f.Directory {
			continue
		}
		if n := l.root.Resolve(name[:i]); n != nil && !n.IsDir() {
			l.warnings.Add(at.At("makes a directory of %q, a file that %s has put there", name[:i], n.Origin).Warns())
			return nil
		}
	}
	n := l.root.Lookup(name)
	if n == nil || n.IsDir() && f.Directory {
		return nil
	}
	if by := l.fileEntries[name]; by != nil && by.At.File() == f.At.File() { // of two texts, the later may mean it
		l.warnings.Add(at.At("the same path as %s, whose %s goes", by.At.Path(), whatWas(n)).Wants("one of them").Warns())
	}
	if !n.IsDir() || n.Below() == 0 {
		return nil
	}
	for _, c := range l.containers {
		if d := l.root.Lookup(c.Dir()); d != nil && (d == n || strings.HasPrefix(d.Path(), n.Path()+"/")) {
			return yml.Faults{at.At("takes the place of a directory that containers lie in").Wants("a path elsewhere")}
		}
	}
	first := n.Children()[0]
	l.warnings.Add(at.At("takes the place of a directory, and all that is in it goes (%d), such as %q of %s", n.Below(), first.Name, first.Origin).
		Wants("a directory that is empty, or not there").Warns())
	return nil
}

func whatWas(n *tree.Node) string {
	if n.IsDir() {
		return "directory"
	}
	return "file"
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

// expanded is the configuration with the names of images written out, but those
// of volumes, as LinuxKit's tool gives it to the machine.
func expanded(c *yml.Config) *yml.Config {
	out := *c
	if c.Kernel.Image != "" {
		out.Kernel.Image = oci.Expand(c.Kernel.Image)
	}
	out.Init = nil
	for _, name := range c.Init {
		out.Init = append(out.Init, oci.Expand(name))
	}
	for _, list := range []*[]*yml.Container{&out.Onboot, &out.Onshutdown, &out.Services} {
		var named []*yml.Container
		for _, x := range *list {
			y := *x
			y.Image = oci.Expand(x.Image)
			named = append(named, &y)
		}
		*list = named
	}
	return &out
}

// addParents makes the directories above a file: the file's owner, and its mode
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
		if n := l.root.Resolve(dir); l.fileDirs[dir] || n != nil && l.Hardening != spec.HardeningNone {
			continue
		}
		l.fileDirs[dir] = true
		if err := l.root.PutDir(dir, e); err != nil {
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
		data, err := json.MarshalIndent(expanded(l.config), "", "    ")
		return tree.Text(string(data)), err
	case f.Metadata == "yaml":
		data, err := yaml.Marshal(expanded(l.config))
		return tree.Text(string(data)), err
	}
	data, err := input.Read(f.SourcePath(), yml.MaxSource)
	if errors.Is(err, fs.ErrNotExist) && f.Optional {
		return nil, nil
	}
	if err != nil {
		return nil, yml.Faults{f.At.Child("source").At("%v", err)}
	}
	return tree.Text(string(data)), nil
}
