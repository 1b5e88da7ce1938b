package oci

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"slipway/pkg/build/input"
	"slipway/pkg/build/tree"
)

// archive is a tar that holds an OCI layout, or what "docker save" writes. It
// is listed once; content is read in place.
type archive struct {
	file    *os.File
	members map[string]member
	index   *v1.IndexManifest
	saved   []savedImage

	scratch  *os.File // holds members of which the tar leaves the holes out
	expanded int64    // bytes of them
}

// member is a file of the tar.
type member struct {
	in       io.ReaderAt
	at, size int64
}

func (m member) reader() *io.SectionReader { return io.NewSectionReader(m.in, m.at, m.size) }

// maxMembers is far above what images in a tar consist of.
const maxMembers = 1 << 16

// savedImage is an entry of manifest.json in a "docker save" tar.
type savedImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

func openArchive(name string) (Source, error) {
	file, err := input.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open image layout: %w", err)
	}
	a := &archive{file: file, members: map[string]member{}}
	err = a.list()
	if err == nil {
		err = a.readIndex()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open image layout %s: %w", name, err), file.Close())
	}
	return a, nil
}

// list notes where every file of the tar lies. "docker save" of old names a
// layer that two images share by links.
func (a *archive) list() error {
	if err := a.refuseCompressed(); err != nil {
		return err
	}
	links, last := map[string]string{}, ""
	tr := tar.NewReader(a.file)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && last != "" {
			return fmt.Errorf("behind %q: %w", last, err)
		}
		if err != nil {
			return err
		}
		if len(a.members)+len(links) == maxMembers {
			return fmt.Errorf("more than %d files", maxMembers)
		}
		name := strings.TrimPrefix(path.Clean("/"+h.Name), "/")
		last = name
		switch h.Typeflag {
		case tar.TypeReg, tar.TypeGNUSparse:
			if a.members[name], err = a.member(tr, h); err != nil {
				return fmt.Errorf("%q: %w", name, err)
			}
		case tar.TypeSymlink:
			links[name] = path.Join(path.Dir(name), h.Linkname)
		case tar.TypeLink:
			links[name] = strings.TrimPrefix(path.Clean("/"+h.Linkname), "/")
		}
	}
	for name, target := range links {
		if m, ok := a.members[target]; ok {
			a.members[name] = m
		}
	}
	return nil
}

// member is where the file is that the reader stands at.
func (a *archive) member(tr *tar.Reader, h *tar.Header) (member, error) {
	if !tree.IsSparse(h) {
		at, err := a.file.Seek(0, io.SeekCurrent)
		return member{a.file, at, h.Size}, err
	}
	if left := tree.DefaultLimits.Bytes - a.expanded; h.Size > left {
		return member{}, fmt.Errorf("a sparse file of %d bytes, more than the %d MB that are left", h.Size, left>>20)
	}
	if a.scratch == nil {
		var err error
		if a.scratch, err = scratch(); err != nil {
			return member{}, err
		}
	}
	m := member{a.scratch, a.expanded, h.Size}
	a.expanded += h.Size
	return m, tree.WriteSparse(a.scratch, m.at, tr, m.size)
}

// refuseCompressed says what is wrong with what is no tar, or packed.
func (a *archive) refuseCompressed() error {
	info, err := a.file.Stat()
	if err != nil {
		return err
	}
	unpack, err := compression(a.file, info.Size())
	if err == nil && unpack != nil {
		return errors.New("a compressed tar; unpack it first (gunzip, unzstd), so that its layers can be read in place")
	}
	return err
}

func (a *archive) readIndex() error {
	if _, ok := a.members["index.json"]; ok {
		a.index = &v1.IndexManifest{}
		if err := a.decode("index.json", a.index); err != nil {
			return err
		}
	}
	if _, ok := a.members["manifest.json"]; ok {
		if err := a.decode("manifest.json", &a.saved); err != nil {
			return err
		}
	}
	if a.index == nil && a.saved == nil {
		return errors.New("neither an OCI layout nor written by docker save: no index.json and no manifest.json in it")
	}
	return nil
}

func (a *archive) decode(name string, v any) error {
	m := a.members[name]
	if m.size > maxDocument {
		return fmt.Errorf("%s: %d bytes are too many", name, m.size)
	}
	data, err := io.ReadAll(m.reader())
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s: %w", name, jsonError(err))
	}
	return nil
}

func (a *archive) unpacked() unpacked { return unpacked{} }

func (a *archive) drop(v1.Hash) (bool, error) { return false, nil }

