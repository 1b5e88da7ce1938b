package bundle

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

const goodConfig = `{"ociVersion":"1.2.1","process":{"args":["/bin/app"],"cwd":"/"},"root":{"path":"rootfs"}}`

// write makes a bundle directory with the given files and returns its path.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "000-app")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLoad(t *testing.T) {
	dir := write(t, map[string]string{
		ConfigFile:  goodConfig,
		RuntimeFile: `{"mkdir":["/run/a"],"bindNS":{"net":"/run/netns/x"},"interfaces":[{"name":"v0","peer":"v1"}]}`,
	})
	b, err := Load(Onboot, dir)
	if err != nil {
		t.Fatal(err)
	}
	if b.Name != "000-app" || b.ShortName() != "app" {
		t.Errorf("names are %q and %q", b.Name, b.ShortName())
	}
	if got := b.Runtime.BindNS.Paths(); len(got) != 1 || got[0] != (NSPath{"net", "/run/netns/x"}) {
		t.Errorf("bindNS is %v", got)
	}
	if !b.Runtime.NeedsWiring() {
		t.Error("interfaces and bindNS need wiring")
	}
	if len(b.Warnings) != 0 {
		t.Errorf("warnings: %v", b.Warnings)
	}
}

func TestLoadWithoutRuntime(t *testing.T) {
	b, err := Load(Onboot, write(t, map[string]string{ConfigFile: goodConfig}))
	if err != nil {
		t.Fatal(err)
	}
	if b.Runtime.NeedsWiring() || b.Runtime.Mounts != nil {
		t.Errorf("a missing runtime.json is not empty: %+v", b.Runtime)
	}
}

func TestLoadFaults(t *testing.T) {
	cases := map[string]struct {
		files map[string]string
		want  []string
	}{
		"no config":       {nil, []string{ConfigFile, "no such file"}},
		"empty config":    {map[string]string{ConfigFile: ""}, []string{ConfigFile, "empty"}},
		"broken config":   {map[string]string{ConfigFile: "{\n\"process\": }"}, []string{ConfigFile + ":2:", "invalid character"}},
		"wrong type":      {map[string]string{ConfigFile: `{"process":{"args":"x"}}`}, []string{ConfigFile + ":1:", "process.args"}},
		"null":            {map[string]string{ConfigFile: "null"}, []string{ConfigFile, `no "process"`}},
		"no args":         {map[string]string{ConfigFile: `{"process":{},"root":{"path":"rootfs"}}`}, []string{"process.args"}},
		"no root":         {map[string]string{ConfigFile: `{"process":{"args":["x"]}}`}, []string{"root.path"}},
		"trailing":        {map[string]string{ConfigFile: goodConfig + goodConfig}, []string{ConfigFile, "more than one"}},
		"too large":       {map[string]string{ConfigFile: strings.Repeat(" ", maxFile+1)}, []string{ConfigFile, "more than"}},
		"broken runtime":  {map[string]string{ConfigFile: goodConfig, RuntimeFile: "{"}, []string{RuntimeFile}},
		"policy":          {map[string]string{ConfigFile: strings.Replace(goodConfig, "{", `{"annotations":{"slipway.on-failure":"explode"},`, 1)}, []string{ConfigFile, "slipway.on-failure", "explode"}},
		"unknown policy":  {map[string]string{ConfigFile: strings.Replace(goodConfig, "{", `{"annotations":{"slipway.wait":"1"},`, 1)}, []string{"slipway.wait", "unknown key"}},
		"cgroup of all":   {map[string]string{ConfigFile: strings.Replace(goodConfig, "{", `{"linux":{"cgroupsPath":"/.."},`, 1)}, []string{ConfigFile, "cgroupsPath", "upwards"}},
		"cgroup to make":  {map[string]string{ConfigFile: goodConfig, RuntimeFile: `{"cgroups":["pods","/"]}`}, []string{RuntimeFile, "root"}},
		"cgroup unnamed":  {map[string]string{ConfigFile: goodConfig, RuntimeFile: `{"cgroups":[""]}`}, []string{RuntimeFile, "without a name"}},
		"unknown + wrong": {map[string]string{ConfigFile: `{"extra":1,"process":{"args":"x"}}`}, []string{"process.args"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir := write(t, c.files)
			_, err := Load(Onboot, dir)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range append(c.want, dir) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v: no %q in it", err, want)
				}
			}
		})
	}
}

func TestLoadUnknownFieldIsAWarning(t *testing.T) {
	b, err := Load(Services, write(t, map[string]string{
		ConfigFile:  goodConfig,
		RuntimeFile: `{"novelty": true, "mkdir": ["/run/a"]}`,
	}))
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Warnings) != 1 || !strings.Contains(b.Warnings[0].Error(), `"novelty"`) {
		t.Errorf("warnings: %v", b.Warnings)
	}
	if len(b.Runtime.Mkdir) != 1 {
		t.Error("the fields beside the unknown one are lost")
	}
}

