package sbom

import (
	"debug/buildinfo"
	"runtime/debug"

	"slipway/pkg/build/tree"
)

// programs lists the modules that Go programs say they are made of.
func programs(i Image) ([]Package, error) {
	var list []Package
	seen := map[*tree.Inode]bool{}
	for _, n := range i.Tree.Nodes() {
		if n.Inode == nil || seen[n.Inode] || n.Mode&0o111 == 0 || !isELF(n.Inode) {
			continue
		}
		seen[n.Inode] = true
		info, err := buildinfo.Read(n.Inode.Data)
		if err != nil {
			continue // not a Go program
		}
		list = append(list, modules(info)...)
	}
	return list, nil
}

func isELF(f *tree.Inode) bool {
	magic := make([]byte, 4)
	n, err := f.Data.ReadAt(magic, 0)
	return n == len(magic) && (err == nil || f.Size == int64(n)) && string(magic) == "\x7fELF"
}

func modules(info *debug.BuildInfo) []Package {
	list := []Package{{Type: "golang", Name: "stdlib", Version: info.GoVersion}}
	for _, m := range append([]*debug.Module{&info.Main}, info.Deps...) {
		if m.Replace != nil {
			m = m.Replace
		}
		if m.Path == "" {
			continue
		}
		list = append(list, Package{Type: "golang", Name: m.Path, Version: m.Version})
	}
	return list
}
