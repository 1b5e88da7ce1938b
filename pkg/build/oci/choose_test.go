package oci

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// fake writes documents into a layout, as no library would.
type fake struct {
	*testing.T
	dir string
}

func newFake(t *testing.T) fake {
	t.Helper()
	f := fake{t, t.TempDir()}
	if err := os.MkdirAll(filepath.Join(f.dir, "blobs/sha256"), 0o755); err != nil {
		t.Fatal(err)
	}
	return f
}

// blob stores bytes, and gives their descriptor.
func (f fake) blob(mediaType string, data []byte) v1.Descriptor {
	f.Helper()
	h := hashOf(data)
	if err := os.WriteFile(filepath.Join(f.dir, "blobs/sha256", h.Hex), data, 0o644); err != nil {
		f.Fatal(err)
	}
	return v1.Descriptor{MediaType: types.MediaType(mediaType), Digest: h, Size: int64(len(data))}
}

func (f fake) json(mediaType string, v any) v1.Descriptor {
	f.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		f.Fatal(err)
	}
	return f.blob(mediaType, data)
}

const (
	imageType  = "application/vnd.oci.image.manifest.v1+json"
	indexType  = "application/vnd.oci.image.index.v1+json"
	configType = "application/vnd.oci.image.config.v1+json"
)

// image is one that says text in its file f, of a platform such as amd64/v3 in its
// configuration. The descriptor does not say so.
func (f fake) image(platform, text string) v1.Descriptor {
	f.Helper()
	layer := f.blob("application/vnd.oci.image.layer.v1.tar", tarOf(f.T, map[string]string{"f": text}))
	arch, variant, _ := strings.Cut(platform, "/")
	config := map[string]any{"rootfs": map[string]any{"type": "layers", "diff_ids": []string{layer.Digest.String()}}}
	if arch != "" {
		config["os"], config["architecture"], config["variant"] = "linux", arch, variant
	}
	return f.json(imageType, map[string]any{"schemaVersion": 2, "config": f.json(configType, config), "layers": []v1.Descriptor{layer}})
}

// on says in the descriptor what an image is for.
func on(d v1.Descriptor, platform string) v1.Descriptor {
	arch, variant, _ := strings.Cut(platform, "/")
	d.Platform = &v1.Platform{OS: "linux", Architecture: arch, Variant: variant}
	return d
}

func (f fake) both(platform string) v1.Descriptor { return on(f.image(platform, platform), platform) }

func (f fake) index(list ...v1.Descriptor) v1.Descriptor {
	return f.json(indexType, map[string]any{"schemaVersion": 2, "mediaType": indexType, "manifests": list})
}

func (f fake) attestation() v1.Descriptor {
	d := f.image("unknown", "attestation")
	d.Annotations = map[string]string{"vnd.docker.reference.type": "attestation-manifest"}
	return d
}

// layout lists descriptors in index.json.
func (f fake) layout(list ...v1.Descriptor) *Layout {
	f.Helper()
	data, err := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": list})
	if err == nil {
		err = os.WriteFile(filepath.Join(f.dir, "index.json"), data, 0o644)
	}
	if err != nil {
		f.Fatal(err)
	}
	return OpenLayout(f.dir, false)
}

func named1(d v1.Descriptor, name string) v1.Descriptor {
	d.Annotations = map[string]string{refAnnotation: name}
	return d
}

