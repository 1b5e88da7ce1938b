package build

import (
	"reflect"
	"slices"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/build/yml"
)

// A filter for one architecture is that of the profile but for the calls which
// that has not; with 32-bit programs it is all of it.
func TestAbsentCallsAreLeftOut(t *testing.T) {
	for arch, native := range seccompArches {
		for _, bounding := range [][]string{nil, {"CAP_SYS_ADMIN"}, {"CAP_NET_ADMIN", "CAP_SYS_PTRACE"}} {
			tr := translator{c: &yml.Container{}, arch: arch, bounding: bounding}
			whole := tr.applying(tr.defaultProfile(false))
			want := *whole
			want.Syscalls = nil
			for _, s := range whole.Syscalls {
				s.Names = slices.DeleteFunc(slices.Clone(s.Names), func(name string) bool { return slices.Contains(absent[native], name) })
				if len(s.Names) > 0 {
					want.Syscalls = append(want.Syscalls, s)
				}
			}
			if got := tr.resolveSeccomp(tr.defaultProfile(false)); !reflect.DeepEqual(got, &want) {
				t.Errorf("%s %v: %+v, want %+v", arch, bounding, got, want)
			}
			if got, want := tr.resolveSeccomp(tr.defaultProfile(true)), tr.applying(tr.defaultProfile(true)); !reflect.DeepEqual(got, want) {
				t.Errorf("%s %v, 32 bits: %+v, want %+v", arch, bounding, got, want)
			}
		}
	}
}

// The lists are of calls of 32-bit machines and, for arm64, of those that newer ones
// stand for. None is one that this machine's programs use.
func TestAbsentCalls(t *testing.T) {
	used := map[specs.Arch][]string{
		specs.ArchX86_64:  {"open", "stat", "fork", "arch_prctl", "time"},
		specs.ArchAARCH64: {"openat", "statx", "clone", "fadvise64"},
	}
	for arch, names := range absent {
		for _, name := range append(used[arch], "read", "execve", "socket", "personality", "clone3", "futex", "mmap") {
			if slices.Contains(names, name) {
				t.Errorf("%s has %s", arch, name)
			}
		}
		if !slices.IsSorted(names) || len(names) < 70 {
			t.Errorf("%s: %q", arch, names)
		}
	}
}
