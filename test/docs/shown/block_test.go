package shown

import (
	"strings"
	"testing"
)

// TestBlocks: what stands in a page, with what is found of it, and what is wrong with it.
func TestBlocks(t *testing.T) {
	for text, want := range map[string]struct{ commands, fault string }{
		"```sh\nslipway ps   # which run\n# none\n```": {"slipway ps", ""},
		"```sh guest\nservice list\n```":               {"service list", ""},
		"```sh illustration: too slow\nmake test\n```": {"make test", ""},
		"```sh illustration\nmake test\n```":           {"make test", "says why"},
		"```\nslipway ps\n```":                         {"slipway ps", "says nothing"},
		"```sh later\nslipway ps\n```":                 {"slipway ps", "says nothing"},
		"```text\n$ ls\n```":                           {"$ ls", "could be typed"},
		"```text\nslipway: built\n```":                 {"slipway: built", ""},
		"```text\nslipway build x.yml\n```":            {"slipway build x.yml", "could be typed"},
		"```yaml box.yml\nkernel: {}\n```":             {"kernel: {}", ""},
		"```yaml box\nkernel: {}\n```":                 {"kernel: {}", "says nothing"},
		"```sh\n# none\n```":                           {"", "no command"},
		"```sh\nslipway ps":                            {"", "without"},
		"<!--sh guest-->\n| a | `service list` |":      {"", "says nothing"},
		"<!-- sh guest -->\n\n| a | `service list` |":  {"", "no command"},
		"- so:\n  ```sh":                               {"", "says nothing"},
		"~~~ sh":                                       {"", "says nothing"},
		"```text\nsudo bin/slipway build x.yml\n```":   {"sudo bin/slipway build x.yml", "could be typed"},
		"<!-- sh guest -->\n| a | b |\n| - | - |\n| `x y` | `service list`, `dmesg`: `no` |\n\n| `a` | `b` |": {"service list|dmesg", ""},
	} {
		all := blocksOf("page.md", text+"\n")
		if len(all) != 1 {
			t.Errorf("%q: %d blocks", text, len(all))
			continue
		}
		if got := strings.Join(all[0].Commands(), "|"); got != want.commands {
			t.Errorf("%q: commands %q, want %q", text, got, want.commands)
		}
		if fault := all[0].fault(); !strings.Contains(fault, want.fault) || want.fault == "" && fault != "" {
			t.Errorf("%q: fault %q, want %q", text, fault, want.fault)
		}
	}
}
