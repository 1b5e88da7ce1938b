package output

import (
	"bufio"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"slipway/pkg/build/tree"
)

// moduleSet names modules that are loaded before there is a root. A kernel that
// lacks one of helpful boots all the same, where nothing needs it.
type moduleSet struct{ needed, helpful []string }

var (
	// payloadSet is what it takes to mount a squashfs from a file and to make
	// overlays on it.
	payloadSet = moduleSet{needed: []string{"loop", "squashfs", "overlay"}}
	// diskSet is what it takes to mount a squashfs from a disk of a virtual
	// machine.
	diskSet = moduleSet{
		needed:  []string{"virtio_pci", "virtio_blk", "squashfs"},
		helpful: []string{"overlay", "virtio_mmio", "virtio_scsi", "sd_mod", "ahci", "ata_piix", "nvme"},
	}
)

// neededModules finds the files of a set and of what they depend on, in load
// order. What is built into the kernel has none.
func neededModules(t *tree.Tree, set moduleSet) ([]*tree.Node, error) {
	dir, err := modulesDir(t)
	if err != nil || dir == "" {
		return nil, err
	}
	index, err := readModules(t, dir)
	if err != nil {
		return nil, err
	}
	var order []*tree.Node
	loaded := map[string]bool{}
	for i, name := range slices.Concat(set.needed, set.helpful) {
		file, ok := index.file[name]
		if !ok && (index.builtin[name] || i >= len(set.needed)) {
			continue
		}
		if !ok {
			return nil, fmt.Errorf("the kernel has no module %s, built in or in %s", name, dir)
		}
		// depmod lists the dependencies of a file so that the last one comes first.
		for _, f := range slices.Backward(append([]string{file}, index.needs[file]...)) {
			if loaded[f] {
				continue
			}
			loaded[f] = true
			n := t.Resolve(dir + "/" + f)
			if n == nil || n.Inode == nil {
				return nil, fmt.Errorf("%s/modules.dep names %s, which is not there", dir, f)
			}
			order = append(order, n)
		}
	}
	return order, nil
}

// modulesDir is lib/modules/VERSION; "" if the image has no modules at all, as
// with a kernel that has everything built in.
func modulesDir(t *tree.Tree) (string, error) {
	modules := t.Resolve("lib/modules")
	if modules == nil {
		return "", nil
	}
	var found []string
	for _, n := range modules.Children() {
		if n.IsDir() && t.Resolve(n.Path()+"/modules.dep") != nil {
			found = append(found, n.Path())
		}
	}
	switch len(found) {
	case 0:
		return "", nil
	case 1:
		return found[0], nil
	}
	return "", errors.New("modules of several kernels: " + strings.Join(found, ", "))
}

// moduleIndex is what depmod says of a kernel's modules.
type moduleIndex struct {
	file    map[string]string   // module name to file
	needs   map[string][]string // file to files
	builtin map[string]bool
}

func readModules(t *tree.Tree, dir string) (*moduleIndex, error) {
	m := &moduleIndex{file: map[string]string{}, needs: map[string][]string{}, builtin: map[string]bool{}}
	err := eachLine(t, dir+"/modules.dep", func(line string) {
		file, needs, _ := strings.Cut(line, ":")
		m.file[moduleName(file)] = file
		m.needs[file] = strings.Fields(needs)
	})
	if err != nil {
		return nil, err
	}
	return m, eachLine(t, dir+"/modules.builtin", func(line string) {
		m.builtin[moduleName(line)] = true
	})
}

func eachLine(t *tree.Tree, file string, use func(string)) error {
	n := t.Resolve(file)
	if n == nil || n.Inode == nil {
		return nil
	}
	lines := bufio.NewScanner(n.Inode.Open())
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); line != "" {
			use(line)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	return nil
}

// moduleName is the name the kernel knows a module file by.
func moduleName(file string) string {
	name, _, _ := strings.Cut(path.Base(file), ".ko")
	return strings.ReplaceAll(name, "-", "_")
}
