// Package allows is what tests ask of a filter of system calls.
package allows

import (
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Call tells whether a filter lets a call pass with any arguments; "vsock" is
// socket(AF_VSOCK).
func Call(f *specs.LinuxSeccomp, call string) bool {
	name, family := call, uint64(2)
	if call == "vsock" {
		name, family = "socket", 40
	}
	return slices.ContainsFunc(f.Syscalls, func(s specs.LinuxSyscall) bool {
		if s.Action != specs.ActAllow || !slices.Contains(s.Names, name) {
			return false
		}
		if len(s.Args) != 1 || name != "socket" {
			return len(s.Args) == 0
		}
		return s.Args[0].Op == specs.OpEqualTo && s.Args[0].Value == family || s.Args[0].Op == specs.OpLessThan && family < s.Args[0].Value
	})
}
