// Package qemu runs an image in a virtual machine and says how that ended.
//
// It is the last step on the host: pkg/build makes the files of an image, this
// package finds them (Resolve), finds QEMU and the fastest acceleration that
// really works (FindBinary, Accelerator), turns both into a command line
// (Args), and starts the machine (Start). While it runs, a judge reads the
// console, what the guest says on its port (pkg/port), and QEMU's events, and decides: clean power-off, kernel panic, out of
// memory, hang, or what the caller asked to look for (Result).
//
// Nothing outlives a run: QEMU dies with this process, and the console, the port
// and the QMP monitor are socket pairs, not files.
package qemu

import (
	"cmp"
	"regexp"
	"time"
)

// Config is a machine: what it boots and what is plugged in.
type Config struct {
	Name   string // shown by ps and in window titles
	Arch   string // x86_64 or aarch64; empty: x86_64
	Binary string // QEMU's path; see FindBinary
	Accel  string // kvm or tcg; empty: tcg

	Boot   Boot
	Append string // more words for the kernel command line

	MemMB int // default 1024
	CPUs  int // default 1

	Disks     []Disk
	Metadata  string // a disc for the guest's metadata; see MakeMetadata
	NoNetwork bool
	Publish   []Publish
	Watchdog  bool // plug in an i6300esb
	UEFI      bool // boot with OVMF instead of SeaBIOS
	NoReboot  bool // a reboot of the guest ends the run
	// Serials are further serial ports, ttyS1 and so on, each a backend as
	// QEMU's -chardev names it, such as file,path=FILE.
	Serials []string
}

// Watch is what to look for while the machine runs, beside panics and the like.
type Watch struct {
	// Expect are patterns that console lines must match, each at least once,
	// and ExpectFrom those that lines of one source must. When all have matched
	// the guest is asked to power off.
	Expect     []*regexp.Regexp
	ExpectFrom []Source
	// FailOn are patterns that end the run as a failure when a console line
	// matches, FailOnFrom when a line of one source does.
	FailOn     []*regexp.Regexp
	FailOnFrom []Source
	// Report asks the guest to report on its containers once all had their
	// first start, and to power off.
	Report bool
	// Output is where the guest's files go, which it hands out when it goes down.
	Output Output
	// Timeout bounds the whole run, Idle the time without console output;
	// 0 is no bound.
	Timeout, Idle time.Duration
	// Off is how long the guest gets from the power button to the end by force;
	// 0 is 30 seconds.
	Off time.Duration
}

func (c Config) withDefaults() Config {
	c.Arch = cmp.Or(c.Arch, "x86_64")
	c.Accel = cmp.Or(c.Accel, AccelTCG)
	c.MemMB = cmp.Or(c.MemMB, 1024)
	c.CPUs = cmp.Or(c.CPUs, 1)
	c.Name = cmp.Or(c.Name, "slipway")
	return c
}