func (a *archive) open(h v1.Hash) (*Blob, error) {
	if err := checkHash(h); err != nil {
		return nil, err
	}
	m, ok := a.members[path.Join("blobs", h.Algorithm, h.Hex)]
	if !ok {
		return nil, &missingBlob{h.String(), a.file.Name()}
	}
	return &Blob{ReaderAt: m.reader(), Size: m.size}, nil
}

// Get finds an image by its annotation, by its digest, or by its tag in a "docker
// save" tar.
func (a *archive) Get(name string, platform v1.Platform) (*Image, error) {
	full := FullName(name)
	if a.index != nil {
		img, err := find(a, a.index, name, platform)
		if err == nil || !errors.Is(err, ErrNotFound) || a.saved == nil {
			return img, err
		}
	}
	var tagged *savedImage
	for i, s := range a.saved {
		if pin := pinOf(full); pin != "" && pin == a.idOf(s).String() {
			return a.getSaved(s, full, platform)
		}
		if !slices.ContainsFunc(s.RepoTags, func(tag string) bool { return FullName(tag) == full }) {
			continue
		}
		if tagged != nil && a.idOf(*tagged) != a.idOf(s) {
			return nil, fmt.Errorf("image %s: %w", full, twice(a.idOf(*tagged), a.idOf(s)))
		}
		tagged = &a.saved[i]
	}
	if tagged == nil {
		return nil, fmt.Errorf("image %s: %w", full, ErrNotFound)
	}
	return a.getSaved(*tagged, full, platform)
}

// single is the one image of the archive.
func (a *archive) single(platform v1.Platform) (*Image, error) {
	switch {
	case a.index != nil:
		return single(a, a.index, platform)
	case len(a.saved) == 1:
		return a.loadSaved(a.saved[0], platform)
	}
	return nil, fmt.Errorf("holds %d images", len(a.saved))
}

func (a *archive) where() string { return a.file.Name() }

// idOf is what "docker save" knows an image by: the digest of its configuration.
func (a *archive) idOf(s savedImage) v1.Hash {
	m, ok := a.members[path.Clean(s.Config)]
	if !ok || m.size > maxDocument {
		return v1.Hash{}
	}
	data, err := io.ReadAll(m.reader())
	if err != nil {
		return v1.Hash{}
	}
	return hashOf(data)
}

// List names the images of the archive.
func (a *archive) List() ([]Item, error) {
	if a.index != nil {
		return itemsOf(a.index), nil
	}
	var items []Item
	for _, s := range a.saved {
		if len(s.RepoTags) == 0 {
			items = append(items, Item{Digest: a.idOf(s)})
		}
		for _, tag := range s.RepoTags {
			items = append(items, Item{Name: FullName(tag), Ref: tag, Digest: a.idOf(s)})
		}
	}
	return items, nil
}

func (a *archive) getSaved(s savedImage, name string, platform v1.Platform) (*Image, error) {
	img, err := a.loadSaved(s, platform)
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", name, err)
	}
	img.Name = name
	return img, nil
}

// loadSaved makes an image of a "docker save" entry. Its layers are named by
// path and have no digest of their own but the one of their content.
func (a *archive) loadSaved(s savedImage, platform v1.Platform) (*Image, error) {
	config := &v1.ConfigFile{}
	if _, ok := a.members[path.Clean(s.Config)]; !ok {
		return nil, fmt.Errorf("no %s in the tar", s.Config)
	}
	if err := a.decode(path.Clean(s.Config), config); err != nil {
		return nil, err
	}
	if have := config.Platform(); !unspecified(have) && rank(*have, platform) < 0 {
		return nil, onlyFor(platform, []v1.Platform{*have})
	}
	if len(s.Layers) != len(config.RootFS.DiffIDs) {
		return nil, fmt.Errorf("manifest.json lists %d layers, the configuration %d", len(s.Layers), len(config.RootFS.DiffIDs))
	}
	img := &Image{id: a.idOf(s), Platform: config.Platform(), Config: config, Manifest: &v1.Manifest{}}
	byDiff := savedLayers{a, map[v1.Hash]string{}}
	for n, diff := range config.RootFS.DiffIDs {
		byDiff.paths[diff] = path.Clean(s.Layers[n])
		img.Manifest.Layers = append(img.Manifest.Layers, v1.Descriptor{Digest: diff})
	}
	img.blobs = byDiff
	return img, nil
}

type savedLayers struct {
	*archive
	paths map[v1.Hash]string
}

func (s savedLayers) open(h v1.Hash) (*Blob, error) {
	m, ok := s.members[s.paths[h]]
	if !ok {
		return nil, fmt.Errorf("layer %s is missing in %s", s.paths[h], s.file.Name())
	}
	return &Blob{ReaderAt: m.reader(), Size: m.size}, nil
}
