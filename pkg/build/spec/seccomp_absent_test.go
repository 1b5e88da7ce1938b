package spec

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

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
// stand for. None has a number in the kernel's table of the architecture
// (asm/unistd.h, as golang.org/x/sys/unix has it).
func TestAbsentCalls(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/sys").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := strings.TrimSpace(string(out))
	for arch, native := range seccompArches {
		table, err := os.ReadFile(filepath.Join(dir, "unix", "zsysnum_linux_"+arch+".go"))
		if err != nil {
			t.Fatal(err)
		}
		calls := map[string]bool{}
		for _, found := range regexp.MustCompile(`\bSYS_(\w+) +=`).FindAllStringSubmatch(string(table), -1) {
			calls[strings.ToLower(found[1])] = true
		}
		if len(calls) < 300 || !calls["getdents64"] {
			t.Fatalf("%s: %d calls in the table", arch, len(calls))
		}
		for _, name := range absent[native] {
			if calls[name] {
				t.Errorf("%s has %s", arch, name)
			}
		}
		if names := absent[native]; !slices.IsSorted(names) || len(names) < 70 {
			t.Errorf("%s: %q", arch, names)
		}
	}
}
