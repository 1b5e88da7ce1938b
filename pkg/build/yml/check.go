package yml

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"slipway/pkg/build/input"
	"slipway/pkg/bundle"
	"slipway/pkg/version"
)

// check finds what the schema cannot say: names that must differ, fields that
// exclude each other, files that have to be there.
func (c *Config) check() Faults {
	var faults Faults
	if c.Kernel.Image == "" && len(fields(c.Kernel.At.node)) > 0 {
		// LinuxKit's tool then makes a tar without a kernel; what boots needs one.
		faults.Add(c.Kernel.At.At("no image, so there is no kernel").Wants("the image that holds the kernel").Warns())
	}
	faults.Add(c.checkInit()...)
	faults.Add(checkImageNames(c)...)
	faults.Add(c.checkVolumes()...)
	faults.Add(c.checkNames()...)
	for _, x := range c.Containers() {
		faults.Add(x.checkCgroups()...)
	}
	for _, f := range c.Files {
		faults.Add(f.check()...)
	}
	return faults
}

// firstPrograms are what the kernel runs first: /init of an initrd, the others of
// a root file system.
var firstPrograms = []string{"init", "sbin/init", "etc/init", "bin/init", "bin/sh"}

// checkInit wants something that starts the machine. LinuxKit's tool builds
// without: a part that others are merged with, or a kernel that panics.
func (c *Config) checkInit() Faults {
	at := c.At.Child("init")
	n := follow(at.node)
	isFirst := func(f *File) bool { return slices.Contains(firstPrograms, strings.Trim(f.Path, "/")) }
	switch {
	case len(c.Init) > 0, n == nil, n.Kind == yaml.SequenceNode && len(n.Content) > 0:
		return nil
	case slices.ContainsFunc(c.Files, isFirst), strings.Contains(c.Kernel.Cmdline, "init="):
		return nil
	}
	fault := at.At("no image, so nothing starts the machine").
		Wants("the images of the root file system, such as slipway/init:" + version.ImageTag + " and slipway/runc:" + version.ImageTag)
	if c.Kernel.Image == "" {
		fault = fault.Warns()
	}
	return Faults{fault}
}

func checkImageNames(c *Config) Faults {
	var faults Faults
	look := func(name string, at Position) {
		switch {
		case strings.HasPrefix(name, "@pkg:"):
			faults.Add(at.At("%q names a package of LinuxKit's source tree, which needs LinuxKit's own tool to find its tag", name).
				Wants("the image's name, as `linuxkit pkg show-tag` prints it"))
		case !IsImageName(name):
			fault := at.At("%q is not the name of an image", name).Wants(imageNameWords)
			if lower := strings.ToLower(name); IsImageName(lower) {
				fault.Nearest = lower
			}
			faults.Add(fault)
		}
	}
	if c.Kernel.Image != "" {
		look(c.Kernel.Image, c.Kernel.At.Child("image"))
	}
	for i, name := range c.Init {
		look(name, c.InitAt[i])
	}
	for _, v := range c.Volumes {
		if v.Image != "" {
			look(v.Image, v.At.Child("image"))
		}
	}
	for _, x := range c.Containers() {
		if x.At.Has("image") {
			look(x.Image, x.At.Child("image"))
		}
	}
	return faults
}

func (c *Config) checkVolumes() Faults {
	var faults Faults
	seen := map[string]Position{}
	for _, v := range c.Volumes {
		at := v.At.Child("name")
		if first, ok := seen[v.Name]; ok && v.Name != "" {
			faults.Add(at.At("volume %q again, first in line %d", v.Name, first.node.Line))
		}
		seen[v.Name] = at
		if v.Format == "oci" && v.Image == "" {
			faults.Add(v.At.Child("format").At("format oci with no image makes an empty volume").Wants("the image to keep in the volume").Warns())
		}
		if len(v.Platforms) > 0 && v.Format != "oci" {
			faults.Add(v.At.Child("platforms").At("platforms count for nothing without format: oci").Warns())
		}
	}
	return faults
}

func (c *Config) checkNames() Faults {
	var faults Faults
	seen := map[string]Position{}
	for _, x := range c.Containers() {
		at := x.At.Child("name")
		if x.Section != bundle.Services {
			continue
		}
		if first, ok := seen[x.Name]; ok && x.Name != "" {
			faults.Add(at.At("service %q again, first in line %d", x.Name, first.node.Line).Wants("every service to have a name of its own"))
		}
		seen[x.Name] = at
	}
	return faults
}

