package images

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// debianName is the form of a package's name: Debian Policy, 5.6.7; $ARCH is ours.
var debianName = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]*(\$ARCH[a-z0-9+.-]*)?$`)

// verifyArguments refuses what the programs that are called with it would take for a flag,
// by which they may run others.
func (p spot) verifyArguments(c *Content) (faults []error) {
	var names, directories []string
	switch {
	case c.Debian != nil:
		names = []string{c.Debian.Package}
		faults = append(faults, p.verifyStandIns(c.Debian)...)
	case c.Kernel != nil:
		names = []string{c.Kernel.Package}
	case c.Program != nil:
		directories = []string{c.Program.Package}
	case c.Module != nil:
		directories = []string{c.Module.Package}
		names = slices.Collect(maps.Values(c.Module.Libraries))
		faults = append(faults, p.verifyModule(c.Module)...)
	}
	for _, name := range names {
		if !debianName.MatchString(name) {
			faults = append(faults, p.fault("package %q: want the name of a package of Debian", name))
		}
	}
	for _, directory := range directories {
		if directory != "." && !strings.HasPrefix(directory, "./") {
			faults = append(faults, p.fault("package %q: want a directory of the Go module, with ./ before it", directory))
		}
	}
	return faults
}

// What the Go command and pkg-config are given of a module, each as a word of its own: a
// path and a version as golang.org/ref/mod has them, in ASCII.
var (
	modulePath    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._~/-]*$`)
	moduleVersion = regexp.MustCompile(`^v[0-9][0-9A-Za-z.+-]*$`)
	buildTags     = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_. ,]*$`)
	setVariable   = regexp.MustCompile(`^[A-Za-z0-9_][^ \t\r\n'"=]*=[^ \t\r\n'"]*$`)
	libraryName   = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._+-]*$`)
)

func (p spot) verifyStandIns(d *debian) (faults []error) {
	if len(d.StandIns) > 0 && !d.Libraries {
		faults = append(faults, p.fault("stand-ins: want libraries: true beside it"))
	}
	for _, name := range d.StandIns {
		if !libraryName.MatchString(name) {
			faults = append(faults, p.fault("stand-ins %q: want the name of a shared library, such as libsystemd.so.0", name))
		}
	}
	return faults
}

func (p spot) verifyModule(m *module) (faults []error) {
	want := func(form *regexp.Regexp, key, value, what string) {
		if !form.MatchString(value) {
			faults = append(faults, p.fault("%s %q: want %s", key, value, what))
		}
	}
	want(modulePath, "module", m.Module, "the path of a Go module")
	want(moduleVersion, "version", m.Version, "a version, such as v1.2.3")
	if m.Tags != "" {
		want(buildTags, "tags", m.Tags, "build tags, with spaces or commas between them")
	}
	for _, set := range m.Set {
		want(setVariable, "set", set, "PACKAGE.VARIABLE=VALUE, with no spaces and no quotes")
	}
	for _, name := range slices.Sorted(maps.Keys(m.Libraries)) {
		want(libraryName, "libraries", name, "the name of a library, as pkg-config knows it")
	}
	return faults
}
