// Package rootfs gives a container its root file system: what runtime.json
// lists, or in the seed layout what the bundle's directories ask for, as a plan of
// mounts and directories that is made without touching anything.
//
// It comes first in a container's life; network follows once the OCI runtime
// has made the namespaces.
package rootfs

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"slipway/pkg/bundle"
	"slipway/pkg/container/mount"
	"slipway/pkg/container/quota"
	"slipway/pkg/container/step"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// defaultSize bounds the writable layer of the seed layout where nobody has
// divided the machine.
const defaultSize = "10%"

// Facts are what a plan has to know of the machine.
type Facts struct {
	HasLower bool // the bundle has a directory "lower"
	// Layer is the size of a writable layer in memory of which nothing is said,
	// in bytes; 0: the file system's own default.
	Layer uint64
}

// Look finds the facts. A "lower" that is no directory, or is a link, is none.
func Look(b *bundle.Bundle) (Facts, error) {
	var st unix.Stat_t
	lower := b.Path(bundle.LowerDir)
	if err := unix.Lstat(lower, &st); err == unix.ENOENT {
		return Facts{}, nil
	} else if err != nil {
		return Facts{}, fmt.Errorf("stat %s: %w", lower, err)
	}
	return Facts{HasLower: st.Mode&unix.S_IFMT == unix.S_IFDIR}, nil
}

// Plan lists what has to be there before the container is created, in
// LinuxKit's order: the mounts and then the directories of runtime.json. Images of
// the seed layout have no mount of the rootfs there and get it first, like those
// of today: their own init did it last, in a root that could be written, and so
// hid what had been made below it. By the existence of "lower" it is read-write
// or read-only.
// The ledger, which may be nil, knows the mounts of an earlier start.
func Plan(b *bundle.Bundle, f Facts, l *Ledger) []step.Step {
	var plan []step.Step
	if seed(b) {
		for _, m := range seedEntries(b, f) {
			plan = append(plan, mountSteps(b, m, l)...)
		}
	}
	for _, m := range applyUpper(b, f, b.Runtime.Mounts) {
		plan = append(plan, mountSteps(b, m, l)...)
	}
	for _, dir := range b.Runtime.Mkdir {
		plan = append(plan, Mkdir{locate(b, dir)})
	}
	return plan
}

// seed tells whether nothing in runtime.json mounts the bundle's rootfs.
func seed(b *bundle.Bundle) bool {
	rootfs := b.Path(bundle.RootfsDir)
	return !slices.ContainsFunc(b.Runtime.Mounts, func(m specs.Mount) bool {
		return locate(b, m.Destination).String() == rootfs
	})
}

func seedEntries(b *bundle.Bundle, f Facts) []specs.Mount {
	rootfs, tmp := b.Path(bundle.RootfsDir), b.Path(bundle.TmpDir)
	if !f.HasLower {
		// runc wants its root to be a mount point.
		return []specs.Mount{{Source: rootfs, Destination: rootfs, Options: []string{"bind"}}}
	}
	return applyUpper(b, f, []specs.Mount{
		{Source: "tmpfs", Destination: tmp, Type: "tmpfs", Options: seedSize(f)},
		{Destination: tmp, Options: []string{"private"}},
		{Source: "overlay", Destination: rootfs, Type: "overlay", Options: []string{
			lowerOption + b.Path(bundle.LowerDir),
			upperOption + path.Join(tmp, bundle.UpperDir),
			workOption + path.Join(tmp, bundle.WorkDir),
		}},
	})
}

func seedSize(f Facts) []string {
	if f.Layer != 0 {
		return nil
	}
	return []string{sizeOption + defaultSize}
}

// Options that bound a tmpfs.
const (
	sizeOption   = "size="
	inodesOption = "nr_inodes="
)

// sized gives a writable layer in memory its size: slipway.upper's, else its
// own, else that of the machine's division, with as many inodes as fit. A size
// in percent is left to the kernel, which knows of what.
func sized(options []string, upper bundle.Upper, f Facts) []string {
	has := slices.ContainsFunc(options, func(o string) bool { return strings.HasPrefix(o, sizeOption) })
	switch {
	case upper.Size != "":
		return append(without(options, sizeOption), sizeOption+upper.Size)
	case has || f.Layer == 0:
		return options
	}
	return append(without(options, inodesOption), quota.Sizes(f.Layer)...)
}

// applyUpper carries slipway.upper over to the mounts that make the writable
// layer: a size for the tmpfs, or a directory on a disk in its place.
func applyUpper(b *bundle.Bundle, f Facts, mounts []specs.Mount) []specs.Mount {
	upper := b.Policy.Upper
	tmp := b.Path(bundle.TmpDir)
	var out []specs.Mount
	for _, m := range mounts {
		at := locate(b, m.Destination).String()
		switch {
		case at == tmp && upper.Disk != "":
			continue
		case at == tmp && m.Type == "tmpfs":
			m.Options = sized(m.Options, upper, f)
		case isOverlay(b, m) && upper.Disk != "":
			m.Options = append(without(m.Options, upperOption, workOption),
				upperOption+path.Join(layer(b), bundle.UpperDir),
				workOption+path.Join(layer(b), bundle.WorkDir))
		}
		out = append(out, m)
	}
	return out
}

// layer is the directory of a writable layer that lasts. It goes by the name that
// the user gave, not by the position of a step among others, which may change with
// the next image.
func layer(b *bundle.Bundle) string {
	if b.Section == bundle.Services {
		return path.Join(b.Policy.Upper.Disk, b.Name)
	}
	return path.Join(b.Policy.Upper.Disk, string(b.Section), b.ShortName())
}

// isOverlay tells whether an entry is the read-write root of the bundle.
func isOverlay(b *bundle.Bundle, m specs.Mount) bool {
	return m.Type == "overlay" && locate(b, m.Destination).String() == b.Path(bundle.RootfsDir)
}

func without(options []string, prefixes ...string) []string {
	return slices.DeleteFunc(slices.Clone(options), func(o string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(o, p) })
	})
}

func mountSteps(b *bundle.Bundle, m specs.Mount, l *Ledger) []step.Step {
	var steps []step.Step
	if disk := b.Policy.Upper.Disk; disk != "" && isOverlay(b, m) {
		// Not sooner: an entry before this one may mount the disk.
		steps = append(steps, Mkdir{location{base: "/", rest: disk}})
	}
	for _, call := range mount.Expand(m) {
		call.Target = locate(b, call.Target).String()
		steps = append(steps, Mount{
			Mount:  call,
			bundle: b,
			ledger: l,
		})
	}
	return steps
}
