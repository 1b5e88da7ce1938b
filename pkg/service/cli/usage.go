package cli

import (
	"flag"
	"fmt"
	"io"
	"strings"
)

// say writes to a terminal or pipe of the user; if that is gone there is nobody
// to tell.
func say(w io.Writer, format string, args ...any) {
	if _, err := fmt.Fprintf(w, format, args...); err != nil {
		return
	}
}

func printUsage(w io.Writer) {
	say(w, "usage: service [flags] command [flags] [arguments]\n\n")
	for _, c := range commands {
		if !c.hidden {
			say(w, "  %-24s %s\n", strings.TrimSpace(c.name+" "+c.args), c.about)
		}
	}
	say(w, "\nservice command -h lists a command's flags.\n")
}

func printCommand(w io.Writer, c *command, f *flag.FlagSet) {
	say(w, "usage: service %s\n\n%s\n\n", strings.TrimSpace(c.name+" [flags] "+c.args), c.about)
	f.SetOutput(w)
	f.PrintDefaults()
}
