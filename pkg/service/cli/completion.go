package cli

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

// completion is for bash: commands first, then their flags, and names of
// containers, which the program lists itself.
const completion = `# bash completion of service: source <(service completion)
_service() {
	local cur=${COMP_WORDS[COMP_CWORD]} i cmd= args=0 flags= words=
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--) [[ $cmd == exec ]] && return ;;
		-*) ;;
		*) if [[ -z $cmd ]]; then cmd=${COMP_WORDS[i]}; else ((++args)); fi ;;
		esac
	done
	case $cmd in
	"") words="COMMANDS" ;;
FLAGS	esac
	case $cmd in
	start | stop | restart) words=$(service names -services 2>/dev/null) ;;
	status | logs | exec) ((args == 0)) && words=$(service names 2>/dev/null) ;;
	events) words=$(service names -services 2>/dev/null) ;;
	analyze) ((args == 0)) && words="VIEWS" ;;
	esac
	if [[ $cur == -* ]]; then words=$flags; fi
	COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _service service
`

func runCompletion(c *call) error {
	if len(c.args) > 1 || len(c.args) == 1 && c.args[0] != "bash" {
		return usageError{"completion is for bash alone"}
	}
	var names []string
	var flags strings.Builder
	for _, k := range commands {
		if k.hidden {
			continue
		}
		names = append(names, k.name)
		if own := ownFlags(k); len(own) > 0 {
			fmt.Fprintf(&flags, "\t%s) flags=\"%s\" ;;\n", k.name, strings.Join(own, " "))
		}
	}
	say(c.out, "%s", strings.NewReplacer("COMMANDS", strings.Join(names, " "), "FLAGS", flags.String(),
		"VIEWS", strings.Join(subviews(), " ")).Replace(completion))
	return nil
}

// ownFlags are those that a command has beside the ones that all take.
func ownFlags(k command) (names []string) {
	if k.options == nil {
		return nil
	}
	f := flag.NewFlagSet(k.name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	k.options(f, &options{})
	f.VisitAll(func(f *flag.Flag) {
		dash := "-"
		if len(f.Name) > 1 {
			dash = "--"
		}
		names = append(names, dash+f.Name)
	})
	return names
}

func subviews() []string {
	var names []string
	for name := range views {
		if name != "analyze" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func namesFlags(f *flag.FlagSet, o *options) {
	f.BoolVar(&o.services, "services", false, "of services alone")
}

// runNames lists the names of containers, for completion.
func runNames(c *call) error {
	l, err := fetch(c)
	if err != nil {
		return err
	}
	for _, s := range l.Services {
		say(c.out, "%s\n", s.Name)
	}
	for _, s := range l.Steps {
		if !c.services {
			say(c.out, "%s\n", s.Name)
		}
	}
	return nil
}
