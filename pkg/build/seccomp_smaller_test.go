package build

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/build/yml"
)

// verdict is what a filter does of a call with this value in all arguments: the rules
// that apply, or the default.
func verdict(t *testing.T, f *specs.LinuxSeccomp, name string, value uint64) map[specs.LinuxSeccompAction]uint {
	t.Helper()
	out := map[specs.LinuxSeccompAction]uint{}
	for _, s := range f.Syscalls {
		if !slices.Contains(s.Names, name) || slices.ContainsFunc(s.Args, func(a specs.LinuxSeccompArg) bool { return !matches(t, a, value) }) {
			continue
		}
		out[s.Action] = 1
		if s.ErrnoRet != nil {
			out[s.Action] = 1000 + *s.ErrnoRet
		}
	}
	return out
}

func matches(t *testing.T, a specs.LinuxSeccompArg, value uint64) bool {
	t.Helper()
	switch a.Op {
	case specs.OpEqualTo:
		return value == a.Value
	case specs.OpLessThan:
		return value < a.Value
	case specs.OpNotEqual:
		return value != a.Value
	case specs.OpMaskedEqual:
		return value&a.Value == a.ValueTwo
	}
	t.Fatalf("%s is not known here", a.Op)
	return false
}

// values are all that a rule of Docker's profile tells apart, and single bits.
func values() (list []uint64) {
	for v := range uint64(64) {
		list = append(list, v, v|0x20000, v|1<<32, 1<<32-1-v, ^v)
	}
	for bit := range 64 {
		list = append(list, 1<<bit, 1<<bit|8, 1<<bit|41)
	}
	return list
}

// What a filter says with fewer words is the same for every call that there is and every
// value.
func TestSmallerFilterIsTheSame(t *testing.T) {
	for arch, native := range seccompArches {
		for _, bounding := range [][]string{nil, {"CAP_SYS_ADMIN"}, {"CAP_NET_ADMIN", "CAP_SYS_PTRACE"}} {
			for _, runs32 := range []bool{false, true} {
				tr := translator{c: &yml.Container{}, arch: arch, bounding: bounding}
				p := tr.defaultProfile(runs32)
				whole, short := tr.applying(p), tr.resolveSeccomp(p)
				tried := map[string][]uint64{}
				for _, s := range whole.Syscalls {
					for _, name := range s.Names {
						tried[name] = append(tried[name], 1)
						if len(s.Args) > 0 {
							tried[name] = values()
						}
					}
				}
				for name, values := range tried {
					_, gone := slices.BinarySearch(absent[native], name)
					for _, v := range values {
						want := verdict(t, whole, name, v)
						if gone && !runs32 {
							want = nil
						}
						if got := verdict(t, short, name, v); !maps.Equal(got, want) {
							t.Fatalf("%s %v %s(%#x): %v, want %v", arch, bounding, name, v, got, want)
						}
					}
				}
				if n := len(short.Syscalls); n > 25 {
					t.Errorf("%s %v: %d rules of %d", arch, bounding, n, len(whole.Syscalls))
				}
			}
		}
	}
}

func TestAbsentCallsAreSorted(t *testing.T) {
	for arch, names := range absent {
		if !slices.IsSorted(names) || slices.Contains(names, "read") || slices.Contains(names, "execve") || len(names) < 70 {
			t.Errorf("%s: %q", arch, names)
		}
	}
}

func TestCover(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		want := map[uint64]bool{}
		var values []uint64
		for range 1 + r.IntN(maxValues-1) {
			v := r.Uint64N(64)
			if r.IntN(10) == 0 {
				v |= 1 << r.IntN(64)
			}
			want[v] = true
			values = append(values, v)
		}
		cubes := cover(slices.Clone(values))
		if len(cubes) > len(want) {
			t.Errorf("%d rules for %d values", len(cubes), len(want))
		}
		var probe []uint64
		for v := range uint64(64) {
			probe = append(probe, v, v|1<<r.IntN(64), ^v)
		}
		for _, v := range append(probe, values...) {
			if got := slices.ContainsFunc(cubes, func(c cube) bool { return matches(t, c.arg(0), v) }); got != want[v] {
				t.Fatalf("%v: %#x is %t", values, v, got)
			}
		}
	}
	if n := len(cover([]uint64{8, 9, 10, 11, 3})); n != 2 {
		t.Errorf("%d rules", n)
	}
}
