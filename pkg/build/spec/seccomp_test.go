package spec

import (
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/build/yml"
	"slipway/test/allows"
)

// The architecture is the machine's and not the builder's.
func TestSeccompArchitectures(t *testing.T) {
	for arch, want := range map[string]struct {
		arches []specs.Arch // native and 32-bit
		call   string       // that only this one has
	}{
		"amd64": {[]specs.Arch{specs.ArchX86_64, specs.ArchX86}, "arch_prctl"},
		"arm64": {[]specs.Arch{specs.ArchAARCH64, specs.ArchARM}, "arm_fadvise64_64"},
	} {
		tr := translator{c: &yml.Container{}, arch: arch}
		if f := tr.resolveSeccomp(tr.defaultProfile(false)); !slices.Equal(f.Architectures, want.arches[:1]) {
			t.Errorf("%s, no 32-bit programs: %v", arch, f.Architectures)
		}
		f := tr.resolveSeccomp(tr.defaultProfile(true))
		if !slices.Equal(f.Architectures, want.arches) || !allows.Call(f, want.call) {
			t.Errorf("%s: %v, %s %t", arch, f.Architectures, want.call, allows.Call(f, want.call))
		}
		for other, call := range map[string]string{"amd64": "arch_prctl", "arm64": "arm_fadvise64_64"} {
			if other != arch && allows.Call(f, call) {
				t.Errorf("%s has %s", arch, call)
			}
		}
		if f.DefaultAction != specs.ActErrno || *f.DefaultErrnoRet != 1 {
			t.Errorf("%s: by default %s %v", arch, f.DefaultAction, f.DefaultErrnoRet)
		}
	}
}

// Of clone, what makes namespaces is refused; clone3, whose arguments no filter
// sees, is not there.
func TestSeccompClone(t *testing.T) {
	tr := translator{c: &yml.Container{}, arch: "amd64"}
	var masked, nosys bool
	for _, s := range tr.resolveSeccomp(tr.defaultProfile(true)).Syscalls {
		if slices.Contains(s.Names, "clone") {
			masked = len(s.Args) == 1 && s.Args[0].Op == specs.OpMaskedEqual && s.Args[0].Value == 0x7e020000
		}
		if slices.Contains(s.Names, "clone3") {
			nosys = s.Action == specs.ActErrno && *s.ErrnoRet == 38
		}
	}
	if !masked || !nosys {
		t.Errorf("clone with a mask: %t, clone3 not there: %t", masked, nosys)
	}
	tr.bounding = []string{"CAP_SYS_ADMIN"}
	if f := tr.resolveSeccomp(tr.defaultProfile(true)); !allows.Call(f, "clone") || !allows.Call(f, "clone3") || !allows.Call(f, "vsock") {
		t.Error("CAP_SYS_ADMIN is no different")
	}
}

// The size of an extended attribute is bounded, whatever call sets it.
func TestSeccompAttributes(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		for _, bounding := range [][]string{nil, yml.Capabilities[1:]} {
			tr := translator{c: &yml.Container{}, arch: arch, bounding: bounding}
			bounded := map[string]bool{}
			for _, s := range tr.resolveSeccomp(tr.defaultProfile(true)).Syscalls {
				for _, name := range s.Names {
					if strings.HasPrefix(strings.TrimLeft(name, "fl"), "setxattr") {
						bounded[name] = true
						checkAttributeRule(t, name, s)
					}
				}
			}
			if len(bounded) != 4 {
				t.Errorf("%s, %v: these are there: %v", arch, bounding, bounded)
			}
		}
	}
}

func checkAttributeRule(t *testing.T, name string, s specs.LinuxSyscall) {
	t.Helper()
	less := s.Action == specs.ActAllow && len(s.Args) == 1 && s.Args[0] == specs.LinuxSeccompArg{Index: 3, Value: 1000, Op: specs.OpLessEqual}
	absent := name == "setxattrat" && s.Action == specs.ActErrno && *s.ErrnoRet == 38
	if !less && !absent {
		t.Errorf("%s: %+v", name, s)
	}
}
