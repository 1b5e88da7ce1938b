package cli

import (
	"strings"
	"testing"

	"slipway/test/docs/shown"
)

// Each command line of service that a document shows is one that it takes: the
// command and its flags exist.
func TestCommandsOfDocuments(t *testing.T) {
	for _, line := range shown.Commands(t, "../../..", "service") {
		text := "service " + strings.Join(line.Args, " ")
		var o options
		args, err := o.parse("service", line.Args, nil)
		if err != nil || len(args) == 0 {
			t.Errorf("%s: %s: %v", line.Place, text, err)
			continue
		}
		c := find(args[0])
		if c == nil {
			t.Errorf("%s: %s: no such command", line.Place, text)
			continue
		}
		rest, err := o.parse("service "+c.name, args[1:], c)
		if err != nil {
			t.Errorf("%s: %s: %v", line.Place, text, err)
			continue
		}
		if line.Whole && (len(rest) > 0 && c.args == "" || len(rest) == 0 && c.args != "" && c.args[0] != '[') {
			t.Errorf("%s: %s: %d arguments, want %q", line.Place, text, len(rest), c.args)
		}
	}
}
