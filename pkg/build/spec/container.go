package spec

import (
	"context"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/build/oci"
	"slipway/pkg/build/tree"
	"slipway/pkg/build/yml"
	"slipway/pkg/bundle"
)

// LabelKey is the image label that holds LinuxKit's settings.
const LabelKey = "org.mobyproject.config"

// Container is one container with all that its bundle is made of.
type Container struct {
	*yml.Container
	Directory   string         // below bundle.Root, such as "onboot/000-dhcp"
	Index       int            // in its section
	Spec        *specs.Spec    // config.json
	RuntimeJSON bundle.Runtime // the YAML's and the label's Runtime
	Policy      bundle.Policy  // of the annotations; zero until they are checked
	Label       *yml.Settings  // what the image's label says
	Unread      bool           // the image was not found, so nobody knows what it says
}

// Images are the images that the YAML names, for the machine's platform.
type Images interface {
	// Get gives nil for one that was not found.
	Get(name string) *oci.Image
	// Peek lays an image's layers over each other; nil if that cannot be done, which
	// is told elsewhere.
	Peek(ctx context.Context, name string) *tree.Tree
}

// Containers makes every container's config.json and runtime.json, in the order of the
// machine's start. One whose image was not found is made as if the image said nothing.
func Containers(ctx context.Context, c *yml.Config, images Images, hardening Hardening, arch string) ([]*Container, yml.Faults) {
	var faults yml.Faults
	volumes := map[string]*yml.Volume{}
	for _, v := range c.Volumes {
		volumes[v.Name] = v
	}
	ids := ContainerIDs(c)
	counts := map[bundle.Section]int{}
	var list []*Container
	for _, x := range c.Containers() {
		var config v1.Config
		img := images.Get(x.Image)
		if img != nil {
			config = img.Config.Config
		}
		label, wrong := yml.ParseLabel(x.Image, config.Labels[LabelKey])
		if len(wrong) > 0 {
			faults.Add(aboutLabel(x, wrong))
			faults.Add(wrong...)
		}
		t := &translator{c: x, label: label, image: config, volumes: volumes, ids: ids, hardening: hardening,
			arch: arch, root: func() *tree.Tree { return images.Peek(ctx, x.Image) }}
		index := counts[x.Section]
		counts[x.Section]++
		list = append(list, &Container{
			Container: x, Label: label, Index: index, Directory: directory(x, index), Unread: img == nil,
			Spec: t.spec(), RuntimeJSON: mergeRuntime(x.Runtime, label.Runtime, t.asLinuxKit()),
		})
		faults.Add(t.faults...)
	}
	return list, faults
}

// aboutLabel says at the container whose image's label has the faults; as the label
// has no file of its own.
func aboutLabel(x *yml.Container, wrong yml.Faults) yml.Fault {
	fault := x.At.Child("image").At("the label %s of the image is wrong", LabelKey)
	if len(wrong.Only(yml.Error)) == 0 {
		return fault.Warns()
	}
	return fault
}

// directory is the bundle's directory: numbered where the order counts.
func directory(x *yml.Container, index int) string {
	if x.Section == bundle.Services {
		return string(x.Section) + "/" + x.Name
	}
	return fmt.Sprintf("%s/%03d-%s", x.Section, index, x.Name)
}

// Unspecified tells that the YAML says nothing of a key, and the image may.
func (c *Container) Unspecified(key string) bool { return c.Unread && !c.At.Has(key) }

// Location is the container's place in the YAML, such as "services[2]".
func (c *Container) Location() string { return fmt.Sprintf("%s[%d]", c.Section, c.Index) }

// Dir is the bundle's directory in the machine.
func (c *Container) Dir() string { return bundle.Root + "/" + c.Directory }

// Annotation is where an annotation stands: in the YAML, or the image whose label
// has it. Key "" is all of them.
func (c *Container) Annotation(key string) yml.Position { return annotation(c.Container, key) }

func annotation(c *yml.Container, key string) yml.Position {
	if !c.At.Has("annotations") {
		return c.At.Child("image")
	}
	if key == "" {
		return c.At.Child("annotations")
	}
	return c.At.Child("annotations").Child(key)
}
