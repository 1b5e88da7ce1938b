package module

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// config is what users say about modules, in /etc/modprobe.conf and
// /etc/modprobe.d/*.conf and on the kernel's command line, and the soft
// dependencies that modules bring along. "install" and "remove" commands are
// not carried out: they are shell scripts, and there may be no shell.
type config struct {
	options   map[string]string
	blacklist map[string]bool
	pre, post map[string][]string
	aliases   string // in the form of modules.alias
}

// readConfig reads the files below etc in modprobe's order. A file that cannot
// be read is an error, but the rest still counts.
func readConfig(etc, softdep, cmdline string) (config, error) {
	c := config{
		options: map[string]string{}, blacklist: map[string]bool{},
		pre: map[string][]string{}, post: map[string][]string{},
	}
	c.parse(softdep)
	files, err := filepath.Glob(filepath.Join(etc, "modprobe.d", "*.conf"))
	if err != nil {
		return c, fmt.Errorf("list configuration of modules: %w", err)
	}
	var errs []error
	for _, file := range append([]string{filepath.Join(etc, "modprobe.conf")}, files...) {
		text, err := optional(file)
		errs = append(errs, err)
		c.parse(text)
	}
	c.parseCmdline(cmdline)
	return c, errors.Join(errs...)
}

func (c *config) parse(text string) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		name := strings.ReplaceAll(f[1], "-", "_")
		switch f[0] {
		case "blacklist":
			c.blacklist[name] = true
		case "options":
			c.option(name, strings.Join(f[2:], " "))
		case "alias":
			if len(f) > 2 {
				c.aliases += "alias " + f[1] + " " + f[2] + "\n"
			}
		case "softdep":
			c.softdep(name, f[2:])
		}
	}
}

func (c *config) option(module, value string) {
	c.options[module] = strings.TrimSpace(c.options[module] + " " + value)
}

func (c *config) softdep(module string, words []string) {
	var list map[string][]string
	for _, w := range words {
		switch w {
		case "pre:":
			list = c.pre
		case "post:":
			list = c.post
		default:
			if list != nil {
				list[module] = append(list[module], w)
			}
		}
	}
}

// parseCmdline takes modprobe.blacklist=a,b and MODULE.PARAMETER=VALUE.
func (c *config) parseCmdline(cmdline string) {
	for word := range strings.FieldsSeq(cmdline) {
		key, value, hasValue := strings.Cut(word, "=")
		module, parameter, ok := strings.Cut(key, ".")
		if !ok || module == "" || parameter == "" {
			continue
		}
		if key == "modprobe.blacklist" {
			for name := range strings.SplitSeq(value, ",") {
				c.blacklist[strings.ReplaceAll(name, "-", "_")] = true
			}
			continue
		}
		if hasValue {
			parameter += "=" + value
		}
		c.option(strings.ReplaceAll(module, "-", "_"), parameter)
	}
}

// quietCmdline reads the kernel's command line; without /proc there is none.
func quietCmdline() string {
	data, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return ""
	}
	return string(data)
}