// checkCgroups wants none of the machine's own: see bundle.CheckCgroupsPath.
func (x *Container) checkCgroups() Faults {
	var faults Faults
	wrong := func(at Position, err error) {
		if err != nil {
			faults.Add(at.At("container %q: %v", x.Name, err).Wants(bundle.CgroupsPathWords))
		}
	}
	if x.CgroupsPath != nil {
		wrong(x.At.Child("cgroupsPath"), bundle.CheckCgroupsPath(*x.CgroupsPath))
	}
	if x.Runtime != nil && x.Runtime.Cgroups != nil {
		for i, p := range *x.Runtime.Cgroups {
			wrong(x.At.Child("runtime").Child("cgroups").Item(i), bundle.CheckCgroup(p))
		}
	}
	return faults
}

// checkKind wants one kind of file. Of a directory and a link, and of a link and a
// text, LinuxKit's tool makes the first; all else it refuses.
func (f *File) checkKind() Faults {
	var given []string
	for _, key := range []string{"directory", "symlink", "contents", "source", "metadata"} {
		if f.has(key) {
			given = append(given, key)
		}
	}
	if len(given) == 0 {
		return Faults{f.At.At("file %q says nothing of what is in it", f.Path).Wants("one of %s", strings.Join(fileSchema.oneOf, ", "))}
	}
	if len(given) == 1 {
		return nil
	}
	fault := f.At.Key(given[1]).At("file %q has both %s", f.Path, strings.Join(given, " and ")).Wants("one of them")
	both := strings.Join(given, " ")
	if both == "directory symlink" || both == "symlink contents" {
		fault.Message += ", and " + given[0] + " wins"
		return Faults{fault.Warns()}
	}
	return Faults{fault}
}

func (f *File) check() Faults {
	faults := f.checkKind()
	faults.Add(f.checkPath()...)
	if len(f.Symlink) > maxTarget {
		faults.Add(f.At.Child("symlink").At("a target of %d bytes", len(f.Symlink)).Wants("%d at most", maxTarget))
	}
	if f.Symlink != "" && !f.Directory && f.At.Has("mode") {
		faults.Add(f.At.Child("mode").At("a link has no mode: what it leads to has").Wants("mode left out").Warns())
	}
	if f.Source == "" {
		if f.Optional {
			faults.Add(f.At.Child("optional").At("optional counts for nothing without source").Wants("optional left out").Warns())
		}
		return faults
	}
	file, err := input.Open(f.SourcePath())
	if err == nil {
		file.Close()
		return faults
	}
	switch at := f.At.Child("source"); {
	case !errors.Is(err, fs.ErrNotExist):
		faults.Add(at.At("%v", err))
	case !f.Optional:
		faults.Add(at.At("%v", err).Wants("a file on this machine, or optional: true"))
	}
	return faults
}

// What Linux takes: NAME_MAX and PATH_MAX, which has a null at its end.
const (
	maxName   = 255
	maxTarget = 4095
)

func (f *File) checkPath() Faults {
	if !f.At.Has("path") {
		return nil
	}
	at := f.At.Child("path")
	clean := strings.TrimPrefix(path.Clean("/"+f.Path), "/")
	if clean == "" {
		return Faults{at.At("path %q", f.Path).Wants("a path in the image")}
	}
	if len(clean) > maxTarget {
		return Faults{at.At("a path of %d bytes", len(clean)).Wants("%d at most", maxTarget)}
	}
	for part := range strings.SplitSeq(f.Path, "/") {
		switch {
		case part == "..":
			return Faults{at.At("path %q has .. in it", f.Path).Wants("a path in the image")}
		case len(part) > maxName:
			return Faults{at.At("a name of %d bytes", len(part)).Wants("%d at most", maxName)}
		}
	}
	return nil
}

// has tells what kind of file it is meant to be.
func (f *File) has(key string) bool {
	switch key {
	case "contents":
		return f.Contents != nil
	case "source":
		return f.Source != ""
	case "metadata":
		return f.Metadata != ""
	case "directory":
		return f.Directory
	}
	return f.Symlink != ""
}

// LeftOut tells whether the file does not go into the image, nor the directories above
// it for its sake: it is optional, and its source is not there.
func (f *File) LeftOut() bool {
	if !f.Optional || f.Source == "" {
		return false
	}
	_, err := os.Stat(f.SourcePath())
	return errors.Is(err, fs.ErrNotExist)
}

// SourcePath is where the source lies on this machine: below the home directory
// for ~/, else relative to where the builder runs, as in LinuxKit, else
// relative to the YAML file.
func (f *File) SourcePath() string {
	if rest, ok := strings.CutPrefix(f.Source, "~/"); ok {
		return filepath.Join(os.Getenv("HOME"), rest)
	}
	if _, err := os.Stat(f.Source); err != nil && !filepath.IsAbs(f.Source) {
		beside := filepath.Join(filepath.Dir(f.At.File()), f.Source)
		if _, err := os.Stat(beside); err == nil {
			return beside
		}
	}
	return f.Source
}
