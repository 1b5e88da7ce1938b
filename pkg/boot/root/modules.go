package root

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"slipway/pkg/boot/module"
)

// procDir is where the root's modules have a look at the command line.
const procDir = payloadDir + "/proc"

// loading is the payload's modules on their way into the kernel. Only some are
// needed to mount the squashfs; the root is entered while the others load, which
// on a machine with two processors hides half of them.
type loading struct {
	mountable chan struct{} // closed when what the mount takes is loaded
	done      chan struct{} // closed when all are
	err       error         // set before done is closed
}

// openModules opens the files that the list names, one path a line: the list
// and the files are gone from the initramfs before all are loaded.
func openModules(list string) ([]*os.File, error) {
	data, err := os.ReadFile(list)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read list of modules: %w", err)
	}
	var files []*os.File
	for name := range strings.Lines(string(data)) {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("open module: %w", err)
		}
		files = append(files, f)
	}
	return files, nil
}

// startLoading loads the files in their order.
func startLoading(files []*os.File) *loading {
	unsigned := wantsUnsigned()
	l := &loading{mountable: make(chan struct{}), done: make(chan struct{})}
	last := -1
	for i, f := range files {
		if name := module.Name(f.Name()); name == "loop" || name == "squashfs" {
			last = i
		}
	}
	if last < 0 {
		close(l.mountable)
	}
	go func() {
		defer close(l.done)
		for i, f := range files {
			l.err = errors.Join(l.err, module.Insert(f, "", unsigned), f.Close())
			if i == last {
				close(l.mountable)
			}
		}
	}()
	return l
}

func (l *loading) awaitMount() { <-l.mountable }

func (l *loading) await() error {
	<-l.done
	return l.err
}

// wantsUnsigned asks the kernel's command line, for which /proc is mounted and
// unmounted again: a mount would stay behind when the root moves. Whatever goes
// wrong means modules are loaded as they are.
func wantsUnsigned() bool {
	if err := os.MkdirAll(procDir, 0o555); err != nil {
		return false
	}
	if err := unix.Mount("proc", procDir, "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return false
	}
	words, err := os.ReadFile(procDir + "/cmdline")
	if unmount := unix.Unmount(procDir, 0); unmount != nil {
		return false
	}
	return err == nil && module.Unsigned(string(words))
}
