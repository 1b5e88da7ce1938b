package build

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"
	"os"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"slipway/pkg/build/oci"
	"slipway/pkg/build/spec"
	"slipway/test/testimage"
)

// archive makes a tar of "name=text", "name/" and "name->target". Files have
// the mode 0600 if they are in etc/, else 0755.
func archive(t *testing.T, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f, Typeflag: tar.TypeDir, Mode: 0o755}
		var text string
		if name, target, ok := strings.Cut(f, "->"); ok {
			h.Name, h.Linkname, h.Typeflag, h.Mode = name, target, tar.TypeSymlink, 0o777
		} else if name, content, ok := strings.Cut(f, "="); ok {
			text = content
			h.Name, h.Typeflag, h.Size = name, tar.TypeReg, int64(len(text))
		}
		if strings.HasPrefix(h.Name, "etc/") && h.Typeflag == tar.TypeReg {
			h.Mode = 0o600
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// put stores an image of one layer.
func put(t *testing.T, store *oci.Layout, name string, config v1.Config, layer []byte) {
	t.Helper()
	if err := store.Put(name, testimage.Of(t, "amd64", config, layer), nil); err != nil {
		t.Fatal(err)
	}
}

// fixtures are the images that the cases in testdata name.
func fixtures(t *testing.T) *oci.Layout {
	t.Helper()
	store := oci.OpenLayout(t.TempDir(), true)
	modules := archive(t, "lib/modules/1.0/modules.dep=kernel/loop.ko:\nkernel/sq.ko: kernel/zs.ko\n", "lib/modules/1.0/kernel/loop.ko=loop")
	put(t, store, "test/kernel:1", v1.Config{}, archive(t, "kernel=vmlinuz", "kernel.tar="+string(modules), "ucode.cpio=microcode"))
	put(t, store, "test/init:1", v1.Config{}, archive(t, "bin/", "bin/init=init", "init->bin/init", "etc/", "etc/slipway/payload=yes"))
	app := archive(t, "bin/", "bin/app=app", "bin/sh->app", "srv/", "Dockerfile=FROM scratch", ".dockerenv=", "dev/console=x")
	put(t, store, "test/app:1", v1.Config{
		Entrypoint: []string{"/bin/app"}, Cmd: []string{"serve"}, Env: []string{"PATH=/bin"},
	}, app)
	put(t, store, "test/config:1", v1.Config{
		Cmd: []string{"/bin/app"}, Env: []string{"PATH=/bin"}, User: "web", StopSignal: "SIGRTMIN+3",
		Volumes:     map[string]struct{}{"/data": {}, "/srv": {}},
		Healthcheck: &v1.HealthConfig{Test: []string{"CMD", "/bin/app", "--check"}},
	}, archive(t, "bin/", "bin/app=app", "srv/", "data/", "etc/passwd=root:x:0:0::/:\nweb:x:33:34::/:\n"))
	put(t, store, "test/label:1", v1.Config{Cmd: []string{"app"}, Env: []string{"PATH=/bin"}, Labels: map[string]string{
		spec.LabelKey: `{"capabilities": ["CAP_SYS_ADMIN"], "binds": ["/run:/srv"], "readonly": true, "runtime": {"bindNS": {"net": "/run/netns/label"}}}`,
	}}, app)
	put(t, store, "test/wronglabel:1", v1.Config{Cmd: []string{"app"}, Env: []string{"PATH=/bin"}, Labels: map[string]string{
		spec.LabelKey: `{"capabilties": ["CAP_KILL"], "name": "x"}`,
	}}, app)
	packages := func(text string) string { return "lib/apk/db/installed=" + text }
	put(t, store, "test/alpine:1", v1.Config{}, archive(t, "init=init", packages("P:one\n"), "etc/mtab->../proc/mounts", "etc/hosts=own", "etc/resolv.conf=own"))
	put(t, store, "test/tools:1", v1.Config{}, archive(t, packages("P:two\nV:2\n"), "usr/bin/tool=tool"))
	put(t, store, "test/yamllabel:1", v1.Config{Entrypoint: []string{"/bin/app"}, WorkingDir: "/srv", Labels: map[string]string{
		spec.LabelKey: "capabilities: [CAP_KILL]\nbinds:\n- /run:/run\n- nowhere:/n\nuid: web\nrlimits: ['nofile,1,2']\n" +
			"resources: {pids: {limit: 5}}\nruntime: {cgroups: [a], interfaces: [{name: eth1}], namespace: other}\n",
	}}, app)
	put(t, store, "test/programs:1", v1.Config{}, archive(t, "bin/script=#!/usr/bin/env python\n", "bin/arm="+program(elf.EM_AARCH64, ""),
		"bin/dynamic="+program(elf.EM_X86_64, "/lib/ld-musl-x86_64.so.1"), "bin/good="+program(elf.EM_X86_64, "/bin/script"), "etc/text=x"))
	put(t, store, "test/cgroup:1", v1.Config{Cmd: []string{"app"}, Env: []string{"PATH=/bin"}, Labels: map[string]string{
		spec.LabelKey: `{"cgroupsPath": "/..", "runtime": {"cgroups": ["/", "fine"]}}`,
	}}, app)
	put(t, store, "test/hostile:1", v1.Config{Cmd: []string{"app"}}, archive(t, "../../evil=x"))
	return store
}

func writeText(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// program is the beginning of an ELF program, with an interpreter if one is
// named.
func program(machine elf.Machine, interpreter string) string {
	var b bytes.Buffer
	h := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: 1, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA], h.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	p := elf.Prog64{Type: uint32(elf.PT_INTERP), Off: 120, Filesz: uint64(len(interpreter)) + 1}
	if interpreter == "" {
		p.Type = uint32(elf.PT_NULL)
	}
	for _, part := range []any{h, p, append([]byte(interpreter), 0)} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			panic(err)
		}
	}
	return b.String()
}
