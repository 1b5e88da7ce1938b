package filter

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/moby/profiles/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// evaluate is what the kernel makes of a program for one call.
func evaluate(t *testing.T, program []byte, id, number uint32, args [6]uint64) uint32 {
	t.Helper()
	var data [64]byte
	binary.LittleEndian.PutUint32(data[0:], number)
	binary.LittleEndian.PutUint32(data[4:], id)
	for i, a := range args {
		binary.LittleEndian.PutUint64(data[16+8*i:], a)
	}
	var a uint32
	for at := 0; at+8 <= len(program); {
		code, then, other := binary.LittleEndian.Uint16(program[at:]), program[at+2], program[at+3]
		k := binary.LittleEndian.Uint32(program[at+4:])
		at += 8
		leap := func(is bool) {
			if is {
				other = then
			}
			at += 8 * int(other)
		}
		switch code {
		case load:
			a = binary.LittleEndian.Uint32(data[k:])
		case and:
			a &= k
		case jump:
			at += 8 * int(k)
		case jumpEqual:
			leap(a == k)
		case jumpMore:
			leap(a > k)
		case jumpAtLeast:
			leap(a >= k)
		case give:
			return k
		default:
			t.Fatalf("instruction %#x", code)
		}
	}
	t.Fatal("the program runs out")
	return 0
}

var arches = map[specs.Arch]uint32{specs.ArchX86_64: 0xc000003e, specs.ArchAARCH64: 0xc00000b7}

