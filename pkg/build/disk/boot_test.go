package disk

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"slipway/pkg/build/oci"
	"slipway/pkg/build/tree"
	"slipway/pkg/qemu"
	"slipway/test/skip"
)

// TestBoot starts each medium under OVMF with the kernel and the stub of our
// own images, which `make images` builds. Its init says with which command line
// it came up.
func TestBoot(t *testing.T) {
	t.Parallel()
	skip.IfShort(t)
	b := Boot{
		Name: "boot", Arch: "amd64",
		Kernel:  fromStore(t, "slipway/kernel:v0.1", "kernel"),
		Stub:    fromStore(t, StubImage, StubFile),
		Initrd:  testInitrd(t),
		Cmdline: "console=ttyS0 panic=-1 disk.test=yes",
	}
	for _, format := range []string{"raw-efi", "iso-efi", "qcow2-efi"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			out := makeMedium(t, format, b)
			res, console := boot(t, out)
			want := regexp.MustCompile(`(?m)^disk-test: cmdline ` + regexp.QuoteMeta(b.Cmdline) + `$`)
			if res.Ending != qemu.PoweredOff || !want.MatchString(console) {
				t.Errorf("%s; want a line %s and power-off. Console:\n%s", res, want, console)
			}
		})
	}
}

// TestBootFails makes sure that boot tells a machine that comes up from one that
// does not.
func TestBootFails(t *testing.T) {
	t.Parallel()
	skip.IfShort(t)
	b := testBoot(t, "amd64") // made of programs that no firmware starts
	gaveUp := regexp.MustCompile(`EFI Internal Shell|No bootable option`)
	if res, console := boot(t, makeMedium(t, "raw-efi", b), gaveUp); res.Ending != qemu.FailMatched {
		t.Errorf("a disk with no program on it: %s. Console:\n%s", res, console)
	}
}

// boot runs a machine until it powers off, or says what is listed. The deadline
// is only there so that a machine that hangs is noticed.
func boot(t *testing.T, medium string, failOn ...*regexp.Regexp) (qemu.Result, string) {
	t.Helper()
	what := qemu.Boot{Disk: medium}
	if strings.HasSuffix(medium, ".iso") {
		what = qemu.Boot{ISO: medium}
	}
	binary, err := qemu.FindBinary("", "x86_64")
	if err != nil {
		t.Fatal(err)
	}
	var console bytes.Buffer
	vm, err := qemu.Start(
		qemu.Config{Name: "disk-test", Arch: "x86_64", Binary: binary, Boot: what, UEFI: true, MemMB: 512, NoNetwork: true, NoReboot: true},
		qemu.Watch{Timeout: 10 * time.Minute, FailOn: failOn},
		qemu.Console{Output: &console, Plain: true})
	if err != nil {
		t.Fatal(err)
	}
	return vm.Wait(), console.String()
}

// fromStore takes one file out of an image of the local store.
func fromStore(t *testing.T, name, path string) string {
	t.Helper()
	img, err := oci.OpenStore().Get(name, v1.Platform{OS: "linux", Architecture: "amd64"})
	if err != nil {
		t.Fatalf("%v; `make images` builds it", err)
	}
	defer img.Close()
	content, err := img.Tree(t.Context(), tree.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	node := content.Lookup(path)
	if node == nil {
		t.Fatalf("%s holds no %s", name, path)
	}
	data, err := io.ReadAll(node.Inode.Open())
	if err != nil {
		t.Fatal(err)
	}
	return write(t, filepath.Base(path), data)
}

// testInitrd is an archive with one program, testdata/init.
func testInitrd(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "init")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "./testdata/init")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build testdata/init: %v\n%s", err, out)
	}
	var b bytes.Buffer
	put := func(name string, mode int, data []byte) {
		// "newc": magic, inode, mode, uid, gid, links, mtime, size, four device
		// numbers, length of the name, sum; then name and data, each padded to 4.
		fmt.Fprintf(&b, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
			0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0, name)
		b.Write(make([]byte, -b.Len()&3))
		b.Write(data)
		b.Write(make([]byte, -b.Len()&3))
	}
	put("init", 0o100755, read(t, program))
	put("TRAILER!!!", 0, nil)
	return write(t, "initrd", b.Bytes())
}
