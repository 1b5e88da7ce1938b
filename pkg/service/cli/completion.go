package cli

import "strings"

// completion is for bash: commands first, then names of containers, which the
// program lists itself.
const completion = `# bash completion of service: source <(service completion)
_service() {
	local cur=${COMP_WORDS[COMP_CWORD]} i cmd=
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-*) ;;
		*) cmd=${COMP_WORDS[i]}; break ;;
		esac
	done
	case $cmd in
	"") COMPREPLY=($(compgen -W "COMMANDS" -- "$cur")) ;;
	start | stop | restart | status | logs | exec | events)
		COMPREPLY=($(compgen -W "$(service names 2>/dev/null)" -- "$cur")) ;;
	*) COMPREPLY=($(compgen -f -- "$cur")) ;;
	esac
}
complete -F _service service
`

func runCompletion(c *call) error {
	var names []string
	for _, k := range commands {
		if !k.hidden {
			names = append(names, k.name)
		}
	}
	say(c.out, "%s", strings.Replace(completion, "COMMANDS", strings.Join(names, " "), 1))
	return nil
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
		say(c.out, "%s\n", s.Name)
	}
	return nil
}
