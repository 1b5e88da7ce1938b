package build

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"slipway/pkg/build/oci"
	"slipway/pkg/build/output"
	"slipway/pkg/build/spec"
)

// paths lists the tar of a build as "name" or "name->target", sorted, each once.
func paths(t *testing.T, data []byte) []string {
	t.Helper()
	set := map[string]bool{}
	for tr := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		name := h.Name
		if h.Linkname != "" {
			name += "->" + h.Linkname
		}
		set[name] = true
	}
	var list []string
	for name := range set {
		list = append(list, name)
	}
	sort.Strings(list)
	return list
}

func buildText(t *testing.T, store *oci.Layout, hardening spec.Hardening, text string) ([]string, string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "m.yml")
	writeText(t, file, text)
	data, warnings, err := buildWarned(t, store, hardening, file)
	if err != nil {
		return nil, "", err
	}
	return paths(t, data), warnings.Error(), nil
}

func lacks(list []string, want ...string) (missing []string) {
	have := " " + strings.Join(list, " ") + " "
	for _, w := range want {
		if !strings.Contains(have, " "+w+" ") {
			missing = append(missing, w)
		}
	}
	return missing
}

// TestLinksForDirectories builds images in which a link is where the builder puts
// something: that goes where the link leads, and what was there stays.
func TestLinksForDirectories(t *testing.T) {
	store := fixtures(t)
	for name, c := range map[string]struct {
		files []string
		want  []string
		warns string
	}{
		"etc, relative":         {[]string{"private/", "private/etc/", "private/etc/app=x", "etc->private/etc"}, []string{"etc->private/etc", "private/etc/app", "private/etc/hosts", "private/etc/resolv.conf->/run/resolvconf/resolv.conf"}, ""},
		"etc, absolute":         {[]string{"private/etc/app=x", "etc->/private/etc"}, []string{"etc->/private/etc", "private/etc/app", "private/etc/hosts"}, ""},
		"etc, climbing out":     {[]string{"private/etc/app=x", "etc->../../../private/etc"}, []string{"etc->../../../private/etc", "private/etc/app", "private/etc/hosts"}, ""},
		"etc, dangling":         {[]string{"etc->private/etc"}, []string{"etc->private/etc", "private/", "private/etc/", "private/etc/hosts"}, ""},
		"etc, links in a row":   {[]string{"etc->a", "a->b/c"}, []string{"etc->a", "a->b/c", "b/c/hosts"}, ""},
		"etc, in a circle":      {[]string{"etc->etc"}, []string{"etc/", "etc/hosts"}, "/etc of image test/links:1 is a link to \"etc\", which leads to no directory"},
		"etc, to a file":        {[]string{"f=x", "etc->f"}, []string{"f", "etc/", "etc/hosts"}, `/etc of image test/links:1 is a link to "f"`},
		"dev":                   {[]string{"run/dev/x=1", "dev->run/dev"}, []string{"dev->run/dev", "run/dev/x", "run/dev/pts/", "run/dev/shm/"}, ""},
		"dev, out of the image": {[]string{"dev->/../../containers"}, []string{"dev->/../../containers", "containers/pts/"}, ""},
		"proc and sys":          {[]string{"kernel/proc/", "proc->kernel/proc", "sys->/kernel/sys"}, []string{"proc->kernel/proc", "sys->/kernel/sys", "kernel/sys/"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			put(t, store, "test/links:1", v1.Config{Cmd: []string{"x"}}, archive(t, c.files...))
			for _, hardening := range []spec.Hardening{spec.HardeningDefault, spec.HardeningNone} {
				for prefix, text := range map[string]string{
					"": "init: [\"test/links:1\"]\n", "containers/volumes/v/lower/": "volumes: [{name: v, image: \"test/links:1\"}]\n",
				} {
					got, warnings, err := buildText(t, store, hardening, text)
					if err != nil {
						t.Fatal(err)
					}
					var want []string
					for _, w := range c.want {
						want = append(want, prefix+w)
					}
					if missing := lacks(got, want...); missing != nil {
						t.Errorf("%s%s: missing %v in\n%s", hardening, prefix, missing, strings.Join(got, "\n"))
					}
					if !strings.Contains(warnings, c.warns) {
						t.Errorf("%s%s: warnings %s", hardening, prefix, warnings)
					}
				}
			}
		})
	}
}

