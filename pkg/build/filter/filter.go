// Package filter makes programs for the kernel of filters of system calls. The
// engine that takes such a program need not make one at each start of a container,
// and ours are shorter than libseccomp's: numbers are searched for by halves, where
// libseccomp compares one after the other, and the kernel tries each number when a
// filter is loaded.
package filter

import (
	"maps"
	"slices"

	"github.com/elastic/go-seccomp-bpf/arch"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// machine is an architecture whose filters are compiled.
type machine struct {
	calls *arch.Info
	// end is the first number that is no call of this architecture but one of
	// another that has the same identifier; 0: there is none.
	end uint32
	// more are names that the library's table has not, or has others for.
	more map[string]int
}

// number is that of a call. The library's tables have some that 32-bit machines alone
// have; no kernel does anything at those numbers of others.
func (m machine) number(name string) (uint32, bool) {
	if n, ok := m.more[name]; ok {
		return uint32(n), true
	}
	n, ok := m.calls.SyscallNames[name]
	return uint32(n), ok
}

var machines = map[specs.Arch]machine{
	specs.ArchX86_64:  {calls: arch.X86_64, end: 0x40000000}, // x32's (asm/unistd.h)
	specs.ArchAARCH64: {calls: arch.AARCH64, more: map[string]int{"newfstatat": 79}},
}

// Verdicts of the kernel's (linux/seccomp.h).
const (
	killThread  = 0
	killProcess = 0x80000000
	errno       = 0x00050000
	log         = 0x7ffc0000
	allow       = 0x7fff0000
)

// maxErrno is the highest error that a system call can return.
const maxErrno = 4095

// call is one system call with a verdict that is not the default.
type call struct {
	verdict uint32
	rules   [][]specs.LinuxSeccompArg // any of them, each with all of its conditions; none: always
}

// Compile makes a program of a filter, as the kernel has it: instructions of eight
// bytes, in little endian (linux/filter.h). ok is false for what it leaves to the
// engine: several architectures, flags, listeners, calls and actions that it does
// not know, conditions of which libseccomp makes something of its own.
//
// A call of another architecture ends its thread, as with libseccomp.
func Compile(f *specs.LinuxSeccomp) (program []byte, ok bool) {
	if f == nil || len(f.Architectures) != 1 || f.Flags != nil || f.ListenerPath != "" || f.ListenerMetadata != "" {
		return nil, false
	}
	m, known := machines[f.Architectures[0]]
	otherwise, is := verdict(f.DefaultAction, f.DefaultErrnoRet)
	if !known || !is {
		return nil, false
	}
	calls, ok := m.collect(f.Syscalls)
	if !ok {
		return nil, false
	}
	code := search(ranges(calls, otherwise), otherwise)
	if m.end != 0 {
		// No call has the number -1; it is what a tracer leaves of one to be passed over.
		code = slices.Concat([]instruction{
			{jumpAtLeast, 0, 3, m.end}, {jumpEqual, 0, 1, ^uint32(0)}, {give, 0, 0, otherwise}, {give, 0, 0, killThread},
		}, code)
	}
	code = slices.Concat([]instruction{
		{load, 0, 0, offsetArch}, {jumpEqual, 1, 0, uint32(m.calls.ID)}, {give, 0, 0, killThread}, {load, 0, 0, offsetNumber},
	}, code)
	return encode(code)
}

// verdict is an action as the kernel has it.
func verdict(action specs.LinuxSeccompAction, number *uint) (uint32, bool) {
	switch action {
	case specs.ActAllow:
		return allow, true
	case specs.ActErrno:
		n := uint(1) // EPERM
		if number != nil {
			n = *number
		}
		return errno | uint32(n), n <= maxErrno
	case specs.ActKill, specs.ActKillThread:
		return killThread, true
	case specs.ActKillProcess:
		return killProcess, true
	case specs.ActLog:
		return log, true
	}
	return 0, false
}

// collect are the calls by number. Rules for one call that come to different
// verdicts are left to libseccomp.
func (m machine) collect(list []specs.LinuxSyscall) (map[uint32]call, bool) {
	calls := map[uint32]call{}
	for _, s := range list {
		v, ok := verdict(s.Action, s.ErrnoRet)
		if !ok || !plain(s.Args) {
			return nil, false
		}
		for _, name := range s.Names {
			number, ok := m.number(name)
			if !ok {
				return nil, false
			}
			c, again := calls[number]
			switch {
			case again && c.verdict != v:
				return nil, false
			case len(s.Args) == 0:
				c.rules = nil
			case !again || len(c.rules) > 0:
				c.rules = append(c.rules, s.Args)
			}
			c.verdict = v
			calls[number] = c
		}
	}
	return calls, true
}

// plain tells whether conditions mean what they say: of two for one argument runtimes
// make one rule each.
func plain(args []specs.LinuxSeccompArg) bool {
	seen := map[uint]bool{}
	for _, a := range args {
		if seen[a.Index] || a.Index > 5 || comparisons[a.Op] == nil {
			return false
		}
		seen[a.Index] = true
	}
	return true
}

// span is the numbers from one on, up to the next span, that have one answer.
type span struct {
	from uint32
	call
}

// ranges are all numbers, from 0 on, in order.
func ranges(calls map[uint32]call, otherwise uint32) []span {
	spans := []span{{0, call{verdict: otherwise}}}
	add := func(from uint32, c call) {
		last := &spans[len(spans)-1]
		switch {
		case last.from == from:
			last.call = c
			if n := len(spans); n > 1 && alike(spans[n-2].call, c) {
				spans = spans[:n-1]
			}
		case !alike(last.call, c):
			spans = append(spans, span{from, c})
		}
	}
	for _, n := range slices.Sorted(maps.Keys(calls)) {
		add(n, calls[n])
		add(n+1, call{verdict: otherwise})
	}
	return spans
}

func alike(a, b call) bool { return a.verdict == b.verdict && len(a.rules)+len(b.rules) == 0 }
