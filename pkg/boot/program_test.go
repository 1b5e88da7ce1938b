package boot

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Programs that do not start are really started: the kernel's error and our words
// for it belong together.
func TestWhyNot(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		err  error
		want string
	}{
		"interpreter":    {"#!/none/sh\necho x\n", 0o755, unix.ENOENT, `it needs "/none/sh", which the image does not have`},
		"with argument":  {"#! /none/perl -w\n", 0o755, unix.ENOENT, `it needs "/none/perl", which`},
		"with tab":       {"#!\t/none/perl\t-w\n", 0o755, unix.ENOENT, `it needs "/none/perl", which`},
		"DOS line":       {"#!/bin/sh\r\necho x\r\n", 0o755, unix.ENOENT, `it needs "/bin/sh\r", which`},
		"no end of line": {"#!/none/sh", 0o755, unix.ENOENT, `it needs "/none/sh", which`},
		"not executable": {"#!/bin/sh\n", 0o644, unix.EACCES, "it is not executable (mode 0644)"},
		"no #! line":     {"echo x\n", 0o755, unix.ENOEXEC, "it has no #! line"},
		"empty":          {"", 0o755, unix.ENOEXEC, "it has no #! line"},
		"absent":         {"-", 0, unix.ENOENT, "no such file or directory"},
	} {
		t.Run(name, func(t *testing.T) {
			program := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
			if c.mode != 0 {
				if err := os.WriteFile(program, []byte(c.text), c.mode); err != nil {
					t.Fatal(err)
				}
			}
			err := exec.Command(program).Run()
			if !errors.Is(err, c.err) {
				t.Fatalf("the kernel says %v", err)
			}
			if got := whyNot(program, err); !errors.Is(got, c.err) || !strings.Contains(got.Error(), c.want) {
				t.Errorf("%v, want %s", got, c.want)
			}
		})
	}
}

// A program that is linked dynamically has its loader's name inside.
func TestLoader(t *testing.T) {
	dir := t.TempDir()
	source, program := filepath.Join(dir, "x.c"), filepath.Join(dir, "x")
	if err := os.WriteFile(source, []byte("int main(void) { return 0; }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("gcc", "-o", program, source, "-Wl,--dynamic-linker=/none/ld-musl.so.1").CombinedOutput()
	if err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	err = whyNot(program, exec.Command(program).Run())
	if !errors.Is(err, unix.ENOENT) || !strings.Contains(err.Error(), `it needs "/none/ld-musl.so.1", which`) {
		t.Error(err)
	}
	script := filepath.Join(dir, "script")
	if err := os.WriteFile(script, []byte("#!"+program+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	err = whyNot(script, exec.Command(script).Run())
	if !errors.Is(err, unix.ENOENT) || !strings.Contains(err.Error(), `it needs "/none/ld-musl.so.1", which`) {
		t.Error(err)
	}
	if name := interpreter("/proc/self/exe"); strings.ContainsRune(name, 0) {
		t.Errorf("this program needs %q", name)
	}
}

func FuzzLoader(f *testing.F) {
	f.Add("\x7fELF\x02\x01" + strings.Repeat("\x00", 100))
	f.Fuzz(func(t *testing.T, text string) {
		if name := loader(strings.NewReader(text), []byte(text[:min(256, len(text))])); len(name) > len(text) {
			t.Errorf("%d bytes of a file with %d", len(name), len(text))
		}
	})
}
