package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/pkg/service/state"
	"slipway/pkg/timeline"
)

// leftBehind is a machine whose supervisor is away: what it left is there.
func leftBehind(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	own := filepath.Join(dir, "run/slipway")
	var err error
	for _, d := range []string{own + "/services", dir + "/containers/services/web", dir + "/containers/services/database"} {
		err = errors.Join(err, os.MkdirAll(d, 0o755))
	}
	for _, r := range []state.Record{{Name: "web", State: state.Ready}, {Name: "database", State: state.Failed, Cause: "exit status 7"}} {
		data, merr := json.Marshal(r)
		err = errors.Join(err, merr, os.WriteFile(own+"/services/"+r.Name+".json", data, 0o600))
	}
	line, merr := json.Marshal(state.Transition{Name: "web", From: state.Running, To: state.Ready, Time: time.Unix(0, 0)})
	err = errors.Join(err, merr, os.WriteFile(own+"/events.jsonl", append(line, '\n'), 0o600))
	r := timeline.Open(own + "/timeline.jsonl")
	r.Span("mount", time.Second, 2*time.Second, nil, timeline.Phase(timeline.PhaseInit))
	if err := errors.Join(err, r.Err(), r.Close()); err != nil {
		t.Fatal(err)
	}
	return dir
}

// service runs the program in a process of its own.
func service(t *testing.T, dir string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	paths := []string{"-run", dir + "/run", "-containers", dir + "/containers", "-log", dir + "/log"}
	cmd := exec.Command("/proc/self/exe", append([]string{args[0]}, append(paths, args[1:]...)...)...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func TestMisuse(t *testing.T) {
	dir := leftBehind(t)
	for args, want := range map[string]struct {
		status int
		says   string
	}{
		"list x":                 {2, "list takes no arguments"},
		"status wbe":             {1, `no container "wbe"; did you mean "web"?`},
		"start":                  {2, "start wants the names of services"},
		"stop a b":               {1, "the supervisor does not answer"},
		"start -dump-spec x a b": {2, "-dump-spec wants one service"},
		"restart web":            {1, "the supervisor does not answer"},
		"logs databse":           {1, `no container "databse"; did you mean "database"?`},
		"logs web --since never": {2, `"never" is neither a duration nor a time`},
		"events wbe":             {1, `no container "wbe"; did you mean "web"?`},
		"exec web":               {2, "exec wants a container and a command"},
		"exec wbe -- true":       {1, `no container "wbe"; did you mean "web"?`},
		"exec -t web -- true":    {2, "standard input is no terminal"},
		"analyze plott":          {2, `no view "plott"; did you mean "plot"?`},
		"plot x":                 {2, "plot takes no arguments"},
		"list --jsn":             {2, "flag provided but not defined: -jsn"},
		"completion zsh":         {2, "completion is for bash"},
	} {
		status, out, errs := service(t, dir, strings.Fields(args)...)
		if status != want.status || !strings.Contains(errs, want.says) || out != "" {
			t.Errorf("service %s: status %d, %q %q; want %d, %q", args, status, out, errs, want.status, want.says)
		}
	}
	for args, want := range map[string]string{"lst": `did you mean "list"?`, "-q -v list": "exclude each other", "frobnicate": "see service help"} {
		if status, _, errs := runProgram(t, strings.Fields(args)...); status != 2 || !strings.Contains(errs, want) {
			t.Errorf("service %s: %d, %q, want %q", args, status, errs, want)
		}
	}
}

// Each command takes flags of its own, beside those of all, and none of another's.
func TestFlagsOfEach(t *testing.T) {
	want := map[string]string{
		"list": "json", "status": "json", "start": "dump-spec json", "stop": "dump-spec json", "restart": "dump-spec json",
		"logs": "f json n previous since", "events": "f json", "exec": "json t", "analyze": "json o", "blame": "json o",
		"critical-chain": "json o", "plot": "json o", "upgrade": "back json", "version": "json", "names": "services",
	}
	for _, c := range commands {
		got := strings.ReplaceAll(strings.Join(ownFlags(c), " "), "-", "")
		if got != strings.ReplaceAll(want[c.name], "-", "") {
			t.Errorf("service %s takes %q, want %q", c.name, got, want[c.name])
		}
	}
}

// Whatever command it is, flags that there are not and arguments too many end with 2.
func TestMisuseOfAll(t *testing.T) {
	many := strings.Fields(strings.Repeat("x ", 20))
	for _, c := range commands {
		lines := [][]string{{c.name, "-no-such-flag"}, {c.name, "-q=nonsense"}}
		if !strings.Contains(c.args, "...") && c.own == 0 {
			lines = append(lines, append([]string{c.name}, many...))
		}
		if c.args != "" && c.args[0] != '[' {
			lines = append(lines, []string{c.name})
		}
		for _, line := range lines {
			if status, out, errs := runProgram(t, line...); status != 2 || out != "" || !strings.HasPrefix(errs, "service: ") {
				t.Errorf("service %s: status %d, %q %q", strings.Join(line, " "), status, out, errs)
			}
		}
	}
}

func runProgram(t *testing.T, args ...string) (int, string, string) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), programVar+"=1")
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// Help fits a terminal, and of flags has a command's own.
func TestHelpFits(t *testing.T) {
	calls := [][]string{{"help"}, {"help", "flags"}}
	for _, c := range commands {
		if !c.hidden {
			calls = append(calls, []string{"help", c.name}, []string{c.name, "-h"})
		}
	}
	for _, args := range calls {
		status, out, errs := runProgram(t, args...)
		if status != 0 || out == "" || errs != "" {
			t.Errorf("service %q: %d %q %q", args, status, out, errs)
		}
		for line := range strings.Lines(out) {
			if len(strings.ReplaceAll(line, "\t", "        ")) > 81 {
				t.Errorf("service %q: wider than 80: %s", args, line)
			}
		}
		if args[0] != "help" && strings.Contains(out, "runc-root") {
			t.Errorf("service %q lists the flags of all commands:\n%s", args, out)
		}
	}
	if status, _, errs := runProgram(t, "help", "lst"); status != 2 || !strings.Contains(errs, `did you mean "list"`) {
		t.Errorf("%d %q", status, errs)
	}
}

