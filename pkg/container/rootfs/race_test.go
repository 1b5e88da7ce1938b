package rootfs

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"slipway/pkg/bundle"

	"golang.org/x/sys/unix"
)

// While a directory is swapped for a link out of the rootfs, over and over, as a
// hostile process could do, no directory is made where the link leads.
func TestSwappedDirectory(t *testing.T) {
	b := &bundle.Bundle{Name: "web", Section: bundle.Services, Dir: filepath.Join(t.TempDir(), "services", "web")}
	victim, rootfs := t.TempDir(), b.Path(bundle.RootfsDir)
	if err := os.MkdirAll(rootfs+"/var/a", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, rootfs+"/var/b"); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var swapping sync.WaitGroup
	swapping.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := unix.Renameat2(unix.AT_FDCWD, rootfs+"/var/a", unix.AT_FDCWD, rootfs+"/var/b", unix.RENAME_EXCHANGE); err != nil {
				t.Error(err)
				return
			}
		}
	})
	made := 0
	for range 3000 {
		undo, err := Mkdir{locate(b, "var/a/made/deep")}.Apply(context.Background(), 0)
		if err != nil {
			continue // refused, or lost the race
		}
		made++
		if err := undo(); err != nil {
			t.Logf("undo: %v", err)
		}
	}
	close(stop)
	swapping.Wait()
	if made == 0 {
		t.Error("not once was the directory made, so this shows nothing")
	}
	if entries, err := os.ReadDir(victim); err != nil || len(entries) > 0 {
		t.Errorf("the victim holds %v, %v", entries, err)
	}
}
