package build

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"slipway/pkg/build/disk"
	"slipway/pkg/build/oci"
	"slipway/pkg/build/sbom"
	"slipway/pkg/build/tree"
	"slipway/pkg/build/yml"
)

// SBOM is the SPDX document of the machine.
func (m *Machine) SBOM(ctx context.Context, name string) ([]byte, error) {
	var list []sbom.Image
	for w, img := range m.images.found {
		i := sbom.Image{
			Name: img.Name, Digest: img.Digest.String(), Arch: img.Config.Architecture,
			Used: m.used[w], Sources: img.Config.Config.Labels[oci.SourcesLabel],
		}
		if w.platform == m.images.platform.String() {
			t, err := m.images.Tree(ctx, w.name)
			if err != nil {
				return nil, err
			}
			i.Tree = t
		}
		list = append(list, i)
	}
	slices.SortFunc(list, func(a, b sbom.Image) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Arch, b.Arch), cmp.Compare(a.Digest, b.Digest))
	})
	doc, err := sbom.Document(name, list)
	if err != nil {
		return nil, fmt.Errorf("list what the machine is made of: %w", err)
	}
	var out bytes.Buffer
	err = sbom.Write(doc, &out)
	return out.Bytes(), err
}

// PutSBOM puts a document into the machine's root.
func (m *Machine) PutSBOM(file string, document []byte) error {
	err := errors.Join(
		m.Root.MkdirAll(path.Dir(file), nil),
		m.Root.Put(file, tree.Entry{Type: tar.TypeReg, Mode: 0o644, ModTime: tree.Epoch, Inode: tree.Text(string(document))}),
	)
	if err != nil {
		return fmt.Errorf("put %s into the image: %w", file, err)
	}
	return nil
}

// uses says where the YAML names each image.
func uses(c *yml.Config, platform string) map[want][]string {
	all := map[want][]string{}
	add := func(name, at string) {
		if name != "" {
			w := want{oci.Key(name), platform}
			all[w] = append(all[w], at)
		}
	}
	add(c.Kernel.Image, "kernel")
	for i, name := range c.Init {
		add(name, fmt.Sprintf("init[%d]", i))
	}
	for i, v := range c.Volumes {
		add(v.Image, fmt.Sprintf("volumes[%d]", i))
	}
	counts := map[string]int{}
	for _, x := range c.Containers() {
		section := string(x.Section)
		add(x.Image, fmt.Sprintf("%s[%d]", section, counts[section]))
		counts[section]++
	}
	add(disk.StubImage, "EFI stub")
	return all
}