// A FIFO in an image must not block the boot in open(2).
func TestLoadDoesNotOpenAFIFO(t *testing.T) {
	dir := write(t, nil)
	if err := syscall.Mkfifo(filepath.Join(dir, ConfigFile), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(Onboot, dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("got %v", err)
	}
}

func TestListIsLexicalAndWithoutFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"010-b", "002-c", "001-a"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "000-file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	names, err := List(dir)
	if err != nil || strings.Join(names, " ") != "001-a 002-c 010-b" {
		t.Errorf("got %v, %v", names, err)
	}
	if names, err := List(filepath.Join(dir, "absent")); err != nil || names != nil {
		t.Errorf("an absent directory gives %v, %v", names, err)
	}
}

// A name that is no good is listed, so that somebody is told, and not loaded.
func TestNamesThatAreRefused(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"good", "--help", "000--x", "a b", "two\nlines", "\x1b[2J", "\xff", "a\tb"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, ConfigFile), []byte(goodConfig), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	names, err := List(dir)
	if err != nil || strings.Join(names, "|") != `--help|000--x|\x1b[2J|\xff|a b|a\tb|good|two\nlines` {
		t.Fatalf("got %q, %v", names, err)
	}
	for _, name := range names {
		_, err := Load(Onboot, filepath.Join(dir, name))
		if good := name == "good"; good != (err == nil) {
			t.Errorf("%q: %v", name, err)
		}
		if err != nil && strings.ContainsFunc(err.Error(), unprintable) {
			t.Errorf("%q in an error", err)
		}
	}
}

func TestCheckName(t *testing.T) {
	for _, name := range []string{"a", "A_b.c+d-e", "_x", "+x", "0", strings.Repeat("n", maxName)} {
		if err := CheckName(name); err != nil {
			t.Error(err)
		}
	}
	pattern := regexp.MustCompile(NamePattern)
	for _, name := range []string{"", ".", "..", ".hidden", "-x", "a,b", "a\n", "--help", "a/b", "a b", "a\n", "a\x00", "ü", "a\u202e", "a@b", "a:b", strings.Repeat("n", maxName+1)} {
		if err := CheckName(name); err == nil || strings.ContainsFunc(err.Error(), unprintable) || pattern.MatchString(name) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestCheckCgroupsPath(t *testing.T) {
	for _, p := range []string{"", "/pods", "pods", "pods/web", "/pods//web/", "./pods", "system.slice:runc:web", "/containers2", "...", "/a/containers"} {
		if err := CheckCgroupsPath(p); err != nil {
			t.Errorf("%q: %v", p, err)
		}
	}
	for _, p := range []string{
		"/", ".", "..", "//", "/.", "./", "././", "/..", "/../x", "a/../..", "a/../b", "/a/..", "../../x", "a/.././",
		"\x00", "/\x00", "a\nb", "a\x7f", "\xff", "/\x1b", "/containers", "containers", "./containers/", "//containers/x", "/onshutdown", "onshutdown/a",
		"/slipway", "init", strings.Repeat("n", 256), "a/" + strings.Repeat("n", 256) + "/b",
	} {
		if err := CheckCgroupsPath(p); err == nil || strings.ContainsFunc(err.Error(), unprintable) {
			t.Errorf("%q: %v", p, err)
		}
	}
}

func FuzzCheckCgroupsPath(f *testing.F) {
	f.Add("/pods/web")
	f.Add("a/../..")
	f.Fuzz(func(t *testing.T, p string) {
		clean := path.Join("/", p)
		if err := CheckCgroupsPath(p); err == nil && p != "" && (clean == "/" || strings.HasPrefix(clean+"/", CgroupParent+"/") || strings.HasPrefix(clean+"/", OnshutdownCgroupParent+"/")) {
			t.Errorf("%q was accepted", p)
		}
	})
}

func TestShortName(t *testing.T) {
	for _, c := range []struct {
		s               Section
		directory, want string
	}{
		{Onboot, "003-dhcpcd", "dhcpcd"},
		{Onshutdown, "000-x", "x"},
		{Services, "003-dhcpcd", "003-dhcpcd"},
		{Onboot, "dhcpcd", "dhcpcd"},
		{Onboot, "00a-x", "00a-x"},
		{Onboot, "000-", "000-"},
	} {
		if got := ShortName(c.s, c.directory); got != c.want {
			t.Errorf("%s %q: got %q, want %q", c.s, c.directory, got, c.want)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(goodConfig), []byte(`{"mounts":[]}`))
	f.Add([]byte("null"), []byte("{}"))
	f.Fuzz(func(t *testing.T, config, runtime []byte) {
		dir := write(t, map[string]string{ConfigFile: string(config), RuntimeFile: string(runtime)})
		b, err := Load(Services, dir)
		if err == nil && (b.Spec.Process == nil || b.Spec.Root == nil) {
			t.Error("a bundle without process or root was accepted")
		}
	})
}
