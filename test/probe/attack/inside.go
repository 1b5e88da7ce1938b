package attack

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Program is where this program lies in its image.
const Program = "/bin/probe"

// Steps are what an attack does in a process that has namespaces of its own.
var Steps = map[string]func() error{
	"nothing":  func() error { return nil },
	"mount":    func() error { return unix.Mount("none", "/mnt", "tmpfs", 0, "") },
	"proc":     func() error { return unix.Mount("none", "/mnt", "proc", 0, "") },
	"overlay":  func() error { return unix.Mount("none", "/mnt", "overlay", 0, "lowerdir=/bin:/etc") },
	"unmask":   func() error { return unix.Unmount("/proc/kcore", unix.MNT_DETACH) },
	"nftables": newTable,
	"link":     newLink,
	"packet":   makes(unix.SYS_SOCKET, unix.AF_PACKET, unix.SOCK_RAW, 0),
	"xfrm":     flushPolicies,
	"root":     isRoot,
}

// stepExit is the status of a step that fails, with the errno on its output.
const stepExit = 77

// within runs a step as a child of this program with new namespaces, as the root
// of its user namespace.
func within(step string, flags uintptr) func() error {
	return func() error {
		mapped := &syscall.SysProcAttr{
			Cloneflags:  flags,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
		}
		err := runStep(mapped, Program, step)
		if !errors.Is(err, unix.EPERM) {
			return err
		}
		// Root without CAP_SETFCAP may not map itself. Nobody has all
		// capabilities in a namespace of its own as well.
		nobody := &syscall.SysProcAttr{Cloneflags: flags}
		for c := range uintptr(unix.CAP_LAST_CAP + 1) {
			nobody.AmbientCaps = append(nobody.AmbientCaps, c)
		}
		return runStep(nobody, Program, step)
	}
}

// runStep returns the error of a step that ran in another process.
func runStep(as *syscall.SysProcAttr, program, step string) error {
	cmd := exec.Command(program, "step", step)
	cmd.SysProcAttr, cmd.Stderr = as, os.Stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == stepExit {
		n, convErr := strconv.Atoi(strings.TrimSpace(string(out)))
		if convErr != nil {
			return convErr
		}
		return syscall.Errno(n)
	}
	return err
}

// DoStep carries out a step and returns the status to exit with.
func DoStep(name string) int {
	step := Steps[name]
	if step == nil {
		return 2
	}
	err := step()
	if err == nil {
		return 0
	}
	var errno unix.Errno
	if !errors.As(err, &errno) {
		Detail("%v", err)
		return 1
	}
	fmt.Println(int(errno))
	return stepExit
}

func itoa(n int) string { return strconv.Itoa(n) }

func putUint64(b []byte, v uint64) { binary.NativeEndian.PutUint64(b, v) }

func putUint32(b []byte, v uint32) { binary.NativeEndian.PutUint32(b, v) }
