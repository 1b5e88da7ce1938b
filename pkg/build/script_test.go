package build

import (
	"path/filepath"
	"strings"
	"testing"

	"slipway/pkg/build/spec"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// What init cannot start at boot is told with its place, whichever image has it.
func TestScriptsOfInit(t *testing.T) {
	store := fixtures(t)
	put(t, store, "test/shell:1", v1.Config{}, archive(t, "bin/", "bin/sh=shell", "usr/bin/env=env"))
	put(t, store, "test/scripts:1", v1.Config{}, archive(t, "usr/bin/one=#!/bin/sh -e\n", "usr/bin/two=#!/bin/bash\n",
		"etc/init.d/001-one->/usr/bin/one", "etc/init.d/002-two->/usr/bin/two", "etc/init.d/003-none->/nowhere", "etc/init.d/004-dir/"))
	b := &Builder{Finder: only{store}, Hardening: spec.HardeningDefault}
	b.Platform.OS, b.Platform.Architecture = "linux", "amd64"
	for name, c := range map[string]struct {
		yml  string
		want []string
	}{
		"shell from another image": {"init: ['test/init:1', 'test/scripts:1', 'test/shell:1']", []string{"1:23: warning: init[1]: /usr/bin/two needs /bin/bash to start, which the image does not have"}},
		"no shell": {"init: ['test/init:1', 'test/scripts:1']", []string{"1:23: warning: init[1]: /usr/bin/one needs /bin/sh to start, which the image does not have",
			"1:23: warning: init[1]: /usr/bin/two needs /bin/bash to start, which the image does not have"}},
		"files": {"init: ['test/init:1', 'test/shell:1']\nfiles:\n" +
			"  - {path: etc/init.d/010-a, mode: '0755', contents: \"#!/bin/sh\\r\\n\"}\n" +
			"  - {path: etc/init.d/011-b, contents: \"#!/bin/sh\\n\"}\n" +
			"  - {path: etc/shutdown.d/010-c, mode: '0755', contents: \"#!/usr/bin/env python3\\n\"}\n" +
			"  - {path: etc/shutdown.d/011-d, mode: '0755', contents: \"#!/usr/bin/env sh\\n\"}\n" +
			"  - {path: etc/shutdown.d/012-e, mode: '0755', contents: \"#!/bin/sh\\n\"}\n",
			[]string{`3:5: warning: files[0]: /etc/init.d/010-a needs "/bin/sh\r" to start`, "4:5: warning: files[1]: /etc/init.d/011-b is not executable (mode 0600)",
				"5:5: warning: files[2]: /etc/shutdown.d/010-c needs python3 to start, which is not in its PATH, /sbin:/usr/sbin:/bin:/usr/bin"}},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "m.yml")
			writeText(t, file, c.yml+"\nkernel: {image: 'test/kernel:1', cmdline: x}\n")
			faults, err := b.CheckFiles(t.Context(), []string{file}, nil)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.ReplaceAll(faults.Error(), file+":", "")
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("no %q in\n%s", want, got)
				}
			}
			if len(faults) != len(c.want) {
				t.Errorf("%d faults, want %d:\n%s", len(faults), len(c.want), got)
			}
		})
	}
}

// With no image to look at, what the YAML's own files show is told all the same, and
// nothing of what an image might bring.
func TestScriptsOfText(t *testing.T) {
	const text = "init: ['test/init:1', 'test/shell:1']\nfiles:\n" +
		"  - {path: etc/init.d/010-a, mode: '0755', contents: \"#!/bin/sh\\r\\n\"}\n" +
		"  - {path: etc/init.d/011-b, contents: \"#!/bin/sh\\n\"}\n" +
		"  - {path: etc/init.d/012-c, mode: '0755', contents: \"#!/usr/bin/env python3\\r\\n\"}\n" +
		"  - {path: etc/shutdown.d/010-d, mode: '0755', contents: \"#!/usr/bin/env python3\\n\"}\n" +
		"  - {path: etc/shutdown.d/011-e, mode: '0755', contents: \"#!/bin/bash\\n\"}\n" +
		"  - {path: etc/shutdown.d/012-f, symlink: /usr/bin/f}\n" +
		"  - {path: etc/motd, contents: \"#!/bin/sh\\r\\n\"}\n" +
		"kernel: {image: 'test/kernel:1', cmdline: x}\n"
	want := []string{
		`files[0]: /etc/init.d/010-a needs "/bin/sh\r" to start`,
		"files[1]: /etc/init.d/011-b is not executable (mode 0600)",
		`files[2]: /etc/init.d/012-c needs "python3\r" to start`,
	}
	faults := checkText(t, nil, text)
	for _, w := range want {
		if !strings.Contains(faults.Error(), w) {
			t.Errorf("no %q", w)
		}
	}
	if len(faults) != len(want) || t.Failed() {
		t.Errorf("%d faults, want %d:\n%s", len(faults), len(want), faults)
	}
}
