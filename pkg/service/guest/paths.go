package guest

import (
	"fmt"
	"os"
	"path/filepath"

	"slipway/pkg/bundle"
	"slipway/pkg/log/layout"
)

// Paths says where things lie. Each is a flag, so that the program runs
// anywhere; Default is a machine booted from an image.
type Paths struct {
	Containers string // directories onboot, onshutdown and services
	Services   string // the services' directory, if it lies elsewhere
	Run        string // what lasts until the power goes
	Log        string
	Var        string // may last from boot to boot
	Runc, Crun string // programs of the OCI runtimes
	RuncRoot   string // their state
	CrunRoot   string
	Volumes    string
	Dev        string
	Cmdline    string
}

// Default is the layout of an image.
func Default() Paths {
	return Paths{
		Containers: bundle.Root, Run: "/run", Log: "/var/log", Var: "/var",
		Runc: "/usr/bin/runc", RuncRoot: "/run/runc", Crun: "/usr/bin/crun", CrunRoot: "/run/crun",
		Volumes: bundle.Root + "/volumes", Dev: "/dev", Cmdline: "/proc/cmdline",
	}
}

// Section is the directory of a section's bundles.
func (p Paths) Section(s bundle.Section) string {
	if s == bundle.Services && p.Services != "" {
		return p.Services
	}
	return filepath.Join(p.Containers, string(s))
}

// Count is how many bundles a section has.
func (p Paths) Count(s bundle.Section) int {
	entries, err := os.ReadDir(p.Section(s))
	if err != nil {
		return 0
	}
	return len(entries)
}

// RunDir is the directory below Run that is ours, or a path in it.
func (p Paths) RunDir(elem ...string) string {
	return filepath.Join(append([]string{p.Run, "slipway"}, elem...)...)
}

// Find finds the bundle that a name stands for: a service's directory, or that of a
// step with or without its number. If there is none the error is ErrNotExist, and
// names are those that there are.
func (p Paths) Find(name string) (section bundle.Section, directory string, names []string, err error) {
	for _, s := range []bundle.Section{bundle.Services, bundle.Onboot, bundle.Onshutdown} {
		directories, err := bundle.List(p.Section(s))
		if err != nil {
			return "", "", nil, err
		}
		for _, directory := range directories {
			if directory == name || bundle.ShortName(s, directory) == name {
				return s, directory, nil, nil
			}
			names = append(names, directory)
		}
	}
	return "", "", names, fmt.Errorf("container %q: %w", name, os.ErrNotExist)
}

// Logs are the paths that package logs needs.
func (p Paths) Logs() layout.Paths { return layout.Paths{Run: p.Run, Log: p.Log} }
