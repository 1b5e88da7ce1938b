package images

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// A kmod is one loadable module of a kernel.
type kmod struct {
	path  string   // in the tree of the package
	needs []string // modules that must be loaded before it
	soft  []string // modules, or aliases of such, that it works better with
}

// kmods are all modules of a kernel, by name. Names are as the kernel has them,
// with "_" for "-".
type kmods struct {
	dir     string // lib/modules/RELEASE
	loaded  map[string]kmod
	builtin map[string]bool
}

// moduleName is the name of the module in a file.
func moduleName(file string) string {
	return strings.ReplaceAll(strings.TrimSuffix(path.Base(file), ".ko"), "-", "_")
}

func readModules(t Tree, release string) (*kmods, error) {
	all := &kmods{dir: path.Join("lib/modules", release), loaded: map[string]kmod{}, builtin: map[string]bool{}}
	for name, e := range t {
		if !strings.HasPrefix(name, all.dir+"/") || path.Ext(name) != ".ko" {
			continue
		}
		m, err := readModinfo(e.Data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		m.path = name
		all.loaded[moduleName(name)] = m
	}
	for line := range strings.Lines(string(t[path.Join(all.dir, "modules.builtin")].Data)) {
		all.builtin[moduleName(strings.TrimSpace(line))] = true
	}
	if len(all.loaded) == 0 {
		return nil, fmt.Errorf("%s holds no *.ko", all.dir)
	}
	return all, nil
}

// readModinfo reads what a module says of itself: "key=value" strings that end
// with NUL, in an ELF section.
func readModinfo(data []byte) (kmod, error) {
	var m kmod
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return m, err
	}
	section := f.Section(".modinfo")
	if section == nil {
		return m, errors.New("no section .modinfo")
	}
	info, err := section.Data()
	if err != nil {
		return m, err
	}
	for entry := range strings.SplitSeq(string(info), "\x00") {
		key, value, _ := strings.Cut(entry, "=")
		switch {
		case key == "depends" && value != "":
			for name := range strings.SplitSeq(value, ",") {
				m.needs = append(m.needs, moduleName(name))
			}
		case key == "softdep":
			// "pre: a b post: c": all of them are wanted.
			for word := range strings.FieldsSeq(value) {
				if !strings.HasSuffix(word, ":") {
					m.soft = append(m.soft, moduleName(word))
				}
			}
		}
	}
	return m, nil
}

// choose returns the names of the modules of the groups and of all that those
// need, sorted. What is built in needs no file.
func (k *kmods) choose(groups []moduleGroup) ([]string, error) {
	chosen := map[string]bool{}
	var faults []error
	for _, g := range groups {
		for _, name := range g.Names {
			name = moduleName(name)
			_, known := k.loaded[name]
			if !known && !k.builtin[name] && !g.Optional {
				faults = append(faults, fmt.Errorf("no module %s (%s)", name, g.Why))
				continue
			}
			faults = append(faults, k.add(name, chosen))
		}
	}
	return slices.Sorted(maps.Keys(chosen)), errors.Join(faults...)
}

// add puts a module and what it needs into chosen.
func (k *kmods) add(name string, chosen map[string]bool) error {
	m, ok := k.loaded[name]
	if !ok || chosen[name] {
		return nil
	}
	chosen[name] = true
	for _, need := range m.needs {
		if _, ok := k.loaded[need]; !ok && !k.builtin[need] {
			return fmt.Errorf("module %s needs %s, which the package lacks", name, need)
		}
		if err := k.add(need, chosen); err != nil {
			return err
		}
	}
	for _, soft := range m.soft {
		// Often an alias, as "crypto-crc32c"; what provides it is listed by hand.
		if err := k.add(soft, chosen); err != nil {
			return err
		}
	}
	return nil
}

// needs tells whether a module needs another one, by whatever way.
func (k *kmods) needs(name, other string) bool {
	return slices.ContainsFunc(k.loaded[name].needs, func(n string) bool { return n == other || k.needs(n, other) })
}

// tree is the chosen modules with the lists that depmod reads.
func (k *kmods) tree(t Tree, chosen []string) Tree {
	out := Tree{}
	for _, name := range chosen {
		file := k.loaded[name].path
		out[file] = t[file]
	}
	for _, name := range []string{"modules.builtin", "modules.builtin.modinfo", "modules.order"} {
		file := path.Join(k.dir, name)
		if e, ok := t[file]; ok {
			out[file] = e
		}
	}
	return out
}
