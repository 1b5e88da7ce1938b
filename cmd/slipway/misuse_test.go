package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spf13/cobra"
)

// called is the exit status of a command line, and what it says.
func called(t *testing.T, args ...string) (int, string) {
	t.Helper()
	root := newRootCommand()
	root.SetArgs(args)
	root.SetOut(io.Discard)
	root.SetErr(io.Discard)
	err := root.Execute()
	if err == nil {
		return 0, ""
	}
	return status(err), err.Error()
}

func everyCommand(cmd *cobra.Command) (all []*cobra.Command) {
	for _, sub := range append(cmd.Commands(), cmd) {
		if sub == cmd || len(sub.Commands()) == 0 {
			all = append(all, sub)
			continue
		}
		all = append(all, everyCommand(sub)...)
	}
	return all
}

// Whatever command it is of, a command line that makes no sense ends with 2.
func TestMisuse(t *testing.T) {
	root := newRootCommand()
	root.InitDefaultCompletionCmd()
	commands := everyCommand(root)
	if len(commands) < 18 {
		t.Errorf("%d commands", len(commands))
	}
	many := strings.Fields(strings.Repeat("x ", 20))
	for _, cmd := range commands {
		path := strings.Fields(cmd.CommandPath())[1:]
		lines := [][]string{append(path, "--no-such-flag"), append(path, "-Z")}
		if cmd.HasSubCommands() {
			lines = append(lines, path, append(path, "nonsense"))
		}
		for _, args := range [][]string{nil, many} {
			if cmd.Args != nil && cmd.Args(cmd, args) != nil {
				lines = append(lines, append(path, args...))
			}
		}
		for _, line := range lines {
			if got, said := called(t, line...); got != 2 {
				t.Errorf("slipway %s: status %d: %s", strings.Join(line, " "), got, said)
			}
		}
	}
	for _, line := range []string{"help nonsense", "buidl", "build", "validate", "images update", "images biuld", "completion fihs", "help run stop"} {
		if got, said := called(t, strings.Fields(line)...); got != 2 {
			t.Errorf("slipway %s: status %d: %s", line, got, said)
		}
	}
	for _, line := range []string{"help", "help run", "--help", "images --help", "--version"} {
		if got, said := called(t, strings.Fields(line)...); got != 0 {
			t.Errorf("slipway %s: status %d: %s", line, got, said)
		}
	}
	if _, said := called(t, "images", "biuld"); !strings.Contains(said, `did you mean "build"?`) {
		t.Error(said)
	}
}

// A flag whose value means nothing is refused before anything is asked of a registry,
// made or booted.
func TestWrongValues(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusNotFound)
	}))
	defer server.Close()
	dir := t.TempDir()
	t.Setenv("SLIPWAY_STORE", filepath.Join(dir, "store"))
	t.Setenv("LINUXKIT_QEMU_ACCEL", "")
	t.Chdir(dir)
	image := strings.TrimPrefix(server.URL, "http://") + "/x/y:1"
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("m.yml", "kernel:\n  image: "+image+"\ninit:\n  - "+image+"\n")
	write("m-kernel", "k")
	write("file", "")
	for line, want := range map[string]int{
		"build --arch nonsense m.yml":                     2,
		"build --platform linux/amd46 m.yml":              2,
		"build --platform windows/amd64 m.yml":            2,
		"build --hardening some m.yml":                    2,
		"build --format nonsense m.yml":                   2,
		"build --initrd nonsense m.yml":                   2,
		"build --compression nonsense m.yml":              2,
		"build --initrd cpio --compression xz m.yml":      2,
		"build --rename nonsense m.yml":                   2,
		"build --mirror =x m.yml":                         2,
		"build --cert-file none m.yml":                    2,
		"build --verify none m.yml":                       2,
		"build --oci none m.yml":                          2,
		"build --offline --pull m.yml":                    2,
		"build --size nonsense m.yml":                     2,
		"build --sbom-output ../x m.yml":                  2,
		"build --dir file m.yml":                          1,
		"build --dir file/x m.yml":                        1,
		"build -o file/x m.yml":                           1,
		"build --sbom file/x m.yml":                       1,
		"build none.yml":                                  1,
		"validate --arch nonsense m.yml":                  2,
		"validate --hardening some m.yml":                 2,
		"images update --arch nonsense m.yml":             2,
		"images list --platform nonsense":                 2,
		"images build --platform linux/s390x":             2,
		"images build nonsense":                           2,
		"images build --recipe a --recipe b x":            2,
		"images push":                                     2,
		"images push " + image + "/ nonsense":             2,
		"images push --cert-file none registry.example/x": 2,
		"images export":                                   2,
		"run --arch nonsense m":                           2,
		"run --accel nonsense m":                          2,
		"run --mem nonsense m":                            2,
		"run --cpus 0 m":                                  2,
		"run --networking nonsense m":                     2,
		"run --networking none --publish 80:80 m":         2,
		"run --publish nonsense m":                        2,
		"run --disk x,nonsense=1 m":                       2,
		"run --disk a,serial=x --disk b,serial=x m":       2,
		"run --expect ( m":                                2,
		"run --fail-on ( m":                               2,
		"run --expect-from x m":                           2,
		"run --fail-on-from x m":                          2,
		"images build --jobs 0 busybox":                   2,
		"run --timeout -5s m":                             2,
		"run --idle-timeout -5s m":                        2,
		"run --timeout nonsense m":                        2,
		"run --output-limit nonsense m":                   2,
		"run --kernel --iso m":                            2,
		"run --data x --data-file y m":                    2,
		"run --detach --json x m":                         2,
		"run --json none/x m":                             1,
		"run --junit file/x m":                            1,
		"run --log none/x m":                              1,
		"run --boot-chart none/x m":                       1,
		"run --json /dev/null --log /dev/stderr none":     1,
		"run --output . m":                                1,
		"run --output file m":                             1,
		"run none":                                        1,
		"stop --timeout nonsense m":                       2,
		"stop --timeout -5s m":                            2,
		"console m m":                                     2,
		"ps m":                                            2,
	} {
		if got, said := called(t, strings.Fields(line)...); got != want {
			t.Errorf("slipway %s: status %d, want %d: %s", line, got, want, said)
		}
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("a registry was asked %d times", n)
	}
}
