package build

import (
	"path"
	"strings"

	"slipway/pkg/build/input"
	"slipway/pkg/build/oci"
	"slipway/pkg/build/spec"
	"slipway/pkg/build/tree"
	"slipway/pkg/build/yml"
	"slipway/pkg/bundle"
)

// tree is an image's files; nil if it is missing or broken, which is a fault at
// the first place that needs them.
func (k *checker) tree(name string, at yml.Position) *tree.Tree {
	if k.images.Get(name) == nil || k.broken[name] {
		return nil
	}
	t, err := k.images.tree(k.ctx, name)
	if err != nil {
		k.broken[name] = true
		k.faults.Add(at.At("%v", err))
		return nil
	}
	if key := oci.Key(name); !k.looked[key] {
		k.looked[key] = true
		k.checkLinks(name, t, at)
	}
	return t
}

// checkImages reads the images that containers are not made of.
func (k *checker) checkImages() {
	k.checkKernel()
	for i, name := range k.config.Init {
		if t := k.tree(name, k.config.InitAt[i]); t != nil {
			k.checkRun(name, t, k.config.InitAt[i])
		}
	}
	for _, v := range k.config.Volumes {
		if v.Image != "" && v.Format != "oci" {
			k.tree(v.Image, v.At.Child("image"))
		}
	}
}

// checkCmdline finds a command line that is too long as it is; `slipway run` looks
// again with the words that it adds.
func (k *checker) checkCmdline(h spec.Hardening) {
	kernel := k.config.Kernel
	text := cmdline(kernel.Cmdline, k.images.Get(kernel.Image), h)
	if err := bundle.CheckCmdline(k.images.platform.Architecture, strings.TrimSpace(text)); err != nil {
		k.faults.Add(kernel.At.Child("cmdline").At("%v", err).Wants("fewer words, or files: for what is not the kernel's"))
	}
}

func (k *checker) checkKernel() {
	kernel := k.config.Kernel
	image := k.tree(kernel.Image, kernel.At.Child("image"))
	if image == nil {
		return
	}
	for _, f := range []kernelFile{kernelBinary(kernel), kernelModules(kernel)} {
		if f.name != "" && f.in(image) == nil {
			k.faults.Add(f.missing(image, kernel))
		}
	}
	if f := kernelUCode(kernel); f.name != "" && f.in(image) == nil {
		k.faults.Add(f.missing(image, kernel).Warns())
	}
}

// hidden are directories that the boot mounts a tmpfs on.
var hidden = []string{"dev", "proc", "run", "sys", "tmp", "var"}

// checkFiles finds owners that do not exist, and files that nobody will see.
func (k *checker) checkFiles() {
	numbers := spec.ContainerIDs(k.config)
	for _, f := range k.config.Files {
		for key, id := range map[string]*yml.ID{"uid": f.UID, "gid": f.GID} {
			if _, ok := numbers.Number(id); !ok {
				k.faults.Add(f.At.Child(key).At("no container is named %q", id.Name).Near(id.Name, numbers.Names()).
					Wants("a number, or the name of a container"))
			}
		}
		if n := hostname(f); n > yml.MaxHostname {
			k.faults.Add(f.At.Child("path").At("a host name of %d bytes", n).Wants("%d at most: Linux takes no longer one", yml.MaxHostname).Warns())
		}
		top, _, _ := strings.Cut(strings.TrimLeft(f.Path, "/"), "/")
		switch {
		case top == "boot":
			k.faults.Add(f.At.Child("path").At("what lies in /boot is left out of the machine, but for the kernel").Wants("a path elsewhere").Warns())
		case spec.Within(path.Clean("/"+f.Path), bundle.Root):
			k.faults.Add(f.At.Child("path").At("%s is where the containers lie, as the builder makes them", bundle.Root).
				Wants("the keys of the container, or a path elsewhere").Warns())
		}
		for _, dir := range hidden {
			if top == dir {
				k.faults.Add(f.At.Child("path").At("the boot mounts an empty file system on /%s, which hides %s", dir, f.Path).
					Wants("a path elsewhere, or runtime: mkdir: of a container").Warns())
			}
		}
	}
}

// hostname is how long the machine's name is that a file gives; 0 if it is another.
func hostname(f *yml.File) int {
	if path.Clean("/"+f.Path) != "/etc/hostname" {
		return 0
	}
	text := ""
	if f.Contents != nil {
		text = *f.Contents
	} else if data, err := input.Read(f.SourcePath(), maxSource); err == nil {
		text = string(data)
	}
	return len(strings.TrimSpace(text))
}
