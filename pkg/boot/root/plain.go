package root

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// spare is the mount point that LinuxKit uses for the same purpose.
const spare = "/mnt"

// enterBind puts "/" on top of itself: the tree stays where it is, but the mount
// that is now the root has a parent, which is all that pivot_root asks for.
func enterBind() error {
	if err := os.MkdirAll(spare, 0o755); err != nil {
		return fmt.Errorf("make mount point: %w", err)
	}
	if err := unix.Mount("/", spare, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind / on %s: %w", spare, err)
	}
	return enter(spare)
}

// enterCopy moves every file into a tmpfs. Files are moved one by one, so that
// memory holds the tree once, plus the largest file; that is also why the tmpfs
// may take more than the usual half of the memory.
func enterCopy() error {
	if err := os.MkdirAll(spare, 0o755); err != nil {
		return fmt.Errorf("make mount point: %w", err)
	}
	if err := unix.Mount("root", spare, "tmpfs", 0, "size=90%,mode=755"); err != nil {
		return fmt.Errorf("mount tmpfs on %s: %w", spare, err)
	}
	if err := moveTree("/", spare); err != nil {
		return err
	}
	return enter(spare)
}

// anyPowerful says whether a container can reach what lies below the root:
// that takes CAP_SYS_ADMIN to unmount and CAP_SYS_CHROOT to enter a namespace
// anew. It looks for the words in config.json instead of parsing it, and takes
// what it cannot read or what is spelt with escapes for a yes: then the boot is
// slower, but never weaker.
func anyPowerful(containers string) bool {
	files, err := filepath.Glob(containers + "/*/*/config.json")
	if err != nil {
		return true
	}
	for _, name := range files {
		info, err := os.Lstat(name)
		if err != nil || !info.Mode().IsRegular() {
			// It will not run either.
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil || powerful(data) {
			return true
		}
	}
	return false
}

func powerful(config []byte) bool {
	// \u004x and \u005x are the capitals and the underscore.
	if bytes.Contains(config, []byte(`\u004`)) || bytes.Contains(config, []byte(`\u005`)) {
		return true
	}
	return bytes.Contains(config, []byte("CAP_SYS_ADMIN")) && bytes.Contains(config, []byte("CAP_SYS_CHROOT"))
}
