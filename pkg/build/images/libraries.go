package images

import (
	"archive/tar"
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// libraries finds what programs of a Debian package are linked against: the loader
// that they name, and the shared libraries that they and these need, by name. They are
// looked for in the packages that the package depends on, near ones first, and only as
// far as it takes. No program is run, so it does for another architecture as well.
type libraries struct {
	ctx   context.Context
	site  *site
	queue []string // names of packages to look in next
	seen  map[string]bool
	debs  []deb // unpacked, beside trees
	trees []Tree
	gave  []bool // which of them had something that was wanted
	// faults are of packages that could not be had; most nobody needs.
	faults []error
}

// libraryDirs are where Debian's loader looks, see ld.so(8).
func libraryDirs(triplet string) []string {
	return []string{"lib/" + triplet, "usr/lib/" + triplet, "lib", "usr/lib", "lib64", "usr/lib64"}
}

// addBeside adds a file, but no library beside or over another of that name: a program would
// get one of the two, such as what stands in for a library that another program uses.
func (t Tree) addBeside(to string, e Entry, triplet string) error {
	dirs := libraryDirs(triplet)
	if to = clean(to); slices.Contains(dirs, path.Dir(to)) {
		for _, dir := range dirs {
			at := path.Join(dir, path.Base(to))
			if there, ok := t.follow(at); ok && !bytes.Equal(there.Data, e.Data) {
				return fmt.Errorf("add /%s: /%s is there already, and is another", to, at)
			}
		}
	}
	t.AddFile(to, e.Perm, e.Data)
	return nil
}

// closure adds to a tree what its programs of a package need, and returns the packages
// that it came from.
func (d *debian) closure(ctx context.Context, s *site, got deb, t Tree) ([]deb, error) {
	l := &libraries{ctx: ctx, site: s, seen: map[string]bool{got.Package: true}}
	if err := l.dependOn(got); err != nil {
		return nil, err
	}
	if err := d.addStandIns(ctx, s, t); err != nil {
		return nil, err
	}
	var wanted []string
	for to := range d.Files {
		more, err := wants(t[clean(to)].Data)
		if err != nil {
			return nil, fmt.Errorf("libraries of %s: %w", to, err)
		}
		wanted = append(wanted, more...)
	}
	wanted = slices.DeleteFunc(wanted, d.standsIn)
	done := map[string]bool{}
	for ; len(wanted) > 0; wanted = wanted[1:] {
		name := wanted[0]
		if done[name] {
			continue
		}
		done[name] = true
		to, e, err := l.find(name)
		if err != nil {
			return nil, fmt.Errorf("libraries of %s: %w", got, err)
		}
		if err := t.addBeside(to, e, crossTargets[s.arch].triplet); err != nil {
			return nil, fmt.Errorf("libraries of %s: %w", got, err)
		}
		more, err := wants(e.Data)
		if i := slices.IndexFunc(more, d.standsIn); err == nil && i >= 0 {
			err = fmt.Errorf("it is linked against %s, for which something stands in", more[i])
		}
		if err != nil {
			return nil, fmt.Errorf("libraries of %s: %s: %w", got, to, err)
		}
		wanted = append(wanted, more...)
	}
	var used []deb
	for i, d := range l.debs {
		if l.gave[i] {
			used = append(used, d)
		}
	}
	return used, nil
}

// wants lists the loader, as a path, and the libraries, as names, that an ELF file names.
func wants(data []byte) ([]string, error) {
	if !bytes.HasPrefix(data, []byte(elf.ELFMAG)) {
		return nil, nil // a script, a configuration
	}
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	for _, tag := range []elf.DynTag{elf.DT_RPATH, elf.DT_RUNPATH} {
		if dirs, err := f.DynString(tag); err == nil && len(dirs) > 0 {
			return nil, fmt.Errorf("%v %q: only the loader's own directories are searched", tag, dirs)
		}
	}
	names, err := f.ImportedLibraries()
	if err != nil {
		return nil, err
	}
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		loader := make([]byte, p.Filesz)
		if _, err := p.ReadAt(loader, 0); err != nil {
			return nil, err
		}
		names = append(names, string(bytes.TrimRight(loader, "\x00")))
	}
	return names, nil
}

// find finds a library or, by its path, a loader, and where it has to lie.
func (l *libraries) find(name string) (string, Entry, error) {
	for i := 0; ; i++ {
		if i == len(l.trees) {
			more, err := l.next()
			if err != nil {
				return "", Entry{}, err
			}
			if !more {
				return "", Entry{}, errors.Join(append([]error{fmt.Errorf("no package that it depends on has %s", name)}, l.faults...)...)
			}
		}
		at := []string{clean(name)}
		if !path.IsAbs(name) {
			at = at[:0]
			for _, dir := range libraryDirs(crossTargets[l.site.arch].triplet) {
				at = append(at, dir+"/"+name)
			}
		}
		for _, to := range at {
			if e, ok := l.trees[i].follow(to); ok {
				l.gave[i] = true
				return to, e, nil
			}
		}
	}
}

// next unpacks one package more, if there is one.
func (l *libraries) next() (bool, error) {
	for len(l.queue) > 0 {
		name := l.queue[0]
		l.queue = l.queue[1:]
		d, err := l.site.apt.fetch(l.ctx, name, l.site.arch, "")
		if l.ctx.Err() != nil {
			return false, context.Cause(l.ctx)
		}
		if err != nil { // a virtual package, such as debconf-2.0
			l.faults = append(l.faults, err)
			continue
		}
		t, err := l.site.apt.tree(l.ctx, d)
		if err != nil {
			return false, err
		}
		l.debs, l.trees, l.gave = append(l.debs, d), append(l.trees, t), append(l.gave, false)
		return true, l.dependOn(d)
	}
	return false, nil
}

// dependOn queues the packages that a package depends on.
func (l *libraries) dependOn(d deb) error {
	file := filepath.Join(l.site.apt.dir, d.File)
	for _, field := range []string{"Pre-Depends", "Depends"} {
		out, err := command{args: []string{"dpkg-deb", "--field", file, field}}.output(l.ctx)
		if err != nil {
			return err
		}
		for _, name := range dependencies(string(out)) {
			if !l.seen[name] {
				l.seen[name] = true
				l.queue = append(l.queue, name)
			}
		}
	}
	return nil
}

// dependencies are the names in a field such as "libc6 (>= 2.36), debconf | debconf-2.0",
// of alternatives the first, which is the one that apt prefers.
func dependencies(field string) (names []string) {
	for one := range strings.SplitSeq(field, ",") {
		first, _, _ := strings.Cut(one, "|")
		name, _, _ := strings.Cut(strings.TrimSpace(first), " ")
		if name, _, _ = strings.Cut(name, ":"); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// follow is the regular file that a path leads to within a tree. Debian's directories
// below / are links to those below /usr on a machine, but in no package.
func (t Tree) follow(name string) (Entry, bool) {
	for range 8 { // longer than any chain of Debian's; a circle has no end
		e, ok := t[name]
		switch {
		case !ok:
			return Entry{}, false
		case e.Type == tar.TypeReg:
			return e, true
		case e.Type == tar.TypeLink:
			name = e.Link
		case e.Type != tar.TypeSymlink:
			return Entry{}, false
		case path.IsAbs(e.Link):
			name = clean(e.Link)
		default:
			name = clean(path.Join(path.Dir(name), e.Link))
		}
	}
	return Entry{}, false
}
