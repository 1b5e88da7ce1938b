package spec

import (
	"debug/elf"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/moby/profiles/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/build/input"
	"slipway/pkg/build/yml"
	"slipway/pkg/bundle"
)

// seccompKey is the annotation that chooses the filter.
const seccompKey = bundle.Prefix + "seccomp"

// seccomp is the container's filter of system calls: Docker's profile, as far
// as its capabilities go. One with all of them could do as much without any
// call that the filter knows.
func (t *translator) seccomp(spec *specs.Spec) *specs.LinuxSeccomp {
	asked, written := spec.Annotations[seccompKey]
	policy, err := bundle.ParsePolicy(t.c.Section, map[string]string{seccompKey: asked})
	switch {
	case t.asLinuxKit(), written && err != nil: // which is told with the other annotations
		return nil
	case !written && len(t.bounding) == len(yml.Capabilities):
		return nil
	case !written || policy.Seccomp == bundle.SeccompDefault:
		return t.resolveSeccomp(t.defaultProfile(t.runs32(spec)))
	case policy.Seccomp == bundle.SeccompUnconfined:
		return nil
	}
	at := annotation(t.c, seccompKey)
	data, err := t.readProfile(policy.Seccomp)
	if err != nil || data == nil {
		if err != nil {
			t.faults.Add(at.At("%s: %v", seccompKey, err))
		}
		return nil
	}
	profile, err := parseProfile(data)
	if err != nil {
		t.faults.Add(at.At("%s %q: %v", seccompKey, policy.Seccomp, err).Wants("a profile in Docker's JSON format"))
		return nil
	}
	return t.resolveSeccomp(profile)
}

// maxProfile bounds a profile; Docker's is 18 kB.
const maxProfile = 256 << 10

// readProfile reads a profile of the image, or one beside the YAML that names
// it. It is nil if the image is not there, which is told elsewhere.
func (t *translator) readProfile(path string) ([]byte, error) {
	if filepath.IsAbs(path) {
		root := t.root()
		if root == nil {
			return nil, nil
		}
		n := root.Resolve(path)
		if n == nil || n.Inode == nil {
			return nil, fmt.Errorf("the image has no file %q", path)
		}
		return readBounded(n.Inode.Open())
	}
	at := annotation(t.c, seccompKey)
	if !t.c.At.Has("annotations") {
		return nil, fmt.Errorf("%q: the label of an image may not name files of this machine", path)
	}
	f, err := input.Open(filepath.Join(filepath.Dir(at.File()), path))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readBounded(f)
}

func readBounded(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxProfile+1))
	if err == nil && len(data) > maxProfile {
		err = fmt.Errorf("more than the %d bytes that a profile may have", maxProfile)
	}
	return data, err
}

// arches32 are the 32-bit architectures of each machine, and where their
// programs find the dynamic linker.
var arches32 = map[string]struct {
	arch    specs.Arch
	machine elf.Machine
	linkers []string
}{
	"amd64": {specs.ArchX86, elf.EM_386, []string{"/lib/ld-linux.so.2", "/lib/ld-musl-i386.so.1"}},
	"arm64": {specs.ArchARM, elf.EM_ARM, []string{"/lib/ld-linux-armhf.so.3", "/lib/ld-linux.so.3", "/lib/ld-musl-armhf.so.1"}},
}

// runs32 tells whether the container is for 32-bit programs: its own is one, or
// the image has what they need to start.
func (t *translator) runs32(spec *specs.Spec) bool {
	root := t.root()
	if root == nil || len(spec.Process.Args) == 0 {
		return false
	}
	small := arches32[t.arch]
	if slices.ContainsFunc(small.linkers, func(p string) bool { return root.Resolve(p) != nil }) {
		return true
	}
	n, _ := (&Container{Container: t.c, Spec: spec}).FindProgram(root, spec.Process.Args[0])
	if n == nil || n.Inode == nil {
		return false
	}
	f, err := elf.NewFile(io.NewSectionReader(n.Inode.Data, 0, n.Inode.Size))
	return err == nil && f.Machine == small.machine
}

// afVsock is Linux's AF_VSOCK, wherever images are built.
const afVsock = 40

// enosys is Linux's ENOSYS, likewise.
const enosys = 38

// setsAttribute are the calls that set an extended attribute, whose size is the argument of index 3.
var setsAttribute = []string{"fsetxattr", "lsetxattr", "setxattr"}

