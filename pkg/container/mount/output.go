package mount

import (
	"strconv"

	"golang.org/x/sys/unix"

	"slipway/pkg/port"
)

// Output is the filesystem at dir in which containers leave files for the host. Its size is
// bounded, as what is in it is memory. PID 1 mounts it with all others; under another
// init the service program does.
func Output(dir string) Mount {
	return Mount{Source: "output", Target: dir, Type: "tmpfs", Flags: unix.MS_NODEV | unix.MS_NOSUID | unix.MS_NOEXEC | unix.MS_RELATIME,
		Data: []string{"size=10%", "nr_inodes=" + strconv.Itoa(port.MaxFiles), "mode=1777"}}
}
