package build

import (
	"strings"

	"slipway/pkg/build/check"
	"slipway/pkg/build/tree"
	"slipway/pkg/build/yml"
	"slipway/pkg/bundle"
)

// check looks for what would go wrong at boot, also in what the layout makes of the
// images.
func (l *layout) check() yml.Faults {
	k := check.New(l.ctx, l.config, l.images, l.containers, l.Platform)
	l.checkCmdline(k)
	l.checkKernel(k)
	k.All()
	l.checkScripts(k)
	return k.Faults
}

// checkCmdline finds a command line that is too long as it is; `slipway run` looks
// again with the words that it adds.
func (l *layout) checkCmdline(k *check.Checker) {
	kernel := l.config.Kernel
	text := cmdline(kernel.Cmdline, l.images.Get(kernel.Image), l.Hardening)
	if err := bundle.CheckCmdline(l.Platform.Architecture, strings.TrimSpace(text)); err != nil {
		k.Faults.Add(kernel.At.Child("cmdline").At("%v", err).Wants("fewer words, or files: for what is not the kernel's"))
	}
}

func (l *layout) checkKernel(k *check.Checker) {
	kernel := l.config.Kernel
	image := k.Tree(kernel.Image, kernel.At.Child("image"))
	if image == nil {
		return
	}
	for _, f := range []kernelFile{kernelBinary(kernel), kernelModules(kernel)} {
		if f.name != "" && f.in(image) == nil {
			k.Faults.Add(f.missing(image, kernel))
		}
	}
	if f := kernelUCode(kernel); f.name != "" && f.in(image) == nil {
		k.Faults.Add(f.missing(image, kernel).Warns())
	}
}

// checkScripts looks at what init starts, whichever image it is from: an image may
// bring a script, and another one its interpreter. Where an image was not read, the
// scripts of the YAML's files are looked at.
func (l *layout) checkScripts(k *check.Checker) {
	parts := *l
	parts.root, parts.warnings = tree.New(), nil
	if k.KnowsInit() && parts.addInit() != nil || parts.addFiles() != nil {
		return // the build says why
	}
	k.Scripts(parts.root, places(l.config, l.containers))
}
