package disk

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"slipway/pkg/build/oci"
	"slipway/pkg/build/tree"
)

func TestContainerDisk(t *testing.T) {
	for _, size := range []int{0, 512, 70001} {
		disk := write(t, "box.qcow2", bytes.Repeat([]byte("d"), size))
		img, err := ContainerDisk(disk, "arm64")
		if err != nil {
			t.Fatal(err)
		}
		conf, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if conf.OS != "linux" || conf.Architecture != "arm64" || !conf.Created.Equal(tree.Epoch) {
			t.Errorf("size %d: config %+v", size, conf)
		}
		checkLayer(t, img, read(t, disk))
	}
}

// checkLayer makes sure that the only layer holds what KubeVirt looks for.
func checkLayer(t *testing.T, img v1.Image, disk []byte) {
	t.Helper()
	layers, err := img.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, error %v", len(layers), err)
	}
	if mt, err := layers[0].MediaType(); err != nil || mt != types.OCIUncompressedLayer {
		t.Errorf("layer of type %s, error %v", mt, err)
	}
	r, err := layers[0].Compressed()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	raw, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	digest, size, err := v1.SHA256(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if m, err := img.Manifest(); err != nil || m.Layers[0].Digest != digest || m.Layers[0].Size != size {
		t.Errorf("the manifest's layer is not %s, %d bytes: %+v, error %v", digest, size, m.Layers, err)
	}
	archive := tar.NewReader(bytes.NewReader(raw))
	for _, want := range []struct {
		name string
		mode int64
		data []byte
	}{{"disk/", 0o555, nil}, {"disk/box.qcow2", 0o440, disk}} {
		h, err := archive.Next()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		if h.Name != want.name || h.Mode != want.mode || h.Uid != 107 || h.Gid != 107 || !bytes.Equal(data, want.data) {
			t.Errorf("entry %s, mode %o, owner %d:%d, %d bytes; want %s, %o, 107:107, %d bytes",
				h.Name, h.Mode, h.Uid, h.Gid, len(data), want.name, want.mode, len(want.data))
		}
	}
	if _, err := archive.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the disk: %v, want the end", err)
	}
}

func TestContainerDiskLayout(t *testing.T) {
	b := testBoot(t, "amd64")
	out := makeMedium(t, "containerdisk", b)
	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for archive := tar.NewReader(f); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Name != "oci-layout" && h.Name != "index.json" && !strings.HasPrefix(h.Name, "blobs/sha256/") {
			t.Errorf("member %s is not of an OCI layout", h.Name)
		}
	}
	layout, err := oci.OpenSource(out)
	if err != nil {
		t.Fatal(err)
	}
	img, err := layout.Get("box", v1.Platform{OS: "linux", Architecture: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	defer img.Close()
	content, err := img.Tree(t.Context(), tree.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	disk := content.Lookup("disk/box.qcow2")
	if disk == nil {
		t.Fatal("the image holds no disk/box.qcow2")
	}
	magic := make([]byte, 4)
	if _, err := io.ReadFull(disk.Inode.Open(), magic); err != nil || string(magic) != "QFI\xfb" {
		t.Errorf("disk/box.qcow2 begins %q, error %v: no qcow2", magic, err)
	}
}
