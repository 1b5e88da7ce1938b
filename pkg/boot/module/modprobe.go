package module

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Modprobe is the command that the kernel calls, usually as `modprobe -q -- NAME`,
// and that people type. It returns the exit status and what to say.
func Modprobe(args []string) (int, error) {
	names, quiet, deny, all, err := parseArgs(args)
	if err != nil {
		return 2, err
	}
	x, err := Open("/", quietCmdline())
	if errors.Is(err, fs.ErrNotExist) && quiet {
		return 1, nil
	}
	if err != nil {
		return 1, fmt.Errorf("modprobe: %w", err)
	}
	l := NewLoader(x)
	options := ""
	if !all {
		// modprobe NAME [PARAMETER=VALUE]...
		options = strings.Join(names[1:], " ")
		names = names[:1]
	}
	var errs []error
	for _, name := range names {
		errs = append(errs, l.probe(name, options, quiet, deny))
	}
	if err := errors.Join(errs...); err != nil {
		return 1, fmt.Errorf("modprobe: %w", err)
	}
	return 0, nil
}

// probe loads what one name of the command line asks for.
func (l *Loader) probe(name, options string, quiet, deny bool) error {
	modules := l.Index.Resolve([]string{name}, deny)
	if len(modules) == 0 && !quiet && !l.Index.Has(strings.ReplaceAll(name, "-", "_")) {
		return fmt.Errorf("module %s not found in %s", name, l.Index.dir)
	}
	var plan []*job
	for _, m := range modules {
		plan = l.plan(plan, m, options)
	}
	return l.run(plan)
}

func parseArgs(args []string) (names []string, quiet, deny, all bool, err error) {
	for i, a := range args {
		if a == "--" {
			names = append(names, args[i+1:]...)
			break
		}
		if !strings.HasPrefix(a, "-") || a == "-" {
			names = append(names, a)
			continue
		}
		for _, c := range strings.TrimLeft(a, "-") {
			switch c {
			case 'q', 's', 'v':
				quiet = quiet || c == 'q'
			case 'b':
				deny = true
			case 'a':
				all = true
			default:
				return nil, false, false, false, fmt.Errorf("modprobe: unknown option %s (known: -a -b -q -s -v)", a)
			}
		}
	}
	if len(names) == 0 {
		err = errors.New("usage: modprobe [-abq] MODULE [PARAMETER=VALUE]")
	}
	return names, quiet, deny, all, err
}
