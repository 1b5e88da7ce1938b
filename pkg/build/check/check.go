// Package check looks for what would go wrong when a machine boots, and says so when its
// image is made. What LinuxKit's tool builds without a word is a warning here: its
// users' YAML has to build, and something in the machine may yet make it right.
package check

import (
	"context"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"slipway/pkg/build/spec"
	"slipway/pkg/build/tree"
	"slipway/pkg/build/yml"
)

// Images are the images that the YAML names.
type Images interface {
	spec.Images
	// Tree lays an image's layers over each other.
	Tree(ctx context.Context, name string) (*tree.Tree, error)
}

// Checker looks at one machine and collects the faults.
type Checker struct {
	Faults yml.Faults

	ctx        context.Context
	config     *yml.Config
	images     Images
	containers []*spec.Container
	platform   v1.Platform
	broken     map[string]bool // images whose layers cannot be read
	looked     map[string]bool // images that were looked at, by their keys
}

// New is for the containers that package spec has made of a configuration.
func New(ctx context.Context, config *yml.Config, images Images, containers []*spec.Container, platform v1.Platform) *Checker {
	return &Checker{ctx: ctx, config: config, images: images, containers: containers, platform: platform,
		broken: map[string]bool{}, looked: map[string]bool{}}
}

// All looks at everything that can be seen before the root file system is laid out.
// The containers' Policy is set by it.
func (k *Checker) All() {
	k.checkImages()
	k.checkFiles()
	for _, c := range k.containers {
		k.checkPolicy(c)
		k.checkProcess(c)
		k.checkNamespaces(c)
		k.checkPath(c)
		k.checkProgram(c)
		k.checkConfig(c)
		k.checkMounts(c)
		k.checkTwice(c)
		k.checkTargets(c)
		k.checkSources(c)
		k.checkSysctl(c)
		k.checkInterfaces(c)
	}
	k.checkVolumes()
	k.checkPorts()
	k.checkOrder()
	k.checkBindNS()
	k.checkCgroups()
	k.checkRuntimes()
	k.checkRuncs()
}

// warn adds a warning at a container's key; if the image's label has set it,
// at the image.
func (k *Checker) warn(c *spec.Container, key string, format string, args ...any) yml.Fault {
	at := c.At.Child("image")
	if c.At.Has(key) {
		at = c.At.Child(key)
	}
	return at.At(format, args...).Warns()
}

// warnSysctl is warn for a key of sysctl.
func (k *Checker) warnSysctl(c *spec.Container, name string, format string, args ...any) yml.Fault {
	at := c.At.Child("image")
	if c.At.Has("sysctl") {
		at = c.At.Child("sysctl").Key(name)
	}
	return at.At(format, args...).Warns()
}

// warnItem is warn for an entry of a list.
func (k *Checker) warnItem(c *spec.Container, key string, i int, format string, args ...any) yml.Fault {
	at := c.At.Child("image")
	if c.At.Has(key) {
		at = c.At.Child(key).Item(i)
	}
	return at.At(format, args...).Warns()
}

// root is the container's files; nil if the image is missing or broken.
func (k *Checker) root(c *spec.Container) *tree.Tree { return k.Tree(c.Image, c.At.Child("image")) }
