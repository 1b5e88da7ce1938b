package build

import (
	"encoding/json"
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/build/filter"
	"slipway/pkg/build/oci"
	"slipway/pkg/build/spec"
	"slipway/pkg/build/tree"
	"slipway/pkg/bundle"
)

func (l *layout) addContainers() error {
	for _, c := range l.containers {
		if err := l.addContainer(c); err != nil {
			return fmt.Errorf("%s: %w", c.Directory, err)
		}
	}
	return nil
}

// addContainer makes a bundle: the image's files unless another bundle has
// them already, config.json, and the mounts that put the root together.
func (l *layout) addContainer(c *spec.Container) error {
	origin := &tree.Origin{Image: l.sourceName(c.Image), Location: c.Location()}
	if err := l.root.MkdirAll(c.Dir(), origin); err != nil {
		return err
	}
	files, err := l.unpack(c, origin)
	if err != nil {
		return err
	}
	if err := l.putSpec(c, origin); err != nil {
		return err
	}
	empty := []string{bundle.TmpDir, bundle.RootfsDir}
	mounts := overlayMounts(c.Dir(), files)
	if c.Spec.Root.Readonly {
		empty, mounts = []string{bundle.RootfsDir}, bindMounts(c.Dir(), files)
	}
	for _, dir := range empty {
		if err := l.root.MkdirAll(c.Dir()+"/"+dir, origin); err != nil {
			return err
		}
	}
	c.RuntimeJSON.Mounts = append(mounts, c.RuntimeJSON.Mounts...)
	return l.putJSON(c.Dir()+"/"+bundle.RuntimeFile, filled(c.RuntimeJSON), origin)
}

// unpack puts the image's files into the bundle and says where they lie.
func (l *layout) unpack(c *spec.Container, origin *tree.Origin) (string, error) {
	key := oci.Key(c.Image)
	if dir := l.unpacked[key]; dir != "" {
		return dir, nil
	}
	image, err := l.images.Tree(l.ctx, c.Image)
	if err != nil {
		return "", err
	}
	dir := c.Dir() + "/" + bundle.LowerDir
	if c.Spec.Root.Readonly {
		dir = c.Dir() + "/" + bundle.RootfsDir
	}
	l.unpacked[key] = dir
	return dir, l.graft(dir, image, origin, resolvText)
}

// overlayMounts put a read-write root together: a tmpfs for the writable
// layer, made private, and the overlay.
func overlayMounts(dir, lower string) []specs.Mount {
	tmp := dir + "/" + bundle.TmpDir
	return []specs.Mount{
		{Destination: tmp, Type: "tmpfs", Source: "tmpfs"},
		{Destination: tmp, Options: []string{"remount", "private"}},
		{Destination: dir + "/" + bundle.RootfsDir, Type: "overlay", Source: "overlay", Options: []string{
			"lowerdir=" + lower,
			"upperdir=" + tmp + "/" + bundle.UpperDir,
			"workdir=" + tmp + "/" + bundle.WorkDir,
		}},
	}
}

// bindMounts make a read-only root a mount of its own.
func bindMounts(dir, files string) []specs.Mount {
	return []specs.Mount{{Destination: dir + "/" + bundle.RootfsDir, Source: files, Options: []string{"bind"}}}
}

// filled writes empty lists as [] rather than null, as LinuxKit's tool does.
func filled(r bundle.Runtime) any {
	for _, list := range []*[]string{&r.Cgroups, &r.Mkdir} {
		if *list == nil {
			*list = []string{}
		}
	}
	if r.Interfaces == nil {
		r.Interfaces = []bundle.Interface{}
	}
	// LinuxKit's tool always writes the namespace, even an empty one.
	return struct {
		bundle.Runtime
		Namespace string `json:"namespace"`
	}{r, r.Namespace}
}

// putSpec writes config.json, indented as LinuxKit's tool does. One with a filter
// of system calls is on one line: two thirds of it were blanks, which the guest
// and the OCI runtime read again for each container.
func (l *layout) putSpec(c *spec.Container, origin *tree.Origin) error {
	path := c.Dir() + "/" + bundle.ConfigFile
	if c.Spec.Linux == nil || c.Spec.Linux.Seccomp == nil {
		return l.putJSON(path, c.Spec, origin)
	}
	data, err := json.Marshal(c.Spec)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := l.putFile(path, tree.Text(string(data)), origin); err != nil {
		return err
	}
	return l.putProgram(c, origin)
}

// putProgram writes the container's filter compiled, if it can be, for the OCI runtimes that take it
// so: they, and the kernel, would otherwise take much longer over it at each start.
func (l *layout) putProgram(c *spec.Container, origin *tree.Origin) error {
	program, ok := filter.Compile(c.Spec.Linux.Seccomp)
	if !ok {
		return nil
	}
	text, err := json.Marshal(c.Spec.Linux.Seccomp)
	if err != nil {
		return err
	}
	data := bundle.EncodeProgram(bundle.NewFilter(text), program)
	return l.putFile(c.Dir()+"/"+bundle.ProgramFile, tree.Text(string(data)), origin)
}

func (l *layout) putJSON(path string, v any, origin *tree.Origin) error {
	data, err := json.MarshalIndent(v, "", "    ")
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return l.putFile(path, tree.Text(string(data)), origin)
}