// maxAttribute bounds it, in bytes. An access list of a file in memory (posix_acl_access, and posix_acl_default of a directory) lies in
// the kernel's memory, counted for nobody: 64 KB each, if nothing else bounds them. With one of 124 entries the kernel
// takes a kilobyte.
const maxAttribute = 1000

// defaultProfile is Docker's with what is different here.
func (t *translator) defaultProfile(runs32 bool) *seccomp.Seccomp {
	p := dockersProfile()
	for i := range p.ArchMap {
		// Every architecture is a filter of its own, which takes as long to make at
		// each start, and a way into the kernel that few containers need. None needs
		// x32, which kernels have switched off.
		p.ArchMap[i].SubArches = nil
		if small := arches32[t.arch].arch; runs32 && small != "" {
			p.ArchMap[i].SubArches = []specs.Arch{small}
		}
	}
	for _, s := range p.Syscalls {
		// 32-bit programs reach every kind of socket by it, with arguments that a
		// filter cannot see. Those that know the newer calls go on with them.
		s.Names = slices.DeleteFunc(slices.Clone(s.Names), func(name string) bool {
			return name == "socketcall" || name == "setxattrat" || slices.Contains(setsAttribute, name)
		})
	}
	allow := func(capability string, args []specs.LinuxSeccompArg, names ...string) {
		rule := &seccomp.Syscall{LinuxSyscall: specs.LinuxSyscall{Names: names, Action: specs.ActAllow, Args: args}}
		if capability != "" {
			rule.Includes = &seccomp.Filter{Caps: []string{capability}}
		}
		p.Syscalls = append(p.Syscalls, rule)
	}
	allow("", []specs.LinuxSeccompArg{{Index: 3, Value: maxAttribute, Op: specs.OpLessEqual}}, setsAttribute...)
	// The newest of them has the size where a filter cannot see it. Who finds that it is not there takes another.
	noCall := uint(enosys)
	p.Syscalls = append(p.Syscalls, &seccomp.Syscall{LinuxSyscall: specs.LinuxSyscall{
		Names: []string{"setxattrat"}, Action: specs.ActErrno, ErrnoRet: &noCall,
	}})
	// What LinuxKit's packages do that hold these capabilities: swap, dm-crypt,
	// those that start containers themselves, and those that boot other kernels.
	allow("CAP_SYS_ADMIN", nil, "add_key", "keyctl", "pivot_root", "request_key", "socket", "socketcall", "swapoff", "swapon")
	allow("CAP_SYS_BOOT", nil, "kexec_file_load", "kexec_load")
	if t.needs().vsock {
		allow("", []specs.LinuxSeccompArg{{Index: 0, Value: afVsock, Op: specs.OpEqualTo}}, "socket")
	}
	return p
}

// parseProfile reads a profile in Docker's format. What the OCI runtime would
// refuse at boot is refused here as far as it is known.
func parseProfile(data []byte) (*seccomp.Seccomp, error) {
	var p seccomp.Seccomp
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, err
	}
	if p.DefaultAction == "" {
		return nil, fmt.Errorf("no defaultAction")
	}
	actions := []specs.LinuxSeccompAction{p.DefaultAction}
	for _, s := range p.Syscalls {
		if old := s.Name; old != "" { //nolint:staticcheck // profiles of long ago have it
			s.Names = append(s.Names, old)
		}
		actions = append(actions, s.Action)
		for _, a := range s.Args {
			if !slices.Contains(operators, a.Op) {
				return nil, fmt.Errorf("no operator is named %q", a.Op)
			}
		}
	}
	for _, a := range actions {
		if !slices.Contains(seccompActions, a) {
			return nil, fmt.Errorf("no action is named %q", a)
		}
	}
	return &p, nil
}

var (
	seccompActions = []specs.LinuxSeccompAction{
		specs.ActKill, specs.ActKillProcess, specs.ActKillThread, specs.ActTrap, specs.ActErrno, specs.ActTrace,
		specs.ActAllow, specs.ActLog,
	}
	operators = []specs.LinuxSeccompOperator{
		specs.OpNotEqual, specs.OpLessThan, specs.OpLessEqual, specs.OpEqualTo, specs.OpGreaterEqual, specs.OpGreaterThan, specs.OpMaskedEqual,
	}
)