// TestDirectoriesKeepTheirOwner wants of what every image gets only what it lacks.
func TestDirectoriesKeepTheirOwner(t *testing.T) {
	store := fixtures(t)
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []tar.Header{
		{Name: "./", Typeflag: tar.TypeDir, Mode: 0o711, Uid: 5}, {Name: "./etc/", Typeflag: tar.TypeDir, Mode: 0o750, Gid: 6}, {Name: "proc/", Typeflag: tar.TypeDir, Mode: 0o555},
	} {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, store, "test/owned:1", v1.Config{Cmd: []string{"x"}}, b.Bytes())
	file := filepath.Join(t.TempDir(), "m.yml")
	writeText(t, file, "init: [\"test/owned:1\"]\nonboot: [{name: c, image: \"test/owned:1\"}, {name: r, image: \"test/owned:1\", readonly: true}]\n")
	for _, hardening := range []spec.Hardening{spec.HardeningDefault, spec.HardeningNone} {
		data, _, err := buildWarned(t, store, hardening, file)
		if err != nil {
			t.Fatal(err)
		}
		last := map[string]*tar.Header{}
		for tr := tar.NewReader(bytes.NewReader(data)); ; {
			h, err := tr.Next()
			if err != nil {
				break
			}
			last[h.Name] = h
		}
		const lower = "containers/onboot/000-c/lower/"
		if h := last[lower]; h.Mode != 0o711 || h.Uid != 5 {
			t.Errorf("%s: the container's root: %#o of %d", hardening, h.Mode, h.Uid)
		}
		if h := last[lower+"etc/"]; h.Mode != 0o750 || h.Gid != 6 {
			t.Errorf("%s: etc: %#o of %d", hardening, h.Mode, h.Gid)
		}
		if h := last[lower+"proc/"]; h.Mode != 0o555 {
			t.Errorf("%s: proc: %#o", hardening, h.Mode)
		}
	}
}

// TestMergedUsr joins init images, and the kernel's modules, that have directories
// where others have links.
func TestMergedUsr(t *testing.T) {
	store := fixtures(t)
	put(t, store, "test/plain:1", v1.Config{}, archive(t, "bin/", "bin/plain=x", "lib/", "lib/plain=x", "sbin/plain=x"))
	put(t, store, "test/merged:1", v1.Config{}, archive(t, "bin->usr/bin", "lib->usr/lib", "sbin->/usr/sbin", "usr/bin/merged=x", "usr/lib/modules/own=x"))
	want := []string{
		"bin->usr/bin", "lib->usr/lib", "sbin->/usr/sbin", "usr/bin/plain", "usr/bin/merged", "usr/lib/plain",
		"usr/sbin/plain", "usr/lib/modules/own", "usr/lib/modules/1.0/modules.dep", "usr/lib/modules/1.0/kernel/loop.ko",
	}
	for _, hardening := range []spec.Hardening{spec.HardeningDefault, spec.HardeningNone} {
		for _, init := range []string{`"test/plain:1", "test/merged:1"`, `"test/merged:1", "test/plain:1"`} {
			got, _, err := buildText(t, store, hardening, "kernel: {image: \"test/kernel:1\", cmdline: x}\ninit: ["+init+"]\nfiles: [{path: bin/file, contents: x}, {path: /usr/bin, directory: true, mode: \"0755\"}, {path: lib, directory: true, mode: \"0755\"}]\n")
			if err != nil {
				t.Fatal(err)
			}
			if missing := lacks(got, append(want, "usr/bin/file")...); missing != nil {
				t.Errorf("%s: missing %v in\n%s", init, missing, strings.Join(got, "\n"))
			}
		}
	}
	put(t, store, "test/boot:1", v1.Config{}, archive(t, "boot->usr/boot"))
	_, _, err := buildText(t, store, spec.HardeningDefault, "kernel: {image: \"test/kernel:1\", cmdline: x}\ninit: [\"test/boot:1\"]\n")
	if err == nil || !strings.Contains(err.Error(), `/boot is a link to "usr/boot", and the kernel lies there`) {
		t.Errorf("got %v", err)
	}
	put(t, store, "test/hides:1", v1.Config{}, archive(t, "bin=x"))
	_, _, err = buildText(t, store, spec.HardeningDefault, "init: [\"test/plain:1\", \"test/hides:1\"]\n")
	if err == nil || !strings.Contains(err.Error(), `"bin" of image test/hides:1, layer 1 (sha256:`) || !strings.Contains(err.Error(), "would hide the directory that image test/plain:1, layer 1 (sha256:") {
		t.Errorf("got %v", err)
	}
}

