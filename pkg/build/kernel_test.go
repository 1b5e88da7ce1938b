package build

import (
	"archive/tar"
	"bytes"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"slipway/pkg/build/spec"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// A kernel image says what its kernel wants on the command line; what the YAML sets is
// the YAML's, and LinuxKit's bytes have none of it.
func TestWordsOfKernelImage(t *testing.T) {
	store := fixtures(t)
	words := v1.Config{Labels: map[string]string{cmdlineLabel: " lsm=yama\n psi=1 "}}
	put(t, store, "test/wants:1", words, archive(t, "kernel=vmlinuz"))
	for _, c := range []struct{ image, given, want string }{
		{"wants", "console=ttyS0 -- x", "lsm=yama psi=1 console=ttyS0 -- x"},
		{"wants", "lsm=bpf", "psi=1 lsm=bpf"},
		{"wants", "a security=selinux psi", "a security=selinux psi"},
		{"wants", "xlsm=1 lsmx=1 psi=0", "lsm=yama xlsm=1 lsmx=1 psi=0"},
		{"kernel", "a", "a"},
	} {
		for hardening, want := range map[spec.Hardening]string{spec.HardeningDefault: c.want, spec.HardeningNone: c.given} {
			file := filepath.Join(t.TempDir(), "m.yml")
			writeText(t, file, "kernel: {image: 'test/"+c.image+":1', tar: none, cmdline: '"+c.given+"'}\ninit: ['test/init:1']\n")
			data, err := buildTar(t, store, hardening, file)
			if err != nil {
				t.Fatal(err)
			}
			if got := contentOf(t, data, CmdlineFile); got != want {
				t.Errorf("%s, %q: %q, want %q", hardening, c.given, got, want)
			}
		}
	}
	put(t, store, "test/long:1", v1.Config{Labels: map[string]string{cmdlineLabel: "a=" + strings.Repeat("x", 3000)}}, archive(t, "kernel=vmlinuz"))
	if _, _, err := buildText(t, store, spec.HardeningDefault, "kernel: {image: 'test/long:1', tar: none, cmdline: x}\ninit: ['test/init:1']\n"); err == nil || !strings.Contains(err.Error(), "kernel.cmdline: ") {
		t.Errorf("too many words: %v", err)
	}
}

func contentOf(t *testing.T, archive []byte, name string) string {
	t.Helper()
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if h.Name == name {
			text, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
	}
}
