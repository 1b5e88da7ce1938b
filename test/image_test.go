package test

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"slipway/pkg/build"
	"slipway/pkg/build/oci"
	"slipway/pkg/build/output"
	"slipway/pkg/build/spec"
	"slipway/pkg/build/tree"
	"slipway/pkg/build/yml"
	"slipway/pkg/bundle"
)

// imageName is what a case's image is called, in its work directory.
const imageName = "image"

// build makes the case's image in its work directory, in every format.
func (c *testCase) build(ctx context.Context) (err error) {
	files := []string{filepath.Join(c.dir, "linuxkit.yml")}
	// What a case adds to an example, as a site would.
	if site := filepath.Join(c.dir, "site.yml"); exists(site) {
		files = append(files, site)
	}
	config, faults, err := yml.Read(ctx, files, nil)
	if err := errors.Join(err, faults.Only(yml.Error).Err()); err != nil {
		return err
	}
	c.chooseEngine(config.Init)
	builder := &build.Builder{
		Finder:    &oci.Finder{Store: oci.OpenStore()},
		Platform:  v1.Platform{OS: "linux", Architecture: c.want.Arch},
		Hardening: spec.Hardening(c.want.Hardening),
		// A boot's processor time is less by a twentieth. As people have it the kernel is
		// in what slipway run boots, in the media and in the machines of examples/.
		DecompressKernel: config.Kernel.Image == "slipway/kernel:v0.1" && c.want.fromInitrd() && len(files) == 1,
	}
	machine, err := builder.Build(ctx, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, machine.Close()) }()
	if err := c.want.Edit.apply(machine.Root); err != nil {
		return fmt.Errorf("edit image: %w", err)
	}
	options := output.Options{Initrd: c.want.Initrd, Compression: c.want.Compression, Arch: c.want.Arch}
	for _, format := range c.want.Formats {
		if err := c.write(ctx, format, machine, builder, options); err != nil {
			return err
		}
	}
	return nil
}

// chooseEngine has a machine of one runtime take the engine instead.
func (c *testCase) chooseEngine(images []string) {
	isThere := func(name string) bool { return strings.HasPrefix(name, "slipway/"+c.engine+":") }
	if c.engine == "" || slices.ContainsFunc(images, isThere) {
		return
	}
	for i, name := range images {
		if kind, version, _ := strings.Cut(name, ":"); kind == "slipway/runc" || kind == "slipway/crun" {
			images[i] = "slipway/" + c.engine + ":" + version
		}
	}
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func (c *testCase) write(ctx context.Context, format string, machine *build.Machine, builder *build.Builder, o output.Options) (err error) {
	root := machine.Root
	if output.NeedsStub(format) {
		if o.Stub, err = machine.Stub(ctx, builder); err != nil {
			return err
		}
		// Nothing can be appended when it boots.
		var cmdline strings.Builder
		if _, err := io.Copy(&cmdline, root.Lookup(build.CmdlineFile).Inode.Open()); err != nil {
			return err
		}
		was := cmdline.String()
		if err := writeText(root, build.CmdlineFile, was+" "+c.want.options(c.want.Boots[0])); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, writeText(root, build.CmdlineFile, was)) }()
	}
	target := &output.Target{Dir: c.work, Name: imageName}
	defer func() { err = errors.Join(err, target.Discard()) }()
	if err := output.Write(ctx, format, root, target, o); err != nil {
		return err
	}
	_, err = target.Commit()
	return err
}

func (e edit) apply(t *tree.Tree) error {
	if e.Layout == "seed" {
		if err := seedLayout(t); err != nil {
			return err
		}
	}
	for _, p := range e.Remove {
		if err := remove(t, p); err != nil {
			return err
		}
	}
	for p, text := range e.Write {
		if err := writeText(t, p, text); err != nil {
			return err
		}
	}
	for p, fields := range e.Fields {
		if err := setFields(t, p, fields); err != nil {
			return err
		}
	}
	return nil
}

// remove takes away what a pattern matches, which must be something.
func remove(t *tree.Tree, pattern string) error {
	var found []string
	for _, n := range t.Nodes() {
		if ok, err := path.Match(pattern, n.Path()); err != nil {
			return err
		} else if ok {
			found = append(found, n.Path())
		}
	}
	if len(found) == 0 {
		return fmt.Errorf("remove %s: it is not there", pattern)
	}
	for _, p := range found {
		t.Remove(p)
	}
	return nil
}

// readJSON reads a file of the tree.
func readJSON(t *tree.Tree, file string, v any) error {
	node := t.Lookup(file)
	if node == nil || node.Inode == nil {
		return fmt.Errorf("no %s", file)
	}
	data, err := io.ReadAll(node.Inode.Open())
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

func writeJSON(t *tree.Tree, file string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return writeText(t, file, string(data))
}

// setFields sets fields at the top of a JSON file.
func setFields(t *tree.Tree, file string, fields map[string]any) error {
	all := map[string]any{}
	if err := readJSON(t, file, &all); err != nil {
		return err
	}
	maps.Copy(all, fields)
	return writeJSON(t, file, all)
}

func writeText(t *tree.Tree, file, text string) error {
	if err := t.MkdirAll(path.Dir(file), nil); err != nil {
		return err
	}
	return t.Put(file, tree.Entry{Type: tar.TypeReg, Mode: 0o644, Inode: tree.Text(text)})
}

// seedLayout makes every bundle one of LinuxKit's oldest: its runtime.json has
// no mounts of the rootfs, and goes when nothing else is in it, so that the
// init has to tell read-only from read-write by looking. Such bundles share
// nothing, so each needs an image of its own.
func seedLayout(t *tree.Tree) error {
	for _, section := range []bundle.Section{bundle.Onboot, bundle.Onshutdown, bundle.Services} {
		dir := t.Lookup(path.Join(strings.TrimPrefix(bundle.Root, "/"), string(section)))
		if dir == nil {
			continue
		}
		for _, b := range dir.Children() {
			if err := seedBundle(t, "/"+b.Path()); err != nil {
				return err
			}
		}
	}
	return nil
}

func seedBundle(t *tree.Tree, dir string) error {
	file := strings.TrimPrefix(path.Join(dir, bundle.RuntimeFile), "/")
	var runtime bundle.Runtime
	if err := readJSON(t, file, &runtime); err != nil {
		return err
	}
	kept := runtime.Mounts[:0]
	for _, m := range runtime.Mounts {
		if m.Destination != dir+"/rootfs" && m.Destination != dir+"/tmp" {
			kept = append(kept, m)
		}
	}
	runtime.Mounts = kept
	if len(kept)+len(runtime.Mkdir)+len(runtime.Interfaces)+len(runtime.Cgroups) == 0 && runtime.BindNS == (bundle.Runtime{}).BindNS {
		t.Remove(file)
		return nil
	}
	return writeJSON(t, file, runtime)
}
