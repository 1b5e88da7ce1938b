package oci

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"slipway/pkg/build/input"
)

// NameAnnotation carries an image's full name on its descriptor in index.json.
// It is containerd's, and what "linuxkit cache import" looks for.
const NameAnnotation = "io.containerd.image.name"

// InputsAnnotation marks an image that was built on this machine, with the sum
// of what it was built from. No registry is asked for it.
const InputsAnnotation = "slipway.images.inputs"

// FetchedAnnotation marks an image that came from a registry, with the host that was
// asked. Such a one is never taken for one of our own, whatever its name.
const FetchedAnnotation = "slipway.images.fetched"

// SourcesLabel is the label of our own images that says what they are made of, such as
// "linux-image-...=6.1.192-2, ...".
const SourcesLabel = "slipway.sources"

const refAnnotation = "org.opencontainers.image.ref.name"

// StoreDir is where the local store lies: $SLIPWAY_STORE, else the user's
// cache directory; "" if nothing says where that is.
func StoreDir() string {
	if dir := os.Getenv("SLIPWAY_STORE"); dir != "" {
		return dir
	}
	cache := os.Getenv("XDG_CACHE_HOME")
	if home := os.Getenv("HOME"); cache == "" && home != "" {
		cache = filepath.Join(home, ".cache")
	}
	if cache == "" {
		return ""
	}
	return filepath.Join(cache, "slipway", "store")
}

// Layout is an OCI image layout in a directory. The local store is one.
type Layout struct{ directory }

// ErrNoStore is what a layout without a directory says, and so the local store
// where nothing tells its place.
var ErrNoStore = errors.New("there is no local store: none of $SLIPWAY_STORE, $XDG_CACHE_HOME and $HOME is set")

// OpenStore opens the local store, which need not exist yet.
func OpenStore() *Layout { return OpenLayout(StoreDir(), true) }

// OpenLayout opens the layout in dir. One's own may be written: layers are kept there
// unpacked, and what is damaged goes.
func OpenLayout(dir string, own bool) *Layout {
	return &Layout{directory{dir: dir, own: own}}
}

// Dir is the layout's directory.
func (l *Layout) Dir() string { return l.dir }

// Item is an image that a layout lists.
type Item struct {
	Name        string // full name; empty if the layout has none
	Ref         string // what stands in the layout for a name: it may be a tag alone
	Digest      v1.Hash
	Platform    *v1.Platform
	Annotations map[string]string
}

func (i Item) String() string {
	text := i.Digest.String()
	if i.Ref != "" {
		text = printable(i.Ref) + " " + text
	}
	if !unspecified(i.Platform) {
		text += " (" + describe(*i.Platform) + ")"
	}
	return text
}

// List names the layout's images in the order of its index.
func (l *Layout) List() ([]Item, error) {
	index, err := l.index()
	if err != nil {
		return nil, err
	}
	return itemsOf(index), nil
}

func itemsOf(index *v1.IndexManifest) []Item {
	var items []Item
	for _, d := range index.Manifests {
		if !isAttestation(d) {
			items = append(items, Item{Name: nameOf(d), Ref: refOf(d), Digest: d.Digest, Platform: d.Platform, Annotations: d.Annotations})
		}
	}
	return items
}

// Get finds an image by name. It returns ErrNotFound if there is none of that
// name, or none for that platform.
func (l *Layout) Get(name string, platform v1.Platform) (*Image, error) {
	index, err := l.index()
	if err != nil {
		return nil, err
	}
	if isOwn(name) && pinOf(name) == "" {
		index.Manifests = slices.DeleteFunc(index.Manifests, fetched)
	}
	img, err := find(l.directory, index, name, platform)
	if err != nil || !l.own {
		return img, err
	}
	// A layer that went missing from the store can be fetched again.
	for _, layer := range img.Manifest.Layers {
		if !l.holds(layer.Digest, layer.Size) {
			return nil, fmt.Errorf("image %s: %w whole: layer %s is missing", img.Name, ErrNotFound, layer.Digest)
		}
	}
	return img, nil
}

// single is the one image of the layout.
func (l *Layout) single(platform v1.Platform) (*Image, error) {
	index, err := l.index()
	if err != nil {
		return nil, err
	}
	return single(l.directory, index, platform)
}

func (l *Layout) where() string { return l.dir }

func (l *Layout) index() (*v1.IndexManifest, error) {
	if l.dir == "" {
		return nil, ErrNoStore
	}
	empty := &v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	data, err := input.Read(filepath.Join(l.dir, "index.json"), maxDocument)
	if errors.Is(err, os.ErrNotExist) {
		return empty, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read image layout: %w", err)
	}
	if err := json.Unmarshal(data, empty); err != nil {
		return nil, fmt.Errorf("read image layout %s: index.json: %w", l.dir, jsonError(err))
	}
	return empty, nil
}

// Put writes an image and lists it under its full name, in place of an image
// of the same name and platform. Other processes may do the same at once.
func (l *Layout) Put(name string, img v1.Image, annotations map[string]string) error {
	return l.putIndexed(name, img, nil, annotations)
}

// putIndexed writes an image of one platform and lists the outermost of the
// indexes it came through, if there are any: an OCI volume keeps them.
func (l *Layout) putIndexed(name string, img v1.Image, via []*remote.Descriptor, annotations map[string]string) error {
	d, err := l.writeImage(img)
	for _, index := range via {
		if err == nil {
			err = l.writeDocument(index.Manifest)
		}
	}
	if err != nil {
		return fmt.Errorf("store image %s: %w", name, err)
	}
	entry := *d
	if len(via) > 0 {
		entry = v1.Descriptor{MediaType: via[0].MediaType, Size: via[0].Size, Digest: via[0].Digest}
	}
	return l.list(name, entry, d.Platform, annotations)
}

// list adds an entry to the layout's index, in place of those of the same name
// that would be found for the same platform.
func (l *Layout) list(name string, d v1.Descriptor, platform *v1.Platform, annotations map[string]string) error {
	d.Annotations = map[string]string{}
	maps.Copy(d.Annotations, annotations)
	d.Annotations[NameAnnotation] = FullName(name)
	d.Annotations[refAnnotation] = FullName(name)
	return l.update(func(index *v1.IndexManifest) {
		index.Manifests = slices.DeleteFunc(index.Manifests, func(old v1.Descriptor) bool {
			return nameOf(old) == FullName(name) && (old.Platform == nil || samePlatform(old.Platform, platform))
		})
		index.Manifests = append(index.Manifests, d)
		slices.SortStableFunc(index.Manifests, func(a, b v1.Descriptor) int {
			return strings.Compare(nameOf(a), nameOf(b))
		})
	})
}

// Remove takes an image off the list; its blobs stay.
func (l *Layout) Remove(name string) error {
	return l.update(func(index *v1.IndexManifest) {
		index.Manifests = slices.DeleteFunc(index.Manifests, func(d v1.Descriptor) bool {
			return nameOf(d) == FullName(name)
		})
	})
}

func samePlatform(a, b *v1.Platform) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.String() == b.String()
}

// nameOf is the full name a descriptor carries, "" if none.
func nameOf(d v1.Descriptor) string {
	name := refOf(d)
	if name == "" {
		return ""
	}
	return FullName(name)
}

// refOf is what a descriptor carries for a name, or as a tag.
func refOf(d v1.Descriptor) string {
	if name := d.Annotations[NameAnnotation]; name != "" {
		return name
	}
	return d.Annotations[refAnnotation]
}

func hashOf(data []byte) v1.Hash {
	sum := sha256.Sum256(data)
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}
}
