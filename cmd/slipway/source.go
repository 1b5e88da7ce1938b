package main

import (
	"errors"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"slipway/pkg/build"
	"slipway/pkg/build/oci"
	"slipway/pkg/build/signature"
	"slipway/pkg/build/spec"
)

// sourceFlags say where images come from; build and validate share them.
type sourceFlags struct {
	layouts   []string
	platform  string
	hardening string
	cache     string
	pull      bool
	offline   bool
	mirrors   []string
	renames   []string
	certFiles []string
	verify    []string
	quiet     bool
}

func (f *sourceFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&f.layouts, "oci", nil, "OCI image layout (directory or tar) or docker-save tar to take images from first; NAME=PATH for the one image in it (repeatable)")
	flags.StringVar(&f.platform, "platform", "linux/"+runtime.GOARCH, "platform of the machine")
	flags.StringVar(&f.platform, "arch", "linux/"+runtime.GOARCH, "the same, as LinuxKit calls it")
	flags.StringVar(&f.hardening, "hardening", string(spec.HardeningDefault), "default: containers get what they ask for and no more; none: exactly LinuxKit's bundles")
	flags.StringVar(&f.cache, "cache", os.Getenv("LINUXKIT_CACHE"), "cache directory of LinuxKit's own tool, to take images from that it has built ($LINUXKIT_CACHE)")
	flags.BoolVar(&f.pull, "pull", false, "ask the registry even for images that the local store has, unless they were built here")
	flags.BoolVar(&f.offline, "offline", false, "never ask a registry")
	flags.StringArrayVar(&f.mirrors, "mirror", nil, "HOST=MIRROR: ask MIRROR for the images of HOST, * for every host; MIRROR alone is for docker.io (repeatable)")
	flags.StringSliceVar(&f.renames, "rename", splitList(os.Getenv("SLIPWAY_RENAME")), "FROM=TO: look for images named FROM/... as TO/..., such as slipway=registry.example/team (by comma or repeated; $SLIPWAY_RENAME)")
	flags.StringArrayVar(&f.certFiles, "cert-file", nil, "PEM file of further authorities that registries' certificates may be from (repeatable)")
	flags.StringArrayVar(&f.verify, "verify", nil, "`KEY.pub`: take no image that has no cosign signature by this public key (repeatable: by one of them)")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "print nothing but errors")
}

// splitList is a list of an environment variable, by comma.
func splitList(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// builder makes the builder that the flags describe, and the finder of its images.
func (f *sourceFlags) builder(p *progress) (*build.Builder, *oci.Finder, error) {
	platform, err := oci.ParsePlatform(f.platform)
	if err != nil {
		return nil, nil, usageError{err}
	}
	hardening, err := spec.ParseHardening(f.hardening)
	if err != nil {
		return nil, nil, usageError{err}
	}
	renames, err := oci.ParseRenames(f.renames)
	if err != nil {
		return nil, nil, usageError{err}
	}
	finder := &oci.Finder{Store: oci.OpenStore(), Pull: f.pull, Rename: renames}
	layouts := f.layouts
	// LinuxKit's tool makes the directory that its variable names when it needs it.
	if _, err := os.Stat(f.cache); err == nil || f.cache != os.Getenv("LINUXKIT_CACHE") {
		layouts = append(layouts, f.cache)
	}
	for _, path := range layouts {
		source, err := oci.OpenNamed(path)
		if err != nil {
			return nil, nil, usageError{err}
		}
		finder.Layouts = append(finder.Layouts, source)
	}
	if finder.Remote, err = f.registry(p); err != nil {
		return nil, nil, usageError{err}
	}
	return &build.Builder{Finder: finder, Platform: platform, Hardening: hardening}, finder, nil
}

// keys are those that --verify names.
func (f *sourceFlags) keys() (signature.Keys, error) {
	var keys signature.Keys
	for _, file := range f.verify {
		key, err := signature.ReadKey(file)
		if err != nil {
			return nil, usageError{err}
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// registry is where images are fetched from; nil for nowhere.
func (f *sourceFlags) registry(p *progress) (*oci.Registry, error) {
	if f.offline {
		if f.pull {
			return nil, errors.New("--pull asks registries and --offline does not: give one of them")
		}
		return nil, nil
	}
	mirrors, err := oci.ParseMirrors(f.mirrors)
	if err != nil {
		return nil, err
	}
	transport, err := oci.TransportTrusting(f.certFiles)
	return &oci.Registry{Progress: p, Mirrors: mirrors, Transport: transport}, err
}