// An empty answer says to people that it is one.
func TestNothingToShow(t *testing.T) {
	dir := leftBehind(t)
	if err := os.Remove(filepath.Join(dir, "run/slipway/events.jsonl")); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{"events": "no events", "logs web": "no output of web", "logs": "nothing was said", "events --json": ""} {
		status, out, errs := service(t, dir, strings.Fields(args)...)
		if status != 0 || out != "" || !strings.Contains(errs, want) || want == "" && errs != "" {
			t.Errorf("service %s: %d %q %q, want %q", args, status, out, errs, want)
		}
	}
}

// What the program was built from, also without a supervisor.
func TestVersion(t *testing.T) {
	dir := leftBehind(t)
	want := regexp.MustCompile(`^service +\S+, commit .*, build [0-9a-f]{12}, /.*\nsupervisor +does not answer\n$`)
	if status, out, errs := service(t, dir, "version"); status != 0 || !want.MatchString(out) {
		t.Errorf("%d %q %q, want %s", status, out, errs, want)
	}
}

// Everything that shows something shows it as JSON as well.
func TestJSON(t *testing.T) {
	dir := leftBehind(t)
	for args, want := range map[string]string{
		"list --json": `"state": "failed"`, "status --json web": `"name": "web"`, "events --json": `"duration_seconds":0`,
		"analyze --json": `"phase": "pid1"`, "analyze blame --json": `"name": "mount"`, "blame --json": `"ready_seconds": 2`,
		"critical-chain --json": `"name": "mount"`, "plot --json": `"begin_seconds": 1`,
	} {
		status, out, errs := service(t, dir, strings.Fields(args)...)
		if status != 0 || !json.Valid([]byte(out)) || !strings.Contains(out, want) {
			t.Errorf("service %s: %d %q %s", args, status, errs, out)
		}
	}
}

// Of a service and of a step, with no supervisor to ask.
func TestStatusShowsImage(t *testing.T) {
	dir := leftBehind(t)
	for path, text := range map[string]string{
		"containers/services/web/config.json":    `{"ociVersion":"1.0.2","process":{"cwd":"/","args":["x"]},"root":{"path":"rootfs"},"annotations":{"org.opencontainers.image.ref.name":"example/web:1"}}`,
		"containers/onboot/000-dhcp/config.json": `{"ociVersion":"1.0.2","process":{"cwd":"/","args":["x"]},"root":{"path":"rootfs"},"annotations":{"org.opencontainers.image.ref.name":"example/dhcp:1"}}`,
		"run/slipway/onboot.json":                `[{"name":"000-dhcp","state":"done"}]`,
	} {
		file := filepath.Join(dir, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"web": "example/web:1", "dhcp": "example/dhcp:1"} {
		if status, out, errs := service(t, dir, "status", name); status != 0 || !strings.Contains(out, "image        "+want+"\n") {
			t.Errorf("%s: %d %q\n%s", name, status, errs, out)
		}
	}
}

func TestAnalyzeToFile(t *testing.T) {
	dir := leftBehind(t)
	file := filepath.Join(dir, "boot.svg")
	if status, out, errs := service(t, dir, "analyze", "plot", "-o", file); status != 0 || out != "" || errs != "" {
		t.Errorf("%d %s %s", status, out, errs)
	}
	if data, err := os.ReadFile(file); err != nil || !strings.HasSuffix(string(data), "</svg>\n") {
		t.Errorf("%s %v", data, err)
	}
}

// TestCompletion has bash complete command lines, as it does for a user.
func TestCompletion(t *testing.T) {
	dir := leftBehind(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	wrapper := fmt.Sprintf("#!/bin/sh\nc=$1; shift; %s=1 exec %s $c -run %s/run -containers %s/containers \"$@\"\n", programVar, self, dir, dir)
	if err := os.WriteFile(bin+"/service", []byte(wrapper), 0o755); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"service st":                   "start status stop",
		"service -q res":               "restart",
		"service start ":               "database web",
		"service stop w":               "web",
		"service exec ":                "database web",
		"service exec web -- w":        "",
		"service events web d":         "database",
		"service logs --pre":           "--previous",
		"service list --":              "--json",
		"service start web ":           "database web",
		"service analyze ":             "blame critical-chain plot",
		"service critical-chain --jso": "--json",
		"service exec -t w":            "web",
	} {
		words := strings.Split(line, " ")
		script := fmt.Sprintf("source <(service completion)\nCOMP_WORDS=(%s '%s')\nCOMP_CWORD=%d\n_service service '%s' '%s' || :\necho \"${COMPREPLY[*]}\"",
			strings.Join(words[:len(words)-1], " "), words[len(words)-1], len(words)-1, words[len(words)-1], words[len(words)-2])
		cmd := exec.Command("bash", "-euc", script)
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		got := strings.Fields(string(out))
		slices.Sort(got)
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q: %q %v, want %q", line, out, err, want)
		}
	}
}
