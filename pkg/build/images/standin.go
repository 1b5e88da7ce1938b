package images

import (
	"archive/tar"
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// addStandIns adds a library of ours for each of those that a recipe has replaced. It has the
// functions that the programs import, and each of them returns -ENOSYS. So a program
// starts as before, without that library and all that the library is linked against.
func (d *debian) addStandIns(ctx context.Context, s *site, t Tree) error {
	for _, library := range d.StandIns {
		functions := map[string][]string{} // by version
		for _, to := range slices.Sorted(maps.Keys(d.Files)) {
			if err := imports(t[clean(to)].Data, library, functions); err != nil {
				return fmt.Errorf("stand-in for %s: %s: %w", library, to, err)
			}
		}
		if len(functions) == 0 {
			return fmt.Errorf("stand-in for %s: no program takes a function of it with a version", library)
		}
		data, err := standIn(ctx, s.gcc(), library, functions)
		if err != nil {
			return fmt.Errorf("stand-in for %s: %w", library, err)
		}
		triplet := crossTargets[s.arch].triplet
		to, e := "usr/lib/"+triplet+"/"+library, Entry{Type: tar.TypeReg, Perm: 0o644, Data: data, standIn: true}
		if err := t.addBeside(to, e, triplet); err != nil {
			return fmt.Errorf("stand-in for %s: %w", library, err)
		}
		t[to] = e
	}
	return nil
}

// standIns are the libraries of ours, by path.
func (t Tree) standIns() map[string]Entry {
	found := map[string]Entry{}
	for name, e := range t {
		if e.standIn {
			found[name] = e
		}
	}
	return found
}

// keeps refuses what a step has put in the place of a stand-in, or where the loader looks
// for it: a step that adds files replaces what was there.
func (t Tree) keeps(standIns map[string]Entry, triplet string) error {
	for name, e := range standIns {
		for _, dir := range libraryDirs(triplet) {
			at := path.Join(dir, path.Base(name))
			if _, there := t[at]; !there && at != name {
				continue
			}
			if is, ok := t.follow(at); !ok || !bytes.Equal(is.Data, e.Data) {
				return fmt.Errorf("add /%s: a step before this one has put a stand-in for %s in /%s", at, path.Base(name), name)
			}
		}
	}
	return nil
}

// standsIn tells whether something else is there for a library.
func (d *debian) standsIn(library string) bool { return slices.Contains(d.StandIns, library) }

// callable are the types that a program notes for the functions that it takes.
var callable = []elf.SymType{elf.STT_FUNC, elf.STT_NOTYPE, elf.STT_GNU_IFUNC}

// imports adds the functions that a program takes of a library, by their versions: a symbol
// without one does not tell what library it is of.
func imports(program []byte, library string, functions map[string][]string) error {
	if !bytes.HasPrefix(program, []byte(elf.ELFMAG)) {
		return nil
	}
	f, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		return err
	}
	symbols, err := f.DynamicSymbols()
	if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return err
	}
	for _, symbol := range symbols {
		switch {
		case symbol.Library != library:
		case !slices.Contains(callable, elf.ST_TYPE(symbol.Info)):
			return fmt.Errorf("%s is no function", symbol.Name)
		case !slices.Contains(functions[symbol.Version], symbol.Name):
			functions[symbol.Version] = append(functions[symbol.Version], symbol.Name)
		}
	}
	return nil
}

// standIn compiles a library of functions by version, each in the form of ld's VERSION.
func standIn(ctx context.Context, gcc, library string, functions map[string][]string) (data []byte, err error) {
	var source, versions strings.Builder
	for _, version := range slices.Sorted(maps.Keys(functions)) {
		names := slices.Sorted(slices.Values(functions[version]))
		fmt.Fprintf(&versions, "%s { %s; };\n", version, strings.Join(names, "; "))
		for _, name := range names {
			fmt.Fprintf(&source, "long %s(void) { return -38; }\n", name)
		}
	}
	err = inScratch("", func(tmp string) error {
		for name, text := range map[string]string{"library.c": source.String(), "versions": versions.String()} {
			if err := os.WriteFile(filepath.Join(tmp, name), []byte(text), 0o644); err != nil {
				return err
			}
		}
		if _, err := (command{dir: tmp, args: []string{gcc, "-O1", "-fPIC", "-shared", "-nostdlib", "-s",
			"-Wl,--build-id=none,-z,noseparate-code,--version-script=versions,-soname=" + library, "-o", "library", "library.c"}}).output(ctx); err != nil {
			return err
		}
		data, err = os.ReadFile(filepath.Join(tmp, "library"))
		return err
	})
	return data, err
}
