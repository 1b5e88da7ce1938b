// Package store keeps what a container writes to its standard output and error.
//
// The container writes into two named pipes. A Pump, one thread for all
// containers of a process, moves the bytes from the pipes into memory (package
// spool) and hands them to sinks. No pipe is ever read by anybody who may wait
// for a disk: the kernel would have its writer, the container, wait as well, and
// nothing could end that one.
//
// From the spool a lane, one goroutine for each directory, carries the bytes to
// files that have LinuxKit's names and hold the plain bytes that were written,
// with an index beside them (package index).
//
// Before it: pkg/container asks for the two ends to give to the container.
// After it: package read, for `service logs` and for the last lines of a run
// that failed.
package store

import (
	"log/slog"
	"os"
	"time"

	"slipway/pkg/log/console"
	"slipway/pkg/log/layout"
)

// Holder is a process that lives longer than this one and keeps a copy of a
// file descriptor: a pipe and what is in it live as long as anybody has it open.
// Package fdstore has one.
type Holder interface {
	Hold(name string, f *os.File) error
	Release(name string) error
}

// Options are what Open needs beside the bundle.
type Options struct {
	Paths layout.Paths
	// Pump serves the pipes; nil gives the Writer one of its own. A process
	// with many containers shares one.
	Pump *Pump
	// Console gets the lines of containers with slipway.log=console. Nil:
	// nowhere.
	Console *console.Console
	// Holder keeps the pipes' content while no process of ours that reads them
	// lives. Nil: what is in a pipe is lost if the container dies before the
	// successor of this process is there.
	Holder Holder
	// Direct, if set, is given to the container as both of its outputs, and
	// nothing is kept: linuxkit.runc_console=1. It is not closed.
	Direct *os.File
	Log    *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}
