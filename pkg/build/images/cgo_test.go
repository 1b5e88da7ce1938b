package images

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// The libraries of another architecture lie in a new directory for each build, and
// Go's build cache outlives them.
func TestLibrariesMoveBetweenBuilds(t *testing.T) {
	triplet := crossTargets[runtime.GOARCH].triplet
	for _, program := range []string{triplet + "-gcc", "ar", "pkg-config"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%v: `make setup` installs it", err)
		}
	}
	main := t.TempDir()
	write(t, main, map[string]string{
		"go.mod": "module thing\n\ngo 1.21\n",
		"main.go": "package main\n\n// #cgo pkg-config: thing\n// int thing(void);\nimport \"C\"\n\n" +
			"func main() { println(C.thing(), `" + main + "`) }\n", // another program each time, which the cache has not seen
	})
	for range 2 {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		lib := filepath.Join(dir, "usr/lib", triplet)
		write(t, lib, map[string]string{
			"pkgconfig/thing.pc": "Name: thing\nDescription: thing\nVersion: 1\nLibs: -L/usr/lib/" + triplet + " -lthing\n",
			"thing.c":            "int thing(void) { return 7; }\n",
		})
		for _, args := range [][]string{{triplet + "-gcc", "-c", "thing.c"}, {"ar", "rc", "libthing.a", "thing.o"}} {
			cmd := exec.Command(args[0], args[1:]...)
			cmd.Dir = lib
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %v\n%s", args, err, out)
			}
		}
		env := append(crossEnv(triplet, dir), "CGO_ENABLED=1", "GOWORK=off")
		if _, err := goBuild(context.Background(), main, ".", env); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
}
