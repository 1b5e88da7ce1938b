package build

import (
	"context"

	"slipway/pkg/build/spec"
	"slipway/pkg/build/tree"
	"slipway/pkg/build/yml"
)

// checker looks for what would go wrong at boot. What LinuxKit's tool builds
// without a word is a warning here: its users' YAML has to build, and something
// in the machine may yet make it right.
type checker struct {
	ctx        context.Context
	config     *yml.Config
	images     *images
	containers []*spec.Container
	faults     yml.Faults
	broken     map[string]bool // images whose layers cannot be read
	looked     map[string]bool // images that were looked at, by their keys
}

func (k *checker) all(b *Builder) yml.Faults {
	k.checkCmdline(b.Hardening)
	k.checkImages()
	k.checkScripts(b)
	k.checkPlatforms()
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
	return k.faults
}

// warn adds a warning at a container's key; if the image's label has set it,
// at the image.
func (k *checker) warn(c *spec.Container, key string, format string, args ...any) yml.Fault {
	at := c.At.Child("image")
	if c.At.Has(key) {
		at = c.At.Child(key)
	}
	return at.At(format, args...).Warns()
}

// warnIn is warn for a key of a mapping.
func (k *checker) warnIn(c *spec.Container, key, name string, format string, args ...any) yml.Fault {
	at := c.At.Child("image")
	if c.At.Has(key) {
		at = c.At.Child(key).Key(name)
	}
	return at.At(format, args...).Warns()
}

// warnItem is warn for an entry of a list.
func (k *checker) warnItem(c *spec.Container, key string, i int, format string, args ...any) yml.Fault {
	at := c.At.Child("image")
	if c.At.Has(key) {
		at = c.At.Child(key).Item(i)
	}
	return at.At(format, args...).Warns()
}

// root is the container's files; nil if the image is missing or broken.
func (k *checker) root(c *spec.Container) *tree.Tree { return k.tree(c.Image, c.At.Child("image")) }
