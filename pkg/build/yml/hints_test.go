package yml

import (
	"fmt"
	"strings"
	"testing"
)

// TestSyntaxFaultsAreWhereTheyAre breaks texts in a line each, which is the one to
// point at.
func TestSyntaxFaultsAreWhereTheyAre(t *testing.T) {
	const head = "kernel:\n  image: a\ninit: [b]\n"
	for _, c := range []struct {
		text string // with ! in front of the line
		want string
	}{
		{"init:\n  - a\n! onboot:\n  - b\n", "as many spaces"},
		{head + "services:\n  - name: a\n    image: b\n!   command: [x]\n    env: []\n", "as many spaces"},
		{head + "services:\n  - name: a\n    image: b\n!   - name: c\n    image: d\n", "as many spaces"},
		{head + "services:\n  - name: a\n    image: b\n! - name: c\n", "as many spaces"},
		{head + "services:\n  - name: a\n    image: b\n!  name: c\n", "as many spaces"},
		{head + "services:\n  - name: a\n    annotations:\n      a: b\n!     c: d\n    image: b\nfiles: []\n", "as many spaces"},
		{head + "services:\n  - name: a\n    annotations:\n      a: b\n!       c: d\n", "as many spaces"},
		{"kernel:\n  image: a\n!    cmdline: x\ninit: []\n", "as many spaces"},
		{"# a\n\nkernel:\n  image: a\n\n\n!   cmdline: x\n", "as many spaces"},
		{"init:\n  - a\n!- b\nonboot: []\n", "as many spaces"},
		{"kernel:\n  image: a\n!  cmdline: a: b\ninit: []\n", "quotes around"},
		{head + "services:\n  - name: a\n!\timage: b\n  - name: c\n", "no tab"},
		{"kernel:\n!\timage: a\ninit: [a]\n", "no tab"},
		{head + "services:\n  - name: a\n    image: x\n!  \t- name: b\n", "no tab"},
		{head + "files:\n  - path: a\n    contents: |\n      abc\n!\tdef\n  - path: b\n", "no tab"},
		{head + "files:\n  - path: a\n    contents: |\n      abc\n!     def\n  - path: b\n", ""},
		{head + "services:\n  - name: a\n!    command: [x, y\n    image: b\nfiles: []\n", ""},
		{head + "services:\n  - name: a\n!    command: [x, \"y]\n    image: b\nfiles: []\n", ""},
		{head + "services:\n  - name: a\n!    command: ]\n    image: b\n", ""},
		{head + "services:\n  - name: a\n!    image: @foo\n    x: b\nfiles: []\n", ""},
		{head + "services:\n  - name: a\n!    image: *foo\n  - name: b\n", ""},
		{"init:\n- a\n!onboot\n- name: c\nservices: []\n", ""},
		{"kernel: {image: a}\r\ninit:\r\n  - a\r\n! onboot:\r\n", "as many spaces"},
		{head + "---\na: [b]\n! c: d\n", "as many spaces"},
	} {
		line := 1 + strings.Count(c.text[:strings.Index(c.text, "!")], "\n")
		_, faults := Parse("m.yml", []byte(strings.Replace(c.text, "!", "", 1)))
		if len(faults) != 1 || faults[0].Line != line || !strings.Contains(faults[0].Want, c.want) || !strings.HasPrefix(faults[0].Message, "not YAML: ") {
			t.Errorf("%q: want line %d and %q, got\n%v", c.text, line, c.want, faults)
		}
	}
}

// TestVersionOfYAML says what to do with a line that other tools write.
func TestVersionOfYAML(t *testing.T) {
	_, faults := Parse("m.yml", []byte("%YAML 1.2\n---\ninit: [a]\n"))
	if len(faults) != 1 || faults[0].Line != 1 || faults[0].Want != "this line left out, or %YAML 1.1" {
		t.Error(faults)
	}
	if _, faults := Parse("m.yml", []byte("%YAML 1.1\n---\ninit: [a]\n")); len(faults) > 0 {
		t.Error(faults)
	}
}

