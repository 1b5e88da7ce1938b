package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/log/journal"
	"slipway/pkg/log/read"
	"slipway/pkg/log/store"
	"slipway/pkg/service/guest"
	"slipway/test/poll"
)

// newLogs makes a machine's directories with a service and a step that have run.
func newLogs(t *testing.T) guest.Paths {
	t.Helper()
	dir := t.TempDir()
	p := guest.Paths{Containers: dir + "/containers", Run: dir + "/run", Log: dir + "/log"}
	for _, directory := range []string{"services/web", "onboot/000-dhcp"} {
		if err := os.MkdirAll(filepath.Join(p.Containers, directory), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now().Add(-2 * time.Hour)
	for _, r := range []struct {
		section  bundle.Section
		name     string
		out, err string
		at       time.Time
	}{
		{bundle.Onboot, "000-dhcp", "lease\n", "", began},
		{bundle.Services, "web", "old 1\nold 2\n", "", began},
		{bundle.Services, "web", "new 1\n", "new\x1bfault\n", time.Now()},
	} {
		b := &bundle.Bundle{Name: r.name, Section: r.section, Policy: bundle.DefaultPolicy(r.section)}
		w, err := store.Open(b, store.Options{Paths: p.Logs(), Now: func() time.Time { return r.at }})
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []struct {
			to   *os.File
			text string
		}{{w.Stdout(), r.out}, {w.Stderr(), r.err}} {
			if _, err := text.to.WriteString(text.text); err != nil {
				t.Fatal(err)
			}
			// The streams are read in the order of writing.
			poll.Until(t, "it is stored", func() bool { return stored(t, p, b, text.text) })
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	j := &journal.Journal{}
	if err := j.Open(p.Journal()); err != nil {
		t.Fatal(err)
	}
	j.Add(began, "boot done")
	j.Add(time.Now(), "services web: started")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return p
}

// stored tells whether the last line of a text is in a container's log.
func stored(t *testing.T, p guest.Paths, b *bundle.Bundle, text string) bool {
	t.Helper()
	for line, err := range read.Read(t.Context(), p.Logs(), b.Section, b.Name, read.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(text, string(line.Text)+"\n") {
			return true
		}
	}
	return text == ""
}

func TestLogsCommand(t *testing.T) {
	p := newLogs(t)
	const clock = `\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d\d\d `
	for args, want := range map[string]string{
		"web":                          clock + "stdout old 1\n" + clock + "stdout old 2\n" + clock + "stdout new 1\n" + clock + `stderr new\\x1bfault` + "\n",
		"-previous web":                clock + "stdout old 1\n" + clock + "stdout old 2\n",
		"-n 1 web":                     clock + `stderr new\\x1bfault` + "\n",
		"web --since 1h":               clock + "stdout new 1\n" + clock + `stderr new\\x1bfault` + "\n",
		"--json --since=1h -n 1 web":   `{"time":"[^"]*","stream":"stderr","line":"new\\u001bfault"}` + "\n",
		"000-dhcp":                     clock + "stdout lease\n",
		"dhcp":                         clock + "stdout lease\n",
		"-previous dhcp":               "",
		"":                             clock + "boot done\n" + clock + "services web: started\n",
		"-n 1 --json":                  `{"time":"[^"]*","line":"services web: started"}` + "\n",
		"--since 1h":                   clock + "services web: started\n",
		"--previous":                   "",
		"wbe":                          `error: no container "wbe"; did you mean "web"\?`,
		"nothing-like-it":              `error: no container "nothing-like-it"; service list shows all`,
		"web dhcp":                     "error: logs wants the name of one container",
		"--since yesterday web":        "error: .*neither a duration nor a time",
		"-n -1 web":                    "error: logs: -n wants a number of lines",
		"-f --previous":                "error: logs: nothing comes any more from the boot before",
		"--since 2026-01-01 -n 1 dhcp": clock + "stdout lease\n",
	} {
		if got := callLogs(t, p, args); !regexp.MustCompile("^"+want).MatchString(got) || want == "" && got != "" {
			t.Errorf("logs %s:\n%swant\n%s", args, got, want)
		}
	}
}

// callLogs gives what the command writes, or its error.
func callLogs(t *testing.T, p guest.Paths, args string) string {
	t.Helper()
	var out bytes.Buffer
	c := &call{options: options{paths: p}, command: "logs", out: &out}
	rest, err := c.parse("service logs", strings.Fields(args), find("logs"))
	if err == nil {
		c.args = rest
		err = runLogs(c)
	}
	if err != nil {
		return "error: " + err.Error()
	}
	return out.String()
}
