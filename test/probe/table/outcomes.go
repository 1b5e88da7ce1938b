package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"slipway/test/probe/attack"
)

// A column is a kind of container.
type column struct {
	name, title, about string
	// weak has no capability under default hardening: all that it can do must
	// have been thought about.
	weak bool
}

var columns = []column{
	{"none", "none", "no capability, as root, default hardening: what a container gets that asks for nothing", true},
	{"exec", "exec", "a program that `service exec` starts in that container", true},
	{"read-only", "ro", "the same with `readonly: true`", true},
	{"user", "user", "the same as user 1000, with the control socket bound in", true},
	{"docker", "Docker", "the 14 capabilities that Docker gives, default hardening", false},
	{"net-admin", "NET", "CAP_NET_ADMIN, default hardening", false},
	{"sys-admin", "SYS", "CAP_SYS_ADMIN, which turns hardening off", false},
	{"all", "all", "all capabilities", false},
	{"linuxkit", "LinuxKit", "no capability, built with `--hardening none`: LinuxKit's own defaults", false},
}

// outcomes are those of each column by the name of the attack.
type outcomes map[string]map[string]string

// add reads lines of the probe.
func (o outcomes) add(text string) error {
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 3 {
			return fmt.Errorf("%q is no column, attack and outcome", line)
		}
		if o[f[0]] == nil {
			o[f[0]] = map[string]string{}
		}
		if _, twice := o[f[0]][f[1]]; twice {
			return fmt.Errorf("%s in column %s is there twice", f[1], f[0])
		}
		o[f[0]][f[1]] = f[2]
	}
	return nil
}

// check wants every attack in every column and nothing else, and none that ended
// without an answer. A program that `service exec` starts is confined as its
// container is, but for the one attack that is about `service exec` alone.
func (o outcomes) check() error {
	var faults []error
	if len(o) != len(columns) {
		faults = append(faults, fmt.Errorf("%d columns, want %d", len(o), len(columns)))
	}
	for _, c := range columns {
		for _, a := range attack.All() {
			got := o[c.name][a.Name]
			if slices.Contains([]string{"", attack.Crashed, attack.Hangs}, got) {
				faults = append(faults, fmt.Errorf("%s in column %s: outcome %q", a.Name, c.name, got))
			}
			if want := o["none"][a.Name]; c.name == "exec" && got != want && a.Name != "runtime-program" {
				faults = append(faults, fmt.Errorf("%s: %s by service exec, %s in the container itself", a.Name, got, want))
			}
		}
		if got, want := len(o[c.name]), len(attack.All()); got != want {
			faults = append(faults, fmt.Errorf("column %s has %d attacks, want %d", c.name, got, want))
		}
	}
	return errors.Join(faults...)
}

// allowed are the attacks that a weak container can carry out.
func (o outcomes) allowed() (list []attack.Attack) {
	for _, a := range attack.All() {
		for _, c := range columns {
			if c.weak && o[c.name][a.Name] == attack.Allowed {
				list = append(list, a)
				break
			}
		}
	}
	return list
}
