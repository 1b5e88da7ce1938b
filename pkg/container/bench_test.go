package container

import (
	"io"
	"log/slog"
	"os/exec"
	"testing"

	"slipway/pkg/bundle"
	"slipway/pkg/container/mount"
)

// What an Engine adds to the bare runtime, which gets its root ready made.
func BenchmarkContainer(b *testing.B) {
	for name, write := range map[string]bool{"read-only": false, "read-write": true} {
		e, root := testEngine(b), containers(b)
		e.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
		box := shape{name: "000-bench", write: write, args: []string{"/bin/true"}}.lay(b, root)
		b.Run(name+"/engine", func(b *testing.B) {
			for range b.N {
				runToEnd(b, e, box)
			}
		})
		plain := shape{name: "001-bench", write: true, args: []string{"/bin/true"}}.lay(b, root)
		bind := mount.Mount{Source: plain.Path("lower"), Target: plain.Path(bundle.RootfsDir), Flags: 4096}
		must(b, bind.Do())
		b.Run(name+"/plain", func(b *testing.B) {
			for range b.N {
				cmd := exec.Command(findRunc(b), "--root", e.one().Root, "run", "--bundle", plain.Dir, plain.Name)
				status, err := reaper.Run(testContext(b), cmd)
				if err != nil || !status.Success() {
					b.Fatalf("%v, %v", status, err)
				}
			}
		})
		must(b, mount.Unmount(plain.Path(bundle.RootfsDir), 0))
	}
}
