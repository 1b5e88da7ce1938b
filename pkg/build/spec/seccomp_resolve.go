package spec

import (
	"slices"

	"github.com/moby/profiles/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// seccompArches are Go's names of the machines and libseccomp's.
var seccompArches = map[string]specs.Arch{"amd64": specs.ArchX86_64, "arm64": specs.ArchAARCH64}

// resolveSeccomp makes of a profile the filter of this container.
func (t *translator) resolveSeccomp(p *seccomp.Seccomp) *specs.LinuxSeccomp {
	f := t.applying(p)
	withoutAbsent(f)
	return f
}

// applying is what of a profile is about this container: the rules of
// the machine's architecture, which the library would take to be the builder's,
// and of the container's capabilities. Kernels are as new as any rule asks for;
// none does for one newer than 4.8 in Docker's profile. Rules that only list
// calls are put together, which keeps config.json small.
func (t *translator) applying(p *seccomp.Seccomp) *specs.LinuxSeccomp {
	out := p.LinuxSeccomp
	out.Syscalls = nil
	for _, a := range p.ArchMap {
		if a.Arch == seccompArches[t.arch] {
			out.Architectures = append(append(out.Architectures, a.Arch), a.SubArches...)
		}
	}
	for _, s := range p.Syscalls {
		if len(s.Names) == 0 || !t.applies(s) {
			continue
		}
		same := slices.IndexFunc(out.Syscalls, func(o specs.LinuxSyscall) bool {
			return len(o.Args)+len(s.Args) == 0 && o.Action == s.Action && equal(o.ErrnoRet, s.ErrnoRet)
		})
		if same < 0 {
			own := s.LinuxSyscall
			own.Names = slices.Clone(s.Names)
			out.Syscalls = append(out.Syscalls, own)
			continue
		}
		out.Syscalls[same].Names = append(out.Syscalls[same].Names, s.Names...)
	}
	for i, s := range out.Syscalls {
		slices.Sort(s.Names)
		out.Syscalls[i].Names = slices.Compact(s.Names)
	}
	return &out
}

// applies tells whether a rule's conditions hold: any of the architectures, all
// of the capabilities; of what excludes it, any.
func (t *translator) applies(s *seccomp.Syscall) bool {
	if f := s.Excludes; f != nil {
		if slices.Contains(f.Arches, t.arch) || slices.ContainsFunc(f.Caps, t.may) || f.MinKernel != nil {
			return false
		}
	}
	if f := s.Includes; f != nil {
		if len(f.Arches) > 0 && !slices.Contains(f.Arches, t.arch) {
			return false
		}
		return !slices.ContainsFunc(f.Caps, func(c string) bool { return !t.may(c) })
	}
	return true
}

func equal(a, b *uint) bool { return a == b || a != nil && b != nil && *a == *b }