// TestSparseModules takes a kernel's modules from a tar with sparse files.
func TestSparseModules(t *testing.T) {
	store := fixtures(t)
	file, err := os.Open("tree/testdata/sparse-gnu.tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	modules, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	put(t, store, "test/sparse:1", v1.Config{}, archive(t, "kernel=x", "kernel.tar="+string(modules)))
	got, _, err := buildText(t, store, spec.HardeningDefault, "kernel: {image: \"test/sparse:1\", cmdline: x}\ninit: [\"test/init:1\"]\n")
	if err != nil {
		t.Fatal(err)
	}
	if missing := lacks(got, "some", "hole", "many", "plain"); missing != nil {
		t.Errorf("missing %v", missing)
	}
}

// TestFormatsAreAsked says where the YAML brings what a format cannot hold.
func TestFormatsAreAsked(t *testing.T) {
	store := fixtures(t)
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range []string{"ping", "arping"} {
		h := &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o755, PAXRecords: map[string]string{"SCHILY.xattr.security.capability": "x"}}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, store, "test/caps:1", v1.Config{Cmd: []string{"/ping"}}, b.Bytes())
	file := filepath.Join(t.TempDir(), "m.yml")
	writeText(t, file, "init: [\"test/init:1\"]\nonboot:\n- name: c\n  image: \"test/caps:1\"\n")
	m, err := (&Builder{Finder: only{store}, Platform: v1.Platform{OS: "linux", Architecture: "amd64"}}).BuildFiles(t.Context(), []string{file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for initrd, want := range map[string]string{"": "", "cpio": "m.yml:4:10: warning: onboot[0].image: kernel+initrd cannot hold the file capabilities of /containers/onboot/000-c/lower/ping and 1 more files, which are lost"} {
		faults, err := m.CheckFormat("kernel+initrd", output.Options{Initrd: initrd})
		if err != nil {
			t.Fatal(err)
		}
		if got := faults.Error(); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%q: got %s", initrd, got)
		}
	}
}

// TestOtherArchitecture warns of an image that the CPU runs and the kernel may not.
func TestOtherArchitecture(t *testing.T) {
	dir, _ := layoutOf(t, "test/multi:1", "386")
	source, err := oci.OpenSource(dir)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "m.yml")
	writeText(t, file, "onboot: [{name: c, image: \"test/multi:1\"}]\n")
	b := &Builder{Finder: only{source}, Platform: v1.Platform{OS: "linux", Architecture: "amd64"}}
	faults, err := b.CheckFiles(t.Context(), []string{file}, nil)
	if err != nil || !strings.Contains(faults.Error(), "onboot[0].image: the image is for linux/386, and the machine is linux/amd64") {
		t.Errorf("got %v, %v", faults, err)
	}
}