// TestSyntaxOfLongTexts finds the line in time, however long the text is; what
// begins far away is told as the parser tells it.
func TestSyntaxOfLongTexts(t *testing.T) {
	const entry = "  - name: x\n    image: y\n"
	for _, n := range []int{1000, 20000} {
		text := "services:\n" + strings.Repeat(entry, n) + "   command: x\n" + strings.Repeat(entry, n)
		_, faults := Parse("m.yml", []byte(text))
		if want := 2*n + 2; len(faults) != 1 || n == 1000 && faults[0].Line != want {
			t.Errorf("%d entries: %v", n, faults)
		}
	}
	text := "services:\n" + entry + "    command: [\"x]\n" + strings.Repeat(entry, 200)
	if _, faults := Parse("m.yml", []byte(text)); len(faults) != 1 || faults[0].Line == 0 {
		t.Error(faults)
	}
}

// TestForeignKeys tells who writes keys of other tools what to write here.
func TestForeignKeys(t *testing.T) {
	for _, c := range []struct{ section, text, want string }{
		{"services", "user: web", "want uid: N and gid: N"},
		{"services", "restart: always", "want annotations: {slipway.restart: always}"},
		{"services", "restart: \"no\"", `want annotations: {slipway.restart: "no"}`},
		{"services", "restart: unless-stopped", "want annotations: {slipway.restart: always}"},
		{"services", "restartPolicy: Always", "want annotations: {slipway.restart: always}"},
		{"onboot", "restart: always", "want nothing in onboot: slipway.restart is for services"},
		{"services", "depends_on: [b]", "slipway.after: NAME"},
		{"onshutdown", "depends_on: [b]", "want nothing in onshutdown"},
		{"services", "after: b", "want annotations: {slipway.after: b}"},
		{"services", "healthcheck: {test: x}", "slipway.health"},
		{"services", "livenessProbe: {}", "slipway.health"},
		{"services", "health: \"tcp:80\"", `{slipway.health: "tcp:80"}`},
		{"services", "environment: {A: b}", "want env: [NAME=VALUE, ...]"},
		{"services", "env: {A: b}", `want a list: ["A=b", ...]`},
		{"services", "memory: 64M", "want resources: {memory: {limit: 67108864}}"},
		{"services", "mem_limit: 1g", "want resources: {memory: {limit: 1073741824}}"},
		{"services", "memory: {limit: 1}", "want resources: {memory: {limit: BYTES}}"},
		{"services", "ports: [\"80:80\"]", "slipway run --publish"},
		{"services", "volumes: [\"a:/b\"]", "want binds: "},
		{"services", "volumeMounts: []", "want binds: "},
		{"services", "cap_add: [NET_ADMIN]", "want capabilities: "},
		{"services", "capAdd: [NET_ADMIN]", "want capabilities: "},
		{"services", "privileged: true", "want capabilities: [all]"},
		{"services", "entrypoint: [x]", "want command: "},
		{"services", "command: sh -c true", `want a list: ["sh", "-c", "true"]`},
		{"services", "binds: \"/a:/b\"", `want a list: ["/a:/b"]`},
		{"services", "working_dir: /x", "want cwd: /PATH"},
		{"services", "stop-timeout: 30", "want annotations: {slipway.stop-timeout: 30s}"},
		{"services", "stop_timeout: 30", "want annotations: {slipway.stop-timeout: 30s}"},
		{"services", "stop_grace_period: 1m", "slipway.stop-timeout"},
		{"services", "slipway.stop-timeout: 30", "want annotations: {slipway.stop-timeout: 30s}"},
		{"services", "annotations: {slipway.stop-timeout: 30}", "want text: 30s"},
		{"services", "annotations: {slipway.pids: 100}", `want text: "100"`},
		{"services", "annotations: {slipway.watchdog: true}", `want text: "true"`},
		{"services", "annotations: {stop-timeout: 30s}", `did you mean "slipway.stop-timeout"?`},
		{"services", "timeout: 30", "want nothing in services: slipway.timeout is for onboot, onshutdown"},
		{"onboot", "timeout: 30", "want annotations: {slipway.timeout: 30s}"},
		{"services", "resources: {memory: {limit: 64M}}", "want a whole number of bytes: 67108864"},
		{"services", "resources: {memory: {limit: 64MiB, swap: 0.5 GB}}", "want a whole number of bytes: 536870912"},
		{"services", "resources: {memory: {limit: much}}", "want a whole number of bytes\n"},
		{"services", "resources: {memory: {reservation: 1.5}}", "want a whole number of bytes"},
		{"services", "resources: {memory: 64M}", "want {limit: 67108864} in bytes"},
		{"services", "resources: {pids: 100}", "want {limit: 100}"},
		{"services", "resources: {cpu: {quota: 50ms}}", "want a whole number of microseconds: 50000"},
		{"services", "resources: {limits: {memory: 64M}}", "right below resources:"},
		{"services", "comand: [x]", `did you mean "command"?`},
		{"services", "frobnicate: 1", "want one of additionalGids, "},
	} {
		text := fmt.Sprintf("%s:\n  - name: x\n    image: y\n    %s\n", c.section, c.text)
		_, faults := Parse("m.yml", []byte(text))
		if !strings.Contains(faults.Error()+"\n", c.want) || faults[0].Line != 4 {
			t.Errorf("%s: want %q, got\n%v", c.text, c.want, faults)
		}
	}
	for text, want := range map[string]string{
		"version: \"3\"\n":               "linuxkit.yml has no version",
		"services:\n  web: {image: x}\n": "want a list, with the names in it: - name: web",
		"volumes:\n  data: {}\n":         "- name: data",
		"networks: {}\n":                 "net: in a container",
	} {
		if _, faults := Parse("m.yml", []byte(text)); !strings.Contains(faults.Error(), want) {
			t.Errorf("%s: want %q, got\n%v", text, want, faults)
		}
	}
}

