package container

import (
	"path"
	"slices"
	"strings"

	"slipway/pkg/bundle"
	"slipway/pkg/container/mount"
	"slipway/pkg/container/rootfs"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// writers are the containers that may write directories of the machine, those of this
// start among them.
func (s *starting) writers() (mount.Writers, error) {
	e := s.e
	e.readBundles.Do(func() {
		if e.Bundles == nil {
			return
		}
		for _, b := range e.Bundles() {
			e.writers = append(e.writers, writes(b)...)
		}
	})
	return slices.Concat(e.writers, writes(s.b)).Real()
}

// writes are the directories that a container gets to write by binds, and its layer on
// a disk. Who has all of the root is the machine.
func writes(b *bundle.Bundle) (w mount.Writers) {
	name := string(b.Section) + " " + b.Name
	for _, m := range slices.Concat(b.Spec.Mounts, insideMounts(b)) {
		if bind, deep := isBind(m); bind && !isReadonly(m) && path.Clean(m.Source) != "/" {
			w = append(w, mount.Writer{Dir: m.Source, Deep: deep, Name: name})
		}
	}
	if layer := rootfs.Layer(b); layer != "" {
		w = append(w, mount.Writer{Dir: path.Join(layer, bundle.UpperDir), Name: name})
	}
	return w
}

// insideMounts are those of runtime.json that lie in the container.
func insideMounts(b *bundle.Bundle) []specs.Mount {
	inside := b.Path(bundle.RootfsDir) + "/"
	return slices.DeleteFunc(slices.Clone(b.Runtime.Mounts), func(m specs.Mount) bool {
		return path.IsAbs(m.Destination) && !strings.HasPrefix(path.Clean(m.Destination), inside)
	})
}

// isBind tells whether a mount is a bind of a path of the machine, and whether of what
// is mounted below it too.
func isBind(m specs.Mount) (bind, deep bool) {
	deep = slices.Contains(m.Options, "rbind")
	return path.IsAbs(m.Source) && (deep || m.Type == "bind" || slices.Contains(m.Options, "bind")), deep
}

// isReadonly goes by the last word, as the runtimes do.
func isReadonly(m specs.Mount) (ro bool) {
	for _, o := range m.Options {
		switch o {
		case "ro":
			ro = true
		case "rw":
			ro = false
		}
	}
	return ro
}
