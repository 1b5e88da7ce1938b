//go:build !linux

package qemu

import (
	"errors"
	"os"
	"runtime"
	"syscall"
)

// Lacking is what this system cannot do of all that is here; "" for nothing.
const Lacking = "on " + runtime.GOOS + " guests are emulated, for want of KVM, nothing runs in the background, and QEMU outlives slipway if that is killed"

// child is how QEMU starts: in a process group of its own, so that Ctrl-C is ours to
// handle.
func child() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// memFile is for trials of KVM.
func memFile(string, []byte) (*os.File, error) { return nil, errors.New(Lacking) }
