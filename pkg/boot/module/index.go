package module

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Index is what depmod knows of the modules of one kernel. The lists are kept
// as text and searched line by line: they are read for a few lookups and then
// dropped, so building tables of thousands of aliases would not pay.
type Index struct {
	dir     string            // lib/modules/RELEASE
	files   map[string]string // module's name -> its line in modules.dep
	builtin map[string]bool
	aliases string // modules.alias, then aliases of the configuration
	config  config
}

// Release is the running kernel's release, as in uname -r.
func Release() (string, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "", fmt.Errorf("uname: %w", err)
	}
	return unix.ByteSliceToString(u.Release[:]), nil
}

// Open reads the lists of the running kernel below root. A kernel without
// modules has none: then the error is fs.ErrNotExist.
func Open(root, cmdline string) (*Index, error) {
	release, err := Release()
	if err != nil {
		return nil, err
	}
	return open(path.Join(root, "lib/modules", release), path.Join(root, "etc"), cmdline)
}

func open(dir, etc, cmdline string) (*Index, error) {
	x := &Index{dir: dir, builtin: map[string]bool{}}
	dep, err := os.ReadFile(path.Join(dir, "modules.dep"))
	if err != nil {
		return nil, fmt.Errorf("read list of modules: %w", err)
	}
	lines := string(dep)
	x.files = make(map[string]string, strings.Count(lines, "\n"))
	for line := range strings.Lines(lines) {
		if file, _, ok := strings.Cut(line, ":"); ok {
			x.files[Name(file)] = strings.TrimSpace(line)
		}
	}
	builtin, err := optional(path.Join(dir, "modules.builtin"))
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(builtin) {
		x.builtin[Name(line)] = true
	}
	if x.aliases, err = optional(path.Join(dir, "modules.alias")); err != nil {
		return nil, err
	}
	soft, err := optional(path.Join(dir, "modules.softdep"))
	if err != nil {
		return nil, err
	}
	x.config, err = readConfig(etc, soft, cmdline)
	x.aliases += x.config.aliases
	return x, err
}

// optional reads a file that need not be there.
func optional(name string) (string, error) {
	data, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read list of modules: %w", err)
	}
	return string(data), nil
}

// Name is a module's name as the kernel has it: a file's base name without its
// endings, with underscores.
func Name(file string) string {
	base := path.Base(strings.TrimSpace(file))
	for _, ending := range []string{".zst", ".xz", ".gz", ".ko"} {
		base = strings.TrimSuffix(base, ending)
	}
	return strings.ReplaceAll(base, "-", "_")
}

// Resolve returns the modules that the names ask for, each once. A name is a
// module's or an alias, such as a device's modalias or "fs-ext4"; an alias may
// stand for several modules. Modules that are built in and names that nothing
// answers to are left out. With deny, blacklisted modules are left out where an
// alias led to them, as modprobe -b does.
func (x *Index) Resolve(names []string, deny bool) []string {
	var found []string
	seen := map[string]bool{}
	add := func(module string) {
		if _, ok := x.files[module]; ok && !seen[module] {
			seen[module] = true
			found = append(found, module)
		}
	}
	var aliases []string
	for _, name := range names {
		module := strings.ReplaceAll(name, "-", "_")
		if !x.Has(module) {
			aliases = append(aliases, name)
		} else if !deny || !x.config.blacklist[module] {
			add(module)
		}
	}
	if len(aliases) == 0 {
		return found
	}
	for _, module := range x.answers(aliases) {
		if !deny || !x.config.blacklist[module] {
			add(module)
		}
	}
	return found
}

// answers returns the modules that have an alias which matches one of names, in
// the order of the list.
func (x *Index) answers(names []string) []string {
	kinds := map[string][]string{}
	for _, name := range names {
		kinds[kind(name)] = append(kinds[kind(name)], name)
	}
	var modules []string
	for line := range strings.Lines(x.aliases) {
		rest, ok := strings.CutPrefix(line, "alias ")
		if !ok {
			continue
		}
		space := strings.LastIndexByte(rest, ' ')
		if space < 0 {
			continue
		}
		pattern, candidates := rest[:space], names
		if k := kind(pattern); !strings.ContainsAny(k, "*?[") {
			candidates = kinds[k]
		}
		for _, name := range candidates {
			if match(pattern, name) {
				modules = append(modules, strings.ReplaceAll(strings.TrimSpace(rest[space:]), "-", "_"))
				break
			}
		}
	}
	return modules
}

// kind is what stands before the first colon of an alias, "pci" or "virtio". It
// spares comparing a device with the aliases of other busses.
func kind(alias string) string {
	before, _, found := strings.Cut(alias, ":")
	if !found {
		return ""
	}
	return before
}

// Has says whether the kernel has the module, built in or as a file.
func (x *Index) Has(module string) bool {
	_, ok := x.files[module]
	return ok || x.builtin[module]
}

// needs returns the files to load for a module: what it depends on, in order,
// then itself. modules.dep lists dependencies closest first.
func (x *Index) needs(module string) []string {
	line, ok := x.files[module]
	if !ok {
		return nil
	}
	file, deps, _ := strings.Cut(line, ":")
	fields := strings.Fields(deps)
	files := make([]string, 0, len(fields)+1)
	for _, dep := range slices.Backward(fields) {
		files = append(files, x.path(dep))
	}
	return append(files, x.path(file))
}

// path of a file of modules.dep, which is absolute in old lists.
func (x *Index) path(file string) string {
	if path.IsAbs(file) {
		return file
	}
	return path.Join(x.dir, file)
}