// TestChoose picks from indexes as containerd does. The text of an image is the
// platform it was made for.
func TestChoose(t *testing.T) {
	f := newFake(t)
	windows := f.both("amd64")
	windows.Platform = &v1.Platform{OS: "windows", Architecture: "amd64", OSVersion: "10.0.17763.1"}
	features := on(f.image("amd64", "features"), "amd64")
	features.Platform.OSFeatures = []string{"erofs"}
	upper := on(f.image("amd64", "upper"), "X86_64")
	upper.Platform.OS = "Linux"
	unknown := f.attestation()
	unknown.Annotations, unknown.Platform = nil, &v1.Platform{OS: "unknown", Architecture: "unknown"}
	artifact := f.json(imageType, map[string]any{
		"schemaVersion": 2, "artifactType": "application/vnd.example.signature",
		"config": f.blob("application/vnd.oci.empty.v1+json", []byte("{}")), "layers": []v1.Descriptor{},
	})
	missing := on(v1.Descriptor{MediaType: imageType, Digest: hashOf([]byte("missing"))}, "amd64")
	for _, c := range []struct {
		name string
		list []v1.Descriptor
		on   string
		want string // text of the image, or the error behind a "!"
	}{
		{"plain before v3", []v1.Descriptor{f.both("amd64"), f.both("amd64/v3")}, "amd64", "amd64"},
		{"v3 before plain", []v1.Descriptor{f.both("amd64/v3"), f.both("amd64")}, "amd64", "amd64"},
		{"v1 is plain", []v1.Descriptor{f.both("amd64/v3"), f.both("amd64/v1")}, "amd64", "amd64/v1"},
		{"only v3", []v1.Descriptor{f.both("amd64/v3")}, "amd64", "!not found for linux/amd64, only for linux/amd64/v3; --platform linux/amd64/v3 takes it"},
		{"only Windows", []v1.Descriptor{windows}, "amd64", "!only for windows/amd64:10.0.17763.1$"},
		{"only v2 and v4", []v1.Descriptor{f.both("amd64/v2"), f.both("amd64/v4")}, "amd64", "!only for linux/amd64/v2, linux/amd64/v4; --platform linux/amd64/v2"},
		{"v3 asked for", []v1.Descriptor{f.both("amd64"), f.both("amd64/v2"), f.both("amd64/v3"), f.both("amd64/v4")}, "amd64/v3", "amd64/v3"},
		{"v3 asked for, v2 there", []v1.Descriptor{f.both("amd64"), f.both("amd64/v2"), f.both("amd64/v4")}, "amd64/v3", "amd64/v2"},
		{"v3 asked for, plain there", []v1.Descriptor{f.both("386"), f.both("amd64")}, "amd64/v3", "amd64"},
		{"386 at last", []v1.Descriptor{f.both("386"), f.both("arm64")}, "amd64", "386"},
		{"v8 is plain arm64", []v1.Descriptor{f.both("arm/v7"), f.both("arm64/v8")}, "arm64", "arm64/v8"},
		{"plain arm64 is v8", []v1.Descriptor{f.both("arm64")}, "arm64/v8", "arm64"},
		{"arm64 v9", []v1.Descriptor{f.both("arm64/v9")}, "arm64", "!only for linux/arm64/v9"},
		{"arm v7, then v6", []v1.Descriptor{f.both("arm/v5"), f.both("arm/v6")}, "arm/v7", "arm/v6"},
		{"plain arm is v7", []v1.Descriptor{f.both("arm/v6"), f.both("arm")}, "arm/v7", "arm"},
		{"arm v6 cannot run v7", []v1.Descriptor{f.both("arm/v7")}, "arm/v6", "!only for linux/arm/v7"},
		{"arm on arm64 at last", []v1.Descriptor{f.both("arm/v5"), f.both("arm/v7")}, "arm64", "arm/v7"},
		{"other words", []v1.Descriptor{f.both("arm64"), upper}, "amd64", "upper"},
		{"exact before no platform", []v1.Descriptor{f.image("amd64", "none"), f.both("amd64")}, "amd64", "amd64"},
		{"exact before one that says nothing at all", []v1.Descriptor{f.image("", "none"), f.both("amd64")}, "amd64", "amd64"},
		{"of two with none the configuration decides", []v1.Descriptor{f.image("arm64", "arm64"), f.image("amd64", "amd64")}, "amd64", "amd64"},
		{"of two with none, the variant too", []v1.Descriptor{f.image("amd64/v3", "v3"), f.image("amd64", "amd64")}, "amd64", "amd64"},
		{"one with none, for another", []v1.Descriptor{f.image("arm64", "arm64")}, "amd64", "!not found for linux/amd64, only for linux/arm64"},
		{"one with none, v3", []v1.Descriptor{f.image("amd64/v3", "v3")}, "amd64", "!--platform linux/amd64/v3"},
		{"nothing says anything", []v1.Descriptor{f.image("", "none")}, "amd64", "none"},
		{"attestation first, no platform", []v1.Descriptor{f.attestation(), f.both("amd64")}, "amd64", "amd64"},
		{"attestation and an image, no platform", []v1.Descriptor{f.attestation(), f.image("amd64", "image")}, "amd64", "image"},
		{"attestation of a platform", []v1.Descriptor{attested(f.both("amd64")), f.image("amd64", "image")}, "amd64", "image"},
		{"unknown platform", []v1.Descriptor{unknown, f.image("amd64", "image")}, "amd64", "image"},
		{"only attestations", []v1.Descriptor{f.attestation(), unknown}, "amd64", "!no image in it, only attestations"},
		{"nothing", nil, "amd64", "!no image in it"},
		{"an artifact first", []v1.Descriptor{artifact, f.image("amd64", "image")}, "amd64", "image"},
		{"only an artifact", []v1.Descriptor{artifact}, "amd64", "!no image, but an artifact of type application/vnd.example.signature"},
		{"windows", []v1.Descriptor{windows, f.image("amd64", "image")}, "amd64", "image"},
		{"only windows", []v1.Descriptor{windows}, "amd64", "!only for windows/amd64"},
		{"features", []v1.Descriptor{features, f.image("amd64", "image")}, "amd64", "image"},
		{"only features", []v1.Descriptor{features}, "amd64", "!only for linux/amd64 with erofs"},
		{"nested", []v1.Descriptor{f.index(f.both("arm64")), f.index(f.attestation(), f.both("amd64"))}, "amd64", "amd64"},
		{"nested, exact first", []v1.Descriptor{f.index(f.image("amd64", "nested")), f.both("amd64")}, "amd64", "amd64"},
		{"the best one is missing", []v1.Descriptor{missing, f.image("amd64", "other")}, "amd64", "!only its index: blob " + missing.Digest.String() + " is missing in " + f.dir},
	} {
		t.Run(c.name, func(t *testing.T) {
			layout := f.layout(named1(f.index(c.list...), "some/app:1"))
			platform, err := ParsePlatform("linux/" + c.on)
			if err != nil {
				t.Fatal(err)
			}
			img, err := layout.Get("some/app:1", platform)
			if want, ok := strings.CutPrefix(c.want, "!"); ok {
				end, atEnd := strings.CutSuffix(want, "$")
				if err == nil || !strings.Contains(err.Error(), end) || atEnd && !strings.HasSuffix(err.Error(), end) || !strings.HasPrefix(err.Error(), "image docker.io/some/app:1: ") {
					t.Errorf("got %v, want %q", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := textIn(t, img, "f"); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func attested(d v1.Descriptor) v1.Descriptor {
	d.Annotations = map[string]string{"vnd.docker.reference.type": "attestation-manifest"}
	return d
}

// TestChooseByContent reads documents by what they are.
func TestChooseByContent(t *testing.T) {
	f := newFake(t)
	asImage := f.index(f.both("amd64"))
	asImage.MediaType = imageType
	list := f.index(f.both("arm64"), f.both("amd64"))
	list.MediaType = types.DockerManifestList
	none := f.image("amd64", "none")
	none.MediaType = ""
	old := f.json(string(types.DockerManifestSchema1Signed), map[string]any{"schemaVersion": 1, "name": "x", "fsLayers": []any{}})
	chart := f.json(imageType, map[string]any{
		"schemaVersion": 2, "artifactType": "application/vnd.cncf.helm.config.v1+json",
		"config": f.blob("application/vnd.cncf.helm.config.v1+json", []byte("{}")), "layers": []any{},
	})
	config := f.blob(configType, []byte(`{"architecture":"amd64"}`))
	deep := f.both("amd64")
	for range maxNesting + 1 {
		deep = f.index(deep)
	}
	var many []v1.Descriptor
	for n := range maxDocuments + 1 {
		many = append(many, f.image("arm64", fmt.Sprint(n)))
	}
	for name, c := range map[string]struct {
		d    v1.Descriptor
		want string
	}{
		"an index that is called a manifest": {asImage, "amd64"},
		"Docker's list":                      {list, "amd64"},
		"no media type":                      {none, "none"},
		"schema 1":                           {old, "!Docker's schema 1"},
		"a chart":                            {chart, "!no image, but an artifact of type application/vnd.cncf.helm"},
		"a configuration":                    {config, "!no image: neither a manifest nor an index"},
		"too deep":                           {deep, "!nest too deeply"},
		"too many":                           {f.index(many...), "!more than 64 manifests"},
		"an index that is not there":         {v1.Descriptor{MediaType: indexType, Digest: hashOf([]byte("x"))}, "!blob sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 is missing in " + f.dir},
	} {
		t.Run(name, func(t *testing.T) {
			img, err := f.layout(named1(c.d, "some/app:1")).Get("some/app:1", amd64)
			if want, ok := strings.CutPrefix(c.want, "!"); ok {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := textIn(t, img, "f"); got != c.want {
				t.Errorf("got %q", got)
			}
		})
	}
}

// TestLayoutsWithoutNames are used by digest, and by the name that --oci gives.
func TestLayoutsWithoutNames(t *testing.T) {
	f := newFake(t)
	one, two, arm := f.image("amd64", "one"), f.image("amd64", "two"), on(f.image("arm64", "arm"), "arm64")
	index := f.index(f.both("arm64"), on(f.image("amd64", "indexed"), "amd64"))
	child := f.image("amd64", "indexed")
	for _, c := range []struct {
		name string
		list []v1.Descriptor
		oci  string // before the directory
		ask  string
		want string
	}{
		{"no name", []v1.Descriptor{one}, "app=", "app", "one"},
		{"no name, the tag written out", []v1.Descriptor{one}, "app:latest=", "docker.io/library/app:latest", "one"},
		{"a bare tag", []v1.Descriptor{named1(one, "v1.0")}, "quay.io/x/app:v1.0=", "quay.io/x/app:v1.0", "one"},
		{"another name asked for", []v1.Descriptor{one}, "app=", "other", "!image docker.io/library/other:latest: not found in the layouts given and the local store, and registries were not asked; " + f.dir + " holds " + one.Digest.String()},
		{"a name that breaks the line", []v1.Descriptor{named1(one, "a\nb")}, "", "app", `! holds "a\nb" sha256:`},
		{"no name given", []v1.Descriptor{named1(one, "latest"), named1(arm, "v2")}, "", "app", "! holds latest " + one.Digest.String() + ", v2 " + arm.Digest.String() + " (linux/arm64)"},
		{"nothing in it", nil, "", "app", "! holds no image"},
		{"for several platforms", []v1.Descriptor{arm, on(one, "amd64")}, "app=", "app", "one"},
		{"two images", []v1.Descriptor{one, two}, "app=", "app", "!several images, of which a name with a digest (NAME@sha256:...) means one: " + one.Digest.String() + ", " + two.Digest.String()},
		{"two tags", []v1.Descriptor{named1(one, "v1"), named1(two, "v2")}, "app=", "app", "!several images"},
		{"an image by two tags", []v1.Descriptor{named1(one, "v1"), named1(one, "latest")}, "app=", "app", "one"},
		{"an index by two names", []v1.Descriptor{named1(index, "quay.io/x/app:1"), named1(index, "quay.io/x/app:2")}, "app=", "app", "indexed"},
		{"two tags for two platforms", []v1.Descriptor{named1(arm, "v1"), named1(on(one, "amd64"), "v2")}, "app=", "app", "!several images"},
		{"an image and its attestation", []v1.Descriptor{f.attestation(), one}, "app=", "app", "one"},
		{"for another platform", []v1.Descriptor{arm}, "app=", "app", "!not found for linux/amd64, only for linux/arm64"},
		{"by digest", []v1.Descriptor{one, two}, "", "app@" + two.Digest.String(), "two"},
		{"by digest and tag", []v1.Descriptor{one, two}, "", "quay.io/x/app:7@" + one.Digest.String(), "one"},
		{"by digest, under another name", []v1.Descriptor{named1(one, "quay.io/x/other:1")}, "", "app@" + one.Digest.String(), "one"},
		{"by the digest of an index", []v1.Descriptor{index}, "", "app@" + index.Digest.String(), "indexed"},
		{"by digest, in an index", []v1.Descriptor{index}, "", "app@" + child.Digest.String(), "indexed"},
		{"by a digest that is not there", []v1.Descriptor{one}, "", "app@sha256:" + strings.Repeat("0", 64), "!holds " + one.Digest.String()},
	} {
		t.Run(c.name, func(t *testing.T) {
			f.layout(c.list...)
			source, err := OpenNamed(c.oci + f.dir)
			if err != nil {
				t.Fatal(err)
			}
			finder := &Finder{Layouts: []Source{source}, Store: OpenLayout(t.TempDir(), true)}
			img, err := finder.Get(t.Context(), c.ask, amd64)
			if want, ok := strings.CutPrefix(c.want, "!"); ok {
				if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
					t.Errorf("got %v\nwant %q", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if img.Name != FullName(c.ask) {
				t.Errorf("its name is %s", img.Name)
			}
			if got := textIn(t, img, "f"); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestMissingBlobs says which blob of a layout is not there.
func TestMissingBlobs(t *testing.T) {
	f := newFake(t)
	d := named1(f.both("amd64"), "app:1")
	layout := f.layout(d)
	img, err := layout.Get("app:1", amd64)
	if err != nil {
		t.Fatal(err)
	}
	for what, h := range map[string]v1.Hash{"layer 1 (": img.Manifest.Layers[0].Digest, "configuration": img.Manifest.Config.Digest, "manifest": d.Digest} {
		path := layout.path(h)
		if err := os.Rename(path, path+"-"); err != nil {
			t.Fatal(err)
		}
		err := use(&Finder{Layouts: []Source{layout}, Store: OpenLayout(t.TempDir(), true)}, "app:1")
		if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "blob "+h.String()+" is missing in "+f.dir) {
			t.Errorf("%s: got %v", what, err)
		}
		if err := os.Rename(path+"-", path); err != nil {
			t.Fatal(err)
		}
	}
}

// TestManyImagesAreCut names a few of a layout that holds many.
func TestManyImagesAreCut(t *testing.T) {
	f := newFake(t)
	var list []v1.Descriptor
	for n := range 20 {
		list = append(list, named1(f.image("amd64", fmt.Sprint(n)), fmt.Sprint("app:", n)))
	}
	err := use(&Finder{Layouts: []Source{f.layout(list...)}, Store: OpenLayout(t.TempDir(), true)}, "other")
	if err == nil || !strings.HasSuffix(err.Error(), "app:7 "+list[7].Digest.String()+", and 12 more") {
		t.Errorf("got %v", err)
	}
}

// TestRegistryChooses fetches what the builder chooses, and finds it again.
func TestRegistryChooses(t *testing.T) {
	s := plainServer(t)
	store := OpenLayout(t.TempDir(), true)
	index := mutate.AppendManifests(empty.Index,
		mutate.IndexAddendum{Add: imageWith(t, "unknown", "f", "attestation"), Descriptor: v1.Descriptor{Annotations: map[string]string{"vnd.docker.reference.type": "attestation-manifest"}}},
		mutate.IndexAddendum{Add: imageWith(t, "amd64", "f", "v3"), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64", Variant: "v3"}}},
		mutate.IndexAddendum{Add: imageWith(t, "arm64", "f", "arm64")},
		mutate.IndexAddendum{Add: imageWith(t, "amd64", "f", "plain")},
	)
	outer := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: index})
	for path, x := range map[string]v1.ImageIndex{"flat": index, "nested": outer} {
		ref, err := name.ParseReference(s.host() + "/" + path + ":1")
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.WriteIndex(ref, x); err != nil {
			t.Fatal(err)
		}
		for _, finder := range []*Finder{{Store: store, Remote: impatient()}, {Store: store}} {
			img, err := finder.Get(t.Context(), s.host()+"/"+path+":1", amd64)
			if err != nil {
				t.Fatal(err)
			}
			if img.Descriptor().Digest.String() != digestOf(t, x) {
				t.Errorf("%s: the index is not kept", path)
			}
			if parts, err := img.Parts(); err != nil || len(parts) != len(img.via)+3 {
				t.Errorf("%s: %d parts, %v", path, len(parts), err)
			}
			if got := textIn(t, img, "f"); got != "plain" {
				t.Errorf("%s: got %q", path, got)
			}
		}
	}
}
