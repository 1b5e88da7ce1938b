package container

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/bundle"
	"slipway/pkg/container/runtime"
)

const (
	bpfKey = "run.oci.seccomp_bpf_data"
	simple = `{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}`
	logged = `{"defaultAction":"SCMP_ACT_ERRNO","flags":["SECCOMP_FILTER_FLAG_LOG"]}`
)

// withFilter is a bundle of a container with a filter, and more in its config.json.
func withFilter(t *testing.T, filter, more string) *bundle.Bundle {
	t.Helper()
	dir := t.TempDir() + "/web"
	must(t, os.Mkdir(dir, 0o755))
	must(t, os.WriteFile(dir+"/"+bundle.ConfigFile, []byte(`{"ociVersion":"1.2.1","process":{"args":["x"]},"root":{"path":"rootfs"},`+
		`"linux":{"seccomp":`+filter+`}`+more+`}`), 0o600))
	b, err := bundle.Load(bundle.Services, dir)
	must(t, err)
	return b
}

// given is what the runtime is given of a bundle, and whether the start is to learn.
func given(t *testing.T, e *Engine, b *bundle.Bundle) (spec specs.Spec, s *starting) {
	t.Helper()
	s = &starting{e: e, b: b, oci: e.Runtimes.Runtimes[0], call: runtime.Call{ID: b.Name, Bundle: b.Dir}}
	must(t, s.mutate(t.TempDir()))
	data, err := os.ReadFile(s.call.Bundle + "/" + bundle.ConfigFile)
	must(t, err)
	must(t, json.Unmarshal(data, &spec))
	return spec, s
}

func engineOf(t *testing.T, name string) *Engine {
	t.Helper()
	return &Engine{Runtimes: &runtime.Machine{Runtimes: []*runtime.Runtime{{Path: "/usr/bin/" + name, Root: t.TempDir()}}}}
}

// keep is the state that crun leaves of a container's filter.
func keep(t *testing.T, e *Engine, program string) {
	t.Helper()
	dir := e.one().StateDir("web")
	must(t, os.MkdirAll(dir, 0o700))
	must(t, os.WriteFile(dir+"/seccomp.bpf", []byte(program), 0o600))
}

const program = "12345678abcdefgh"

// The second container with a filter gets what crun has compiled of it for the
// first, and otherwise what would refuse everything.
func TestCompiledFilter(t *testing.T) {
	e := engineOf(t, "crun")
	first, s := given(t, e, withFilter(t, simple, ""))
	if len(first.Linux.Seccomp.Syscalls) != 1 || first.Annotations[bpfKey] != "" || !s.learns {
		t.Errorf("the first is given %+v, learns: %t", first.Linux.Seccomp, s.learns)
	}
	keep(t, e, program)
	s.learn()
	second, s := given(t, e, withFilter(t, simple, `,"annotations":{"a":"b"}`))
	f := second.Linux.Seccomp
	if f.DefaultAction != specs.ActErrno || len(f.Syscalls) > 0 || second.Annotations["a"] != "b" || s.learns {
		t.Errorf("the second is given %+v, %v, learns: %t", f, second.Annotations, s.learns)
	}
	if data, err := base64.StdEncoding.DecodeString(second.Annotations[bpfKey]); err != nil || string(data) != program {
		t.Errorf("%q, %v", data, err)
	}
}

// What the builder has compiled is taken at once, if it is of this filter and can be
// a program; else the runtime's is learnt.
func TestBuiltFilter(t *testing.T) {
	other := bundle.NewFilter([]byte(strings.Replace(simple, "read", "write", 1)))
	for name, c := range map[string]struct {
		runtime, filter string
		data            []byte
		want            string
		learns          bool
	}{
		"built":   {"crun", simple, bundle.EncodeProgram(bundle.NewFilter([]byte(simple)), []byte(program)), program, false},
		"another": {"crun", simple, bundle.EncodeProgram(other, []byte(program)), "", true},
		"short":   {"crun", simple, []byte("x"), "", true},
		"odd":     {"crun", simple, bundle.EncodeProgram(bundle.NewFilter([]byte(simple)), []byte(program[1:])), "", true},
		"flags":   {"crun", logged, bundle.EncodeProgram(bundle.NewFilter([]byte(logged)), []byte(program)), "", false},
		"runc":    {"runc", simple, bundle.EncodeProgram(bundle.NewFilter([]byte(simple)), []byte(program)), "", false},
	} {
		t.Run(name, func(t *testing.T) {
			b := withFilter(t, c.filter, "")
			must(t, os.WriteFile(b.Path(bundle.ProgramFile), c.data, 0o600))
			e := engineOf(t, c.runtime)
			for range 2 {
				spec, s := given(t, e, b)
				data, err := base64.StdEncoding.DecodeString(spec.Annotations[bpfKey])
				if err != nil || string(data) != c.want || s.learns != c.learns {
					t.Errorf("%q, learns: %t, %v", data, s.learns, err)
				}
				if f := spec.Linux.Seccomp; (len(f.Syscalls) == 0 && f.Flags == nil) != (c.want != "") || f.DefaultAction != specs.ActErrno {
					t.Errorf("the filter is %+v", f)
				}
			}
		})
	}
}

// Whatever is not a plain list of calls for crun goes to the runtime as it is.
func TestFilterThatIsNotCompiled(t *testing.T) {
	for name, c := range map[string]struct{ runtime, filter, more string }{
		"runc":     {"runc", simple, ""},
		"another":  {"crun", strings.Replace(simple, "read", "write", 1), ""},
		"flags":    {"crun", logged, ""},
		"hooks":    {"crun", simple, `,"hooks":{"poststop":[{"path":"/x"}]}`},
		"its own":  {"crun", simple, `,"annotations":{"` + bpfKey + `":"AAAA"}`},
		"strict":   {"crun", simple, `,"annotations":{"run.oci.seccomp_fail_unknown_syscall":"1"}`},
		"unfilled": {"crun", "null", ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := engineOf(t, c.runtime)
			if _, s := given(t, e, withFilter(t, simple, "")); s.learns {
				keep(t, e, program)
				s.learn()
			}
			got, s := given(t, e, withFilter(t, c.filter, c.more))
			var want *specs.LinuxSeccomp
			must(t, json.Unmarshal([]byte(c.filter), &want))
			same, err := json.Marshal(want)
			must(t, err)
			text, err := json.Marshal(got.Linux.Seccomp)
			must(t, err)
			if string(text) != string(same) || strings.HasPrefix(got.Annotations[bpfKey], "MTIz") {
				t.Errorf("%s, %v; want %s", text, got.Annotations, same)
			}
			if s.learns != (name == "another") {
				t.Errorf("learns: %t", s.learns)
			}
		})
	}
}

// What is no program for the kernel is not learnt.
func TestNoProgram(t *testing.T) {
	for _, text := range []string{"", "1234567", strings.Repeat("x", 8*4097)} {
		e := engineOf(t, "crun")
		_, s := given(t, e, withFilter(t, simple, ""))
		keep(t, e, text)
		s.learn()
		if again, s := given(t, e, withFilter(t, simple, "")); !s.learns || len(again.Linux.Seccomp.Syscalls) != 1 {
			t.Errorf("%d bytes are taken for a filter", len(text))
		}
	}
}
