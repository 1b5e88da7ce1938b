package build

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	ocilayout "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"slipway/pkg/build/oci"
	"slipway/test/testimage"
)

// layoutOf writes an OCI layout that holds one image for several platforms.
func layoutOf(t *testing.T, image string, archs ...string) (dir string, index v1.ImageIndex) {
	t.Helper()
	index = empty.Index
	for _, arch := range archs {
		img := testimage.Of(t, arch, v1.Config{Cmd: []string{"/bin/app"}}, archive(t, "bin/app="+arch))
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	dir = t.TempDir()
	path, err := ocilayout.Write(dir, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	name := map[string]string{oci.NameAnnotation: oci.FullName(image)}
	if err := path.AppendIndex(index, ocilayout.WithAnnotations(name)); err != nil {
		t.Fatal(err)
	}
	return dir, index
}

// TestVolumeOfSeveralPlatforms keeps in a volume the images of the platforms
// that the YAML names, the machine's if it names none, and the index always.
func TestVolumeOfSeveralPlatforms(t *testing.T) {
	dir, index := layoutOf(t, "test/multi:1", "amd64", "arm64", "riscv64")
	source, err := oci.OpenSource(dir)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "m.yml")
	for platforms, blobs := range map[string]int{"": 1 + 3, "platforms: [linux/arm64, linux/amd64]": 1 + 2*3} {
		writeText(t, file, "volumes: [{name: v, image: \"test/multi:1\", format: oci, "+platforms+"}]\n")
		b := &Builder{Finder: only{source}, Platform: v1.Platform{OS: "linux", Architecture: "amd64"}}
		m, err := b.BuildFiles(t.Context(), []string{file}, nil)
		if err != nil {
			t.Fatal(err)
		}
		const lower = "containers/volumes/v/lower/"
		if got := len(m.Root.Lookup(lower + "blobs/sha256").Children()); got != blobs {
			t.Errorf("%q: %d blobs, want %d", platforms, got, blobs)
		}
		var have v1.IndexManifest
		if err := json.NewDecoder(m.Root.Lookup(lower + "index.json").Inode.Open()).Decode(&have); err != nil {
			t.Fatal(err)
		}
		if len(have.Manifests) != 1 || have.Manifests[0].Digest != digest || have.Manifests[0].Size == 0 {
			t.Errorf("%q: index.json lists %+v", platforms, have.Manifests)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	writeText(t, file, "volumes: [{name: v, image: \"test/multi:1\", format: oci, platforms: [linux/s390x]}]\n")
	_, err = (&Builder{Finder: only{source}, Platform: v1.Platform{OS: "linux", Architecture: "amd64"}}).BuildFiles(t.Context(), []string{file}, nil)
	if err == nil || !strings.Contains(err.Error(), "not found for linux/s390x, only for linux/amd64, linux/arm64, linux/riscv64") || !strings.Contains(err.Error(), "m.yml:1:28") {
		t.Errorf("got %v", err)
	}
}
