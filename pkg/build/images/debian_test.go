package images

import (
	"archive/tar"
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"slipway/pkg/build/oci"
	"slipway/test/skip"
)

// The images that come from Debian's packages, built twice, for real. What is
// downloaded is kept where `slipway images build` keeps it.
func TestDebianImages(t *testing.T) {
	cache, err := CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		skip.Test(t, skip.Program, "dpkg-deb of Debian")
	}
	root, err := FindRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	var b *Builder
	var all []map[string]string
	for _, name := range []string{"a", "b"} {
		store := filepath.Join(t.TempDir(), name)
		t.Setenv("SLIPWAY_STORE", store)
		t.Setenv("SLIPWAY_CACHE", cache)
		b = &Builder{Root: root, Arch: "amd64", Progress: &notes{ended: map[string]string{}}}
		if err := b.Open(); err != nil {
			t.Fatal(err)
		}
		if err := b.Build(context.Background(), []string{"kernel", "getty", "testinit", "crun"}, 2); err != nil {
			t.Fatal(err)
		}
		sums := map[string]string{}
		for _, name := range []string{"kernel", "busybox", "getty", "testinit", "crun"} {
			digest, err := image(t, b, name).Digest()
			if err != nil {
				t.Fatal(err)
			}
			sums[name] = digest.String()
		}
		all = append(all, sums)
	}
	for name, sum := range all[0] {
		if sum != all[1][name] {
			t.Errorf("%s: %s and %s", name, sum, all[1][name])
		}
	}
	t.Run("kernel", func(t *testing.T) { checkKernelImage(t, b) })
	t.Run("crun", func(t *testing.T) { checkLibraries(t, b, "crun") })
}

// checkKernelImage checks the shape of a LinuxKit kernel image, that each
// module's dependencies are there, and that the version is on the label.
func checkKernelImage(t *testing.T, b *Builder) {
	img := image(t, b, "kernel")
	conf, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if got := conf.Config.Labels[oci.SourcesLabel]; !strings.HasPrefix(got, "linux-image-") || !strings.Contains(got, "=") {
		t.Errorf("label %s is %q", oci.SourcesLabel, got)
	}
	top := topLayer(t, img)
	if len(top) != 2 || len(top["kernel"].Data) < 0x1000 || string(top["kernel"].Data[0x202:0x206]) != "HdrS" {
		t.Errorf("%d entries; want kernel and kernel.tar, the first with the header of a bzImage", len(top))
	}
	modules, err := ReadTar(bytes.NewReader(top["kernel.tar"].Data))
	if err != nil {
		t.Fatal(err)
	}
	var dir string
	for name, e := range modules {
		if e.Type != tar.TypeDir && filepath.Base(name) == "modules.dep" {
			dir = filepath.Dir(name)
		}
	}
	if dir == "" {
		t.Fatal("no modules.dep")
	}
	listed := map[string]bool{}
	for line := range strings.Lines(string(modules[dir+"/modules.dep"].Data)) {
		for file := range strings.FieldsSeq(strings.Replace(line, ":", " ", 1)) {
			listed[moduleName(file)] = true
			if modules[dir+"/"+file].Data == nil {
				t.Errorf("modules.dep lists %s, which is not there", file)
			}
		}
	}
	for _, name := range []string{"loop", "squashfs", "overlay", "virtio_net", "veth", "libcrc32c"} {
		if !listed[name] {
			t.Errorf("no module %s", name)
		}
	}
	for _, file := range []string{"modules.alias", "modules.alias.bin", "modules.builtin", "modules.dep.bin"} {
		if len(modules[dir+"/"+file].Data) == 0 {
			t.Errorf("no %s", file)
		}
	}
}
