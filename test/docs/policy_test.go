package docs

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/pkg/bundle"
)

// TestPolicyTable: docs/policy.md has each annotation with the sections it may stand in, the words it
// may be, and the default of a container that has none.
func TestPolicyTable(t *testing.T) {
	rows := map[string][]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(slipway\\.[a-z-]+)` \\| (.*) \\| (.*) \\| (.*) \\|$").FindAllStringSubmatch(page(t, "docs/policy.md"), -1) {
		rows[row[1]] = row[2:]
	}
	sections := map[string][]string{}
	for _, s := range []bundle.Section{bundle.Onboot, bundle.Onshutdown, bundle.Services} {
		for _, key := range bundle.PolicyKeys(s) {
			sections[key] = append(sections[key], string(s))
		}
	}
	for key, in := range sections {
		want := strings.Join(in, ", ")
		if len(in) == 3 {
			want = "all"
		}
		row := rows[key]
		if row == nil {
			t.Errorf("docs/policy.md has no row of %s", key)
			continue
		}
		if said, _, _ := strings.Cut(row[0], ", read-write"); said != want {
			t.Errorf("%s stands in %s; docs/policy.md says %s", key, want, row[0])
		}
		if want := defaultOf(strings.TrimPrefix(key, bundle.Prefix)); !strings.Contains(row[2], want) {
			t.Errorf("%s: the default is %s; docs/policy.md says %s", key, want, row[2])
		}
		checkWords(t, key, bundle.Section(in[len(in)-1]), row[1])
		delete(rows, key)
	}
	for key := range rows {
		t.Errorf("docs/policy.md has %s, which is none", key)
	}
}

// defaultOf words the default of a key as the page does; what the machine decides is in words there.
func defaultOf(key string) string {
	p, down := bundle.DefaultPolicy(bundle.Services), bundle.DefaultPolicy(bundle.Onshutdown)
	switch key {
	case "timeout":
		return fmt.Sprintf("none; `%s` in onshutdown", short(down.Timeout))
	case "stop-signal":
		return "else `SIGTERM`"
	case "log-max-size":
		return fmt.Sprintf("`%dM`", p.LogMaxSize>>20)
	case "runtime":
		return "`slipway.runtime=`"
	case "upper":
		return "`tmpfs` of its share"
	case "pids":
		return "an eighth of all"
	}
	of := map[string]any{
		"restart": p.Restart, "restart-delay": p.RestartDelay, "restart-max-delay": p.RestartMaxDelay, "ready": p.Ready, "ready-timeout": p.ReadyTimeout,
		"health-interval": p.HealthInterval, "on-failure": p.OnFailure, "watchdog": p.Watchdog, "stop-timeout": p.StopTimeout, "log": p.Log,
		"log-max-files": p.LogMaxFiles, "seccomp": p.Seccomp,
	}[key]
	switch v := of.(type) {
	case nil:
		return "none"
	case time.Duration:
		return "`" + short(v) + "`"
	default:
		return fmt.Sprintf("`%v`", v)
	}
}

// short is a duration as people write it: 60s, not 1m0s.
func short(d time.Duration) string {
	if d%time.Second == 0 {
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return d.String()
}

// checkWords wants each word that the page gives for a value to be one.
func checkWords(t *testing.T, key string, s bundle.Section, said string) {
	t.Helper()
	said, _, _ = strings.Cut(said, "; ")
	for _, word := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(strings.ReplaceAll(said, "`25%` of memory", ""), -1) {
		value := strings.NewReplacer("PORT", "80", "SIZE", "64M", "COMMAND", "true", "N/duration", "5/1m", "/PATH", "/p", "PATH", "/p").Replace(word[1])
		if _, err := bundle.ParsePolicy(s, map[string]string{key: value}); err != nil && !slices.Contains([]string{"started", "notify"}, value) && !strings.HasPrefix(value, "resources.") {
			t.Errorf("docs/policy.md says of %s: %s: %v", key, word[1], err)
		}
	}
}

// TestConfinementTable: docs/policy.md lists what of /proc and /sys is masked or read-only, and docs/linuxkit.md the
// images that are let do more by their names.
func TestConfinementTable(t *testing.T) {
	const file = root + "/pkg/build/spec/hardening.go"
	text, masked, readonly := page(t, "docs/policy.md"), keysOf(t, file, "maskedPaths"), keysOf(t, file, "readonlyPaths")
	if len(masked) < 15 || len(readonly) < 5 {
		t.Fatal(masked, readonly)
	}
	m := regexp.MustCompile("(?m)^\\| `/proc` \\| [^|]* \\| without ([^;]*); (.*) read-only \\|").FindStringSubmatch(text)
	if m == nil {
		t.Fatal("docs/policy.md has no row of /proc")
	}
	for i, paths := range [][]string{masked, readonly} {
		var want []string
		for _, p := range paths {
			if dir, name := path.Split(p); dir == "/proc/" {
				want = append(want, "`"+name+"`")
			} else if !strings.Contains(text, "`"+p+"`") {
				t.Errorf("docs/policy.md does not have %s", p)
			}
		}
		if want := strings.Join(want, ", "); m[i+1] != want {
			t.Errorf("docs/policy.md has of /proc: %s\nwant %s", m[i+1], want)
		}
	}
	images := keysOf(t, file, "linuxKitNeeds")
	for _, image := range images {
		if !strings.Contains(page(t, "docs/linuxkit.md"), path.Base(image)) {
			t.Errorf("docs/linuxkit.md does not have %s", image)
		}
	}
	if len(images) < 4 {
		t.Error(images)
	}
}
