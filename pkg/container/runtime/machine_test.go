package runtime

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/bundle"
	"slipway/pkg/reap"
)

// Policies name the kinds as this package does.
func TestKindsAreThoseOfPolicies(t *testing.T) {
	var names []string
	for _, k := range Kinds {
		names = append(names, k.Name)
		if k.Path != bundle.RuntimeProgram(k.Name) {
			t.Errorf("%s lies at %s", k.Name, k.Path)
		}
	}
	if !slices.Equal(names, bundle.Runtimes) {
		t.Errorf("%q and %q", names, bundle.Runtimes)
	}
}

// lay makes files, and links where the text begins with "-> ".
func lay(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		name = filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(name), 0o755)
		if target, is := cutLink(text); err == nil && is {
			err = os.Symlink(target, name)
		} else if err == nil {
			err = os.WriteFile(name, []byte(text), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func cutLink(text string) (string, bool) {
	if len(text) > 3 && text[:3] == "-> " {
		return text[3:], true
	}
	return "", false
}

func TestChoose(t *testing.T) {
	both := map[string]string{"runc": "", "crun": "", "opt/crun-1.28": "", "opt/rt": "-> crun-1.28", "opt/youki": ""}
	only := func(name string) map[string]string { return map[string]string{name: ""} }
	for name, c := range map[string]struct {
		files          map[string]string
		wanted, asked  string
		kind, program  string
		recordedByPath string
	}{
		"the default":                {files: both, kind: "runc", program: "runc"},
		"crun alone":                 {files: only("crun"), kind: "crun", program: "crun"},
		"crun, and its name as runc": {files: map[string]string{"crun": "", "runc": "-> crun"}, kind: "crun", program: "crun"},
		"runc asked for, a link":     {files: map[string]string{"crun": "", "runc": "-> crun"}, asked: "runc", kind: "crun", program: "crun"},
		"none":                       {files: only("x"), kind: "runc", program: "runc"},
		"the machine's":              {files: both, wanted: "crun", kind: "crun", program: "crun"},
		"its own before that":        {files: both, wanted: "crun", asked: "runc", kind: "runc", program: "runc"},
		"its own":                    {files: both, asked: "crun", kind: "crun", program: "crun"},
		"one that is not there":      {files: only("runc"), asked: "crun", kind: "crun", program: "crun"},
		"a path":                     {files: both, asked: "DIR/opt/crun-1.28", kind: "crun", program: "opt/crun-1.28"},
		"a path of the machine's":    {files: both, wanted: "DIR/opt/crun-1.28", kind: "crun", program: "opt/crun-1.28"},
		"a link":                     {files: both, asked: "DIR/opt/rt", kind: "crun", program: "opt/rt"},
		"another program":            {files: both, asked: "DIR/opt/youki", kind: "runc", program: "opt/youki"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := lay(t, c.files)
			path := func(text string) string {
				if len(text) > 3 && text[:3] == "DIR" {
					return dir + text[3:]
				}
				return text
			}
			m := &Machine{Wanted: path(c.wanted)}
			for _, k := range Kinds {
				m.Runtimes = append(m.Runtimes, &Runtime{Kind: k, Path: filepath.Join(dir, k.Name), Root: filepath.Join(dir, "state", k.Name)})
			}
			r := m.Choose(path(c.asked))
			if r.kind().Name != c.kind || r.Program() != filepath.Join(dir, c.program) || r.Root != filepath.Join(dir, "state", c.kind) {
				t.Errorf("%s %s, state in %s", r.kind().Name, r.Program(), r.Root)
			}
			// Whatever is wanted by the time somebody looks again, the record decides.
			if err := r.Record(dir); err != nil {
				t.Fatal(err)
			}
			m.Wanted = "runc"
			again, err := m.Recorded(dir)
			if err != nil || again.kind() != r.kind() || again.Program() != r.Program() || again.Root != r.Root {
				t.Errorf("recorded: %+v, %v", again, err)
			}
		})
	}
}

// A record of before there were two runtimes names none.
func TestRecordOfBefore(t *testing.T) {
	m := &Machine{Wanted: "crun"}
	for _, k := range Kinds {
		m.Runtimes = append(m.Runtimes, &Runtime{Kind: k})
	}
	if r, err := m.Recorded(t.TempDir()); err != nil || r.kind().Name != "runc" {
		t.Errorf("%+v %v", r, err)
	}
}

func TestStates(t *testing.T) {
	for kind, text := range map[string]string{
		"runc": `{"id":"web","init_process_pid":12,"init_process_start":34,"config":{"labels":["a=b","bundle=/b","bundle=/c"]}}`,
		"crun": `{"pid":12,"process-start-time":34,"cgroup-path":"/x","bundle":"/b","external_descriptors":"[]"}`,
	} {
		r := &Runtime{Kind: KindOf(kind), Root: t.TempDir()}
		if r.Kind.Name != kind {
			t.Fatalf("%s is %s", kind, r.Kind.Name)
		}
		if m := (&Machine{Runtimes: []*Runtime{r}}); m.Holder("web") != nil {
			t.Errorf("%s: knows what is not there", kind)
		}
		if err := os.Mkdir(r.StateDir("web"), 0o700); err != nil {
			t.Fatal(err)
		}
		if m := (&Machine{Runtimes: []*Runtime{{Kind: Kinds[0], Root: "/nonesuch"}, r}}); m.Holder("web") != r {
			t.Errorf("%s: not known", kind)
		}
		if err := os.WriteFile(r.StateFile("web"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		id, dir, err := r.ReadOrigin("web")
		if err != nil || id != (reap.Ident{Pid: 12, Start: 34}) || dir != "/b" {
			t.Errorf("%s: %v %q %v", kind, id, dir, err)
		}
	}
}

// A container gets the devices that its spec gives it, and no others.
func TestFitDeniesDevices(t *testing.T) {
	disk := specs.LinuxDeviceCgroup{Allow: true, Type: "b", Access: "r"}
	said := specs.Spec{Linux: &specs.Linux{Resources: &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{disk}}}}
	for name, spec := range map[string]specs.Spec{"nothing is said": {}, "a disk": said} {
		got := (&Runtime{Path: "/usr/bin/crun"}).Fit(&spec).Linux.Resources.Devices
		if len(got) == 0 || got[0].Allow || got[0].Type != "" || got[0].Access != "rwm" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := (&Runtime{Path: "/usr/bin/crun"}).Fit(&said).Linux.Resources.Devices; len(got) != 3 || got[2] != disk {
		t.Errorf("%+v", got)
	}
	if len(said.Linux.Resources.Devices) != 1 {
		t.Errorf("the spec itself was changed: %+v", said.Linux.Resources.Devices)
	}
}

// The version is the lowest that has all that the spec says.
func TestFit(t *testing.T) {
	for said, want := range map[string]string{"": "rslave", "shared": "shared"} {
		spec := specs.Spec{Version: "1.0.2", Linux: &specs.Linux{RootfsPropagation: said}}
		if got := (&Runtime{Path: "/usr/bin/crun"}).Fit(&spec).Linux.RootfsPropagation; got != want || spec.Linux.RootfsPropagation != said {
			t.Errorf("%q: %q", said, got)
		}
	}
	idle, burst := int64(1), uint64(1)
	cpu := func(c specs.LinuxCPU) *specs.Linux {
		return &specs.Linux{Resources: &specs.LinuxResources{CPU: &c}}
	}
	for want, list := range map[string][]specs.Spec{
		"1.0.2": {{}, {Process: &specs.Process{}, Linux: cpu(specs.LinuxCPU{Quota: &idle})}},
		"1.1.0": {{Domainname: "x"}, {Linux: cpu(specs.LinuxCPU{Idle: &idle})}, {Linux: cpu(specs.LinuxCPU{Burst: &burst})},
			{Process: &specs.Process{Scheduler: &specs.Scheduler{}}}, {Mounts: []specs.Mount{{}, {UIDMappings: []specs.LinuxIDMapping{{}}}}},
			{Linux: &specs.Linux{TimeOffsets: map[string]specs.LinuxTimeOffset{"boottime": {}}}}},
		"1.2.1": {{Domainname: "x", Process: &specs.Process{ExecCPUAffinity: &specs.CPUAffinity{}}}},
		"1.3.0": {{Linux: &specs.Linux{NetDevices: map[string]specs.LinuxNetDevice{"eth0": {}}}}},
	} {
		for i, spec := range list {
			spec.Version = "1.2.1"
			if got := (&Runtime{Path: "/usr/bin/crun"}).Fit(&spec); got.Version != want || spec.Version != "1.2.1" {
				t.Errorf("%s, %d: %s", want, i, got.Version)
			}
			if got := (&Runtime{}).Fit(&spec); got != &spec {
				t.Errorf("runc is told %+v", got)
			}
		}
	}
}