// TestHintsAreRight follows every hint that can be written as it is: what it leads
// to is no fault.
func TestHintsAreRight(t *testing.T) {
	fill := strings.NewReplacer("PROGRAM, ARGUMENT, ...", "a", "NAME=VALUE, ...", "A=b", "N, ...", "1", "CAP_...", "CAP_KILL", "N", "1", "BYTES", "1", "PORT/PATH", "1/a",
		"SOURCE:DESTINATION", "/a:/b", "SOFT,HARD", "1,2", "...", "default")
	followed := 0
	for key, hint := range foreign {
		end := strings.LastIndexAny(hint[:max(0, strings.IndexAny(hint+",", ",;"))], "]}")
		if strings.HasPrefix(hint, "nothing") || end < 0 || strings.Contains(hint, "NAME") || strings.Contains(hint, "period") {
			continue
		}
		text := "services:\n  - name: x\n    image: y\n    " + fill.Replace(hint[:end+1]) + "\n"
		if _, faults := Parse("m.yml", []byte(text)); len(faults) > 0 {
			t.Errorf("%s: %s leads to\n%v", key, hint, faults)
		}
		followed++
	}
	if followed < 30 {
		t.Errorf("only %d hints were followed", followed)
	}
}

func TestInUnit(t *testing.T) {
	for text, want := range map[string]int64{
		"64M": 64 << 20, "64m": 64 << 20, "64MB": 64 << 20, "64MiB": 64 << 20, "1Gi": 1 << 30, "1.5k": 1536, "100": 100, "2 G": 2 << 30, "1t": 1 << 40,
		"": -1, "M": -1, "-1": -1, "64X": -1, "64Mx": -1, "9999999999t": -1,
	} {
		if got, ok := inUnit(bytesUnit, text); ok != (want >= 0) || ok && got != want {
			t.Errorf("%q: %d, %t", text, got, ok)
		}
	}
}