// values are what arguments are tried with: those around the ones that a filter has.
func values(f *specs.LinuxSeccomp) []uint64 {
	list := []uint64{0, 1, ^uint64(0)}
	for _, s := range f.Syscalls {
		for _, a := range s.Args {
			for _, v := range []uint64{a.Value, a.ValueTwo, ^a.Value, a.Value | a.ValueTwo} {
				list = append(list, v, v-1, v+1, v^1<<32, v<<32)
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// same compares two programs, call by call.
func same(t *testing.T, f *specs.LinuxSeccomp, ours, theirs []byte) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	pool, asks := values(f), map[uint32]bool{}
	for _, s := range f.Syscalls {
		for _, name := range s.Names {
			n, _ := machines[f.Architectures[0]].number(name)
			asks[n] = asks[n] || len(s.Args) > 0
		}
	}
	numbers := []uint32{0x3fffffff, 0x40000000, 0x40000001, 0x40000200, 0x80000000, ^uint32(0) - 1, ^uint32(0)}
	for n := range uint32(1100) {
		numbers = append(numbers, n)
	}
	for _, id := range []uint32{0xc000003e, 0xc00000b7, 0x40000003, 0x40000028, 0} {
		for _, n := range numbers {
			tries := 1
			if asks[n] {
				tries = 300
			}
			for range tries {
				var args [6]uint64
				for i := range args {
					args[i] = pool[random.IntN(len(pool))]
				}
				got, want := evaluate(t, ours, id, n, args), evaluate(t, theirs, id, n, args)
				if got != want {
					t.Fatalf("call %d of %#x with %#x: %#x, by libseccomp %#x", n, id, args, got, want)
				}
			}
		}
	}
}

// libseccomp is a program of the one that OCI runtimes use, which makes theirs.
func libseccomp(t *testing.T) string {
	t.Helper()
	program := t.TempDir() + "/libseccomp"
	if out, err := exec.Command("gcc", "-o", program, "testdata/libseccomp.c", "-lseccomp").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// theirs is what libseccomp makes of a filter, and calls that it does not know.
func theirs(t *testing.T, program string, f *specs.LinuxSeccomp) ([]byte, []string) {
	t.Helper()
	operators := map[specs.LinuxSeccompOperator]int{ // enum scmp_compare (seccomp.h)
		specs.OpNotEqual: 1, specs.OpLessThan: 2, specs.OpLessEqual: 3, specs.OpEqualTo: 4,
		specs.OpGreaterEqual: 5, specs.OpGreaterThan: 6, specs.OpMaskedEqual: 7,
	}
	var in, out, unknown bytes.Buffer
	action := func(a specs.LinuxSeccompAction, number *uint) uint32 {
		v, ok := verdict(a, number)
		if !ok {
			t.Fatal(a)
		}
		return v
	}
	fmt.Fprintln(&in, arches[f.Architectures[0]], action(f.DefaultAction, f.DefaultErrnoRet))
	for _, s := range f.Syscalls {
		for _, name := range s.Names {
			fmt.Fprint(&in, action(s.Action, s.ErrnoRet), " ", name, " ", len(s.Args))
			for _, a := range s.Args {
				fmt.Fprint(&in, " ", a.Index, operators[a.Op], " ", a.Value, a.ValueTwo)
			}
			fmt.Fprintln(&in)
		}
	}
	cmd := exec.Command(program)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &in, &out, &unknown
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, &unknown)
	}
	return out.Bytes(), strings.Fields(unknown.String())
}

// many are more rules for one argument than are compared in a row, and others between them.
func many() (list []specs.LinuxSyscall) {
	for v := range uint64(150) {
		list = append(list, rule(specs.ActAllow, "socket", arg(0, specs.OpEqualTo, 3*v, 0)))
		if v%70 == 0 {
			list = append(list, rule(specs.ActAllow, "socket", arg(0, specs.OpEqualTo, 1000+v, 0), arg(1, specs.OpEqualTo, v, 0)))
			list = append(list, rule(specs.ActAllow, "socket", arg(0, specs.OpEqualTo, v<<32|7, 0)))
		}
	}
	return list
}

func rule(action specs.LinuxSeccompAction, names string, args ...specs.LinuxSeccompArg) specs.LinuxSyscall {
	return specs.LinuxSyscall{Names: strings.Fields(names), Action: action, Args: args}
}

func arg(index uint, op specs.LinuxSeccompOperator, value, two uint64) specs.LinuxSeccompArg {
	return specs.LinuxSeccompArg{Index: index, Op: op, Value: value, ValueTwo: two}
}

// Each of these has the verdicts that libseccomp's program has, on each architecture.
func TestSameVerdicts(t *testing.T) {
	program := libseccomp(t)
	noSuch := uint(38)
	const big = 0x1_0000_0005
	for name, f := range map[string]specs.LinuxSeccomp{
		"nothing":    {DefaultAction: specs.ActErrno},
		"an error":   {DefaultAction: specs.ActErrno, DefaultErrnoRet: &noSuch},
		"a list":     {DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{rule(specs.ActAllow, "read write close openat exit_group")}},
		"all but":    {DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{rule(specs.ActKillProcess, "mount io_setup umount2"), rule(specs.ActLog, "clone")}},
		"kill":       {DefaultAction: specs.ActKill, Syscalls: []specs.LinuxSyscall{rule(specs.ActAllow, "read"), rule(specs.ActErrno, "write")}},
		"equal":      {DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{rule(specs.ActAllow, "personality", arg(0, specs.OpEqualTo, big, 0)), rule(specs.ActAllow, "personality", arg(0, specs.OpEqualTo, 8, 0))}},
		"many":       {DefaultAction: specs.ActErrno, Syscalls: many()},
		"not equal":  {DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{rule(specs.ActAllow, "socket", arg(0, specs.OpNotEqual, 40, 0))}},
		"masked":     {DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{rule(specs.ActAllow, "clone", arg(0, specs.OpMaskedEqual, 0x7e020000, 0)), rule(specs.ActAllow, "ioctl", arg(1, specs.OpMaskedEqual, 0xf0, 0x13))}},
		"less":       {DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{rule(specs.ActAllow, "read", arg(2, specs.OpLessThan, big, 0))}},
		"at most":    {DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{rule(specs.ActAllow, "read", arg(2, specs.OpLessEqual, big, 0))}},
		"more":       {DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{rule(specs.ActAllow, "read", arg(5, specs.OpGreaterThan, big, 0))}},
		"at least":   {DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{rule(specs.ActAllow, "read", arg(2, specs.OpGreaterEqual, big, 0))}},
		"two":        {DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{rule(specs.ActAllow, "socket", arg(0, specs.OpEqualTo, 16, 0), arg(2, specs.OpEqualTo, 9, 0)), rule(specs.ActAllow, "socket", arg(0, specs.OpLessThan, 10, 0))}},
		"and always": {DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{rule(specs.ActAllow, "read", arg(0, specs.OpEqualTo, 1, 0)), rule(specs.ActAllow, "read"), rule(specs.ActAllow, "read", arg(0, specs.OpEqualTo, 2, 0))}},
	} {
		for a := range arches {
			t.Run(name+"/"+string(a), func(t *testing.T) {
				f.Architectures = []specs.Arch{a}
				ours, ok := Compile(&f)
				if !ok {
					t.Fatal("not compiled")
				}
				want, unknown := theirs(t, program, &f)
				if len(unknown) > 0 {
					t.Fatal(unknown)
				}
				same(t, &f, ours, want)
			})
		}
	}
}

// Docker's profile is compiled, with all calls that the machine has, and comes to the same: what is
// in it of capabilities too.
func TestDockersProfile(t *testing.T) {
	program := libseccomp(t)
	for a, name := range map[specs.Arch]string{specs.ArchX86_64: "amd64", specs.ArchAARCH64: "arm64"} {
		f := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Architectures: []specs.Arch{a}}
		for _, s := range seccomp.DefaultProfile().Syscalls {
			if i := s.Includes; i != nil && len(i.Arches) > 0 && !slices.Contains(i.Arches, name) || s.Excludes != nil && slices.Contains(s.Excludes.Arches, name) {
				continue
			}
			if len(s.Args) == 0 && s.Excludes == nil && s.Includes != nil && len(s.Includes.Caps) > 0 && slices.Contains(s.Names, "clone3") {
				continue // beside the rule that refuses it
			}
			rule := s.LinuxSyscall
			rule.Names = slices.DeleteFunc(slices.Clone(s.Names), func(n string) bool {
				_, has := machines[a].number(n)
				return !has
			})
			f.Syscalls = append(f.Syscalls, rule)
		}
		_, unknown := theirs(t, program, f)
		for i, s := range f.Syscalls {
			f.Syscalls[i].Names = slices.DeleteFunc(s.Names, func(n string) bool { return slices.Contains(unknown, n) })
		}
		ours, ok := Compile(f)
		if !ok || len(ours) == 0 {
			t.Fatalf("%s: not compiled", a)
		}
		want, _ := theirs(t, program, f)
		same(t, f, ours, want)
		if len(ours) > len(want)/2 {
			t.Errorf("%s: %d bytes, by libseccomp %d", a, len(ours), len(want))
		}
	}
}

// What may mean something else to a runtime is not compiled.
func TestLeftToTheEngine(t *testing.T) {
	two := uint(5000)
	x := []specs.Arch{specs.ArchX86_64}
	read := rule(specs.ActAllow, "read")
	for name, f := range map[string]*specs.LinuxSeccomp{
		"none":               nil,
		"no architecture":    {DefaultAction: specs.ActErrno},
		"two":                {DefaultAction: specs.ActErrno, Architectures: []specs.Arch{specs.ArchX86_64, specs.ArchX86}},
		"another":            {DefaultAction: specs.ActErrno, Architectures: []specs.Arch{specs.ArchRISCV64}},
		"flags":              {DefaultAction: specs.ActErrno, Architectures: x, Flags: []specs.LinuxSeccompFlag{}},
		"listener":           {DefaultAction: specs.ActErrno, Architectures: x, ListenerPath: "/x"},
		"metadata":           {DefaultAction: specs.ActErrno, Architectures: x, ListenerMetadata: "x"},
		"trace":              {DefaultAction: specs.ActTrace, Architectures: x},
		"notify":             {DefaultAction: specs.ActErrno, Architectures: x, Syscalls: []specs.LinuxSyscall{rule(specs.ActNotify, "read")}},
		"high error":         {DefaultAction: specs.ActErrno, DefaultErrnoRet: &two, Architectures: x},
		"unknown call":       {DefaultAction: specs.ActErrno, Architectures: x, Syscalls: []specs.LinuxSyscall{rule(specs.ActAllow, "raed")}},
		"unknown operator":   {DefaultAction: specs.ActErrno, Architectures: x, Syscalls: []specs.LinuxSyscall{rule(specs.ActAllow, "read", arg(0, "x", 1, 0))}},
		"seventh argument":   {DefaultAction: specs.ActErrno, Architectures: x, Syscalls: []specs.LinuxSyscall{rule(specs.ActAllow, "read", arg(6, specs.OpEqualTo, 1, 0))}},
		"argument twice":     {DefaultAction: specs.ActErrno, Architectures: x, Syscalls: []specs.LinuxSyscall{rule(specs.ActAllow, "read", arg(0, specs.OpNotEqual, 1, 0), arg(0, specs.OpNotEqual, 2, 0))}},
		"two verdicts":       {DefaultAction: specs.ActErrno, Architectures: x, Syscalls: []specs.LinuxSyscall{read, rule(specs.ActLog, "read", arg(0, specs.OpEqualTo, 1, 0))}},
		"the default beside": {DefaultAction: specs.ActErrno, Architectures: x, Syscalls: []specs.LinuxSyscall{rule(specs.ActErrno, "read"), read}},
	} {
		if program, ok := Compile(f); ok {
			t.Errorf("%s: %d bytes", name, len(program))
		}
	}
}
