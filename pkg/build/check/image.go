package check

import (
	"slipway/pkg/build/oci"
	"slipway/pkg/build/tree"
	"slipway/pkg/build/yml"
)

// Tree is an image's files; nil if it is missing or broken, which is a fault at
// the first place that needs them.
func (k *Checker) Tree(name string, at yml.Position) *tree.Tree {
	if k.images.Get(name) == nil || k.broken[name] {
		return nil
	}
	t, err := k.images.Tree(k.ctx, name)
	if err != nil {
		k.broken[name] = true
		k.Faults.Add(at.At("%v", err))
		return nil
	}
	if key := oci.Key(name); !k.looked[key] {
		k.looked[key] = true
		k.checkLinks(name, t, at)
	}
	return t
}

// checkImages reads the images that containers are not made of.
func (k *Checker) checkImages() {
	for i, name := range k.config.Init {
		if t := k.Tree(name, k.config.InitAt[i]); t != nil {
			k.checkRun(name, t, k.config.InitAt[i])
		}
	}
	for _, v := range k.config.Volumes {
		if v.Image != "" && v.Format != "oci" {
			k.Tree(v.Image, v.At.Child("image"))
		}
	}
}
