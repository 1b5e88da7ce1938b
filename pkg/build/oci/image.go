package oci

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Image is an image whose manifest and configuration have been read; its
// layers are opened when they are needed.
type Image struct {
	Name     string // full name
	Digest   v1.Hash
	Platform *v1.Platform
	Config   *v1.ConfigFile
	Manifest *v1.Manifest
	// Local images were built on this machine.
	Local bool

	// listed is the entry of the layout's index that led to it.
	listed v1.Hash
	// via are the indexes that the manifest was found through, the outermost
	// first.
	via []v1.Hash
	// id is the digest of the configuration, for an image of docker save, which has
	// no manifest.
	id    v1.Hash
	blobs blobs
	open  []io.Closer
}

// find looks a name up in an index and picks the platform.
func find(from blobs, index *v1.IndexManifest, name string, platform v1.Platform) (*Image, error) {
	want := FullName(name)
	list := named(from, index, want)
	img, err := load(from, list, platform)
	if err == nil {
		err = alone(from, list, img, platform)
	}
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", want, err)
	}
	if pin := pinOf(want); pin != "" && !img.Is(pin) {
		return nil, fmt.Errorf("image %s: what goes by that name here has the digest %s", want, img.Digest)
	}
	img.Name = want
	return img, nil
}

// alone wants no second image of one name that would do as well: which is meant, the
// order of a list does not tell.
func alone(from blobs, list []v1.Descriptor, img *Image, platform v1.Platform) error {
	rest := slices.DeleteFunc(slices.Clone(list), func(d v1.Descriptor) bool { return d.Digest == img.listed })
	other, err := load(from, rest, platform)
	if err != nil || other.Digest == img.Digest || !samePlatform(other.Platform, img.Platform) {
		return nil //nolint:nilerror // what is no image for the platform is no rival
	}
	return twice(img.listed, other.listed)
}

func twice(a, b v1.Hash) error {
	return fmt.Errorf("two images go by that name here, %s and %s; NAME@DIGEST means one of them", a, b)
}

// named are the descriptors of an index that a full name means. A name that is
// pinned means its digest, whatever it goes by, and listed or not.
func named(from blobs, index *v1.IndexManifest, want string) []v1.Descriptor {
	var list []v1.Descriptor
	pin := pinOf(want)
	for _, d := range index.Manifests {
		if nameOf(d) == want || pin != "" && pin == d.Digest.String() {
			list = append(list, d)
		}
	}
	if h, err := v1.NewHash(pin); err == nil && len(list) == 0 {
		if b, err := from.open(h); err == nil {
			_ = b.Close() // it was opened to see that it is there, and not read
			list = append(list, v1.Descriptor{Digest: h})
		}
	}
	return list
}

// ID is the digest by which the image is found again: that of the outermost index it
// was found through, else of its manifest, else what docker save calls its id.
func (i *Image) ID() v1.Hash {
	switch {
	case len(i.via) > 0:
		return i.via[0]
	case i.Digest.Hex != "":
		return i.Digest
	}
	return i.id
}

// Is tells whether a digest is that of the image, or of an index it is in.
func (i *Image) Is(digest string) bool {
	return i.ID().String() == digest || i.Digest.String() == digest || slices.ContainsFunc(i.via, func(h v1.Hash) bool { return h.String() == digest })
}

// load reads the image for a platform that one of the descriptors leads to.
func load(from blobs, list []v1.Descriptor, platform v1.Platform) (*Image, error) {
	if len(list) == 0 {
		return nil, ErrNotFound
	}
	c := &chooser{
		platform: platform,
		manifest: func(d v1.Descriptor) ([]byte, error) { return document(from, d.Digest) },
		config:   func(_ v1.Descriptor, m *v1.Manifest) (*v1.ConfigFile, error) { return readConfig(from, m) },
	}
	found, err := c.choose(list, nil)
	if err != nil {
		return nil, err
	}
	img := &Image{
		Digest: found.Digest, Platform: found.Platform, Manifest: found.manifest, via: found.via, blobs: from,
		listed: found.listed.Digest, Local: found.listed.Annotations[InputsAnnotation] != "",
	}
	if img.Config, err = readConfig(from, img.Manifest); err != nil {
		return nil, err
	}
	if unspecified(img.Platform) {
		img.Platform = img.Config.Platform()
	}
	return img, nil
}

func readConfig(from blobs, m *v1.Manifest) (*v1.ConfigFile, error) {
	data, err := document(from, m.Config.Digest)
	if err != nil {
		return nil, err
	}
	config := &v1.ConfigFile{}
	if err := json.Unmarshal(data, config); err != nil {
		return nil, fmt.Errorf("configuration %s: %w", m.Config.Digest, jsonError(err))
	}
	if n, m := len(m.Layers), len(config.RootFS.DiffIDs); n != m {
		return nil, fmt.Errorf("the manifest lists %d layers, the configuration %d", n, m)
	}
	return config, nil
}

// jsonError names the field that is of another type than the specification has, in
// words that are not Go's.
func jsonError(err error) error {
	wrong, is := errors.AsType[*json.UnmarshalTypeError](err)
	if !is {
		return err
	}
	want := map[reflect.Kind]string{
		reflect.String: "text", reflect.Slice: "a list", reflect.Map: "an object", reflect.Struct: "an object", reflect.Bool: "true or false",
	}[wrong.Type.Kind()]
	return fmt.Errorf("%s is of JSON type %s; want %s", cmp.Or(wrong.Field, "all of it"), wrong.Value, cmp.Or(want, "a number"))
}

// Close closes the layers that were opened.
func (i *Image) Close() error {
	var errs []error
	for _, c := range i.open {
		errs = append(errs, c.Close())
	}
	i.open = nil
	return errors.Join(errs...)
}
