package boot

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"slipway/pkg/boot/module"
	"slipway/pkg/boot/power"
	"slipway/pkg/machine"
)

// names are what PID 1's half of the program is called; by any other it is the service program.
var names = []string{"init", "rc.init", "rc.shutdown", "exec", "modprobe", "mdev", "poweroff", "reboot", "halt", helper}

// helper is the name of the file that LinuxKit's kernels start for all their calls. It has as many
// characters as the kernel keeps of a name.
const helper = "usermode-helper"

// Called tells whether Call is wanted: by one of its names, or by a kernel that has the
// helper do its calls, whatever they are.
func Called(args []string) bool {
	return len(args) == 0 || slices.Contains(names, path.Base(args[0])) || startedAs() == helper
}

// startedAs is the name of the file that was started, which a caller's first argument may hide.
func startedAs() string {
	var name [16]byte
	if err := unix.Prctl(unix.PR_GET_NAME, uintptr(unsafe.Pointer(&name[0])), 0, 0, 0); err != nil {
		return ""
	}
	return unix.ByteSliceToString(name[:])
}

// Call is the program, by the name it was called by. The kernels of LinuxKit have
// /sbin/usermode-helper do all their calls, with the wanted program as the name:
// so the same list answers them, and what is not in it is refused.
func Call(args []string) int {
	if len(args) == 0 {
		args = []string{"init"}
	}
	var status int
	var err error
	switch name := path.Base(args[0]); name {
	case "init", "rc.init":
		if name == "init" && os.Getpid() != 1 {
			status, err = 1, fmt.Errorf("init: must be PID 1; use poweroff, reboot or halt")
			break
		}
		return Main()
	case "exec":
		status, err = 127, become(args[1:])
	case "modprobe":
		status, err = module.Modprobe(args[1:])
	case "mdev":
		// PID 1 hears of devices itself.
	case "poweroff", "reboot", "halt":
		status, err = power.Command(machine.Verb(name), args[1:])
	case "rc.shutdown":
		status, err = rcShutdown(args[1:])
	default:
		status, err = 2, fmt.Errorf("usermode-helper: refused: %s", strings.Join(args, " "))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		logCall(err)
	}
	return status
}

// rcShutdown is the script that LinuxKit's inittab names, for those who call it.
func rcShutdown(args []string) (int, error) {
	verb := machine.Poweroff
	if len(args) > 0 {
		verb = machine.Verb(args[0])
	}
	switch verb {
	case "noop":
		return 0, nil
	case machine.Poweroff, machine.Reboot, machine.Halt:
		return power.Command(verb, nil)
	}
	return 2, fmt.Errorf("usage: rc.shutdown [poweroff|reboot|noop]")
}

// logCall leaves a word in the kernel's log: what the kernel calls has no stderr.
func logCall(err error) {
	fd, oerr := unix.Open("/dev/kmsg", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if oerr != nil {
		return
	}
	if _, werr := unix.Write(fd, []byte("slipway: "+err.Error()+"\n")); werr != nil {
		fmt.Fprintln(os.Stderr, werr)
	}
	if cerr := unix.Close(fd); cerr != nil {
		fmt.Fprintln(os.Stderr, cerr)
	}
}
