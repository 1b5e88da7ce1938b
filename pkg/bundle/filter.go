package bundle

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unique"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Filter is a container's filter of system calls as "linux.seccomp" of its
// config.json has it. The guest hands it on without reading its hundreds of names.
// What many bundles have is in memory once.
type Filter struct{ text unique.Handle[string] }

// NewFilter is the filter of this JSON; none for "" and null.
func NewFilter(text []byte) Filter {
	if len(text) == 0 || string(text) == "null" {
		return Filter{}
	}
	return Filter{unique.Make(string(text))}
}

// None tells that there is no filter.
func (f Filter) None() bool { return f == Filter{} }

// Simple tells that a filter is nothing but what may be called: it has no flags,
// and no program listens to it.
func (f Filter) Simple() bool {
	top, err := f.top()
	// A list of none is not the same as no list: crun then has a flag of its own.
	return err == nil && top.Flags == nil && len(top.ListenerPath)+len(top.ListenerMetadata) == 0
}

// UnmarshalJSON keeps the text. A second filter in one file is refused, because
// readers differ in which of the two counts.
func (f *Filter) UnmarshalJSON(text []byte) error {
	switch {
	case !f.None():
		return errors.New("linux.seccomp is there twice")
	case text[0] != '{' && string(text) != "null":
		return errors.New("linux.seccomp is no object")
	}
	*f = NewFilter(text)
	return nil
}

// MarshalJSON gives the text back.
func (f Filter) MarshalJSON() ([]byte, error) {
	if f.None() {
		return []byte("null"), nil
	}
	return []byte(f.text.Value()), nil
}

// withheld is the action of what stands in a loaded spec in place of the filter. No
// OCI runtime knows it: a spec that is written without Encode starts no container,
// rather than one without its filter.
const withheld specs.LinuxSeccompAction = "SLIPWAY_WITHHELD"

// standIn is what stands in a loaded spec in place of the filter.
func (f Filter) standIn() (*specs.LinuxSeccomp, error) {
	if f.None() {
		return nil, nil
	}
	top, err := f.top()
	if err != nil {
		return nil, err
	}
	top.DefaultAction, top.Syscalls = withheld, nil
	return &top, nil
}

// top is what a filter has beside the rules. Most have nothing that would change
// how they are handed on, which shows without decoding: no call's name has these
// words in it, and none is written with a backslash.
func (f Filter) top() (top specs.LinuxSeccomp, err error) {
	if f.None() {
		return top, nil
	}
	text := f.text.Value()
	for _, sign := range []string{"listener", "flags", `\`} {
		if !strings.Contains(text, sign) {
			continue
		}
		if err := json.Unmarshal([]byte(text), &top); err != nil {
			return top, fmt.Errorf("linux.seccomp: %w", err)
		}
		break
	}
	return top, nil
}

// config is config.json with the filter as it stands there. The outer fields hide
// those of the same name.
type config struct {
	*specs.Spec
	Mounts []specs.Mount `json:"mounts"`
	Linux  *linux        `json:"linux,omitempty"`
	// What other systems have is passed over: to find out about its types is a fifth of the
	// first reading of a process.
	Solaris passed `json:"solaris,omitzero"`
	Windows passed `json:"windows,omitzero"`
	VM      passed `json:"vm,omitzero"`
	ZOS     passed `json:"zos,omitzero"`
	FreeBSD passed `json:"freebsd,omitzero"`
}

// passed is a value of JSON that nobody looks at.
type passed struct{}

// UnmarshalJSON takes any.
func (*passed) UnmarshalJSON([]byte) error { return nil }

type linux struct {
	*specs.Linux
	Seccomp Filter `json:"seccomp,omitzero"`
}

// Encode writes config.json of a spec that Load has read, or of a changed copy, with
// this filter. It is an error if either has a filter and the other has not. The list
// of mounts is there if it is empty: crun wants one.
func Encode(spec *specs.Spec, filter Filter) ([]byte, error) {
	c := config{Spec: spec, Mounts: append([]specs.Mount{}, spec.Mounts...)}
	var inSpec *specs.LinuxSeccomp
	if spec.Linux != nil {
		c.Linux, inSpec = &linux{spec.Linux, filter}, spec.Linux.Seccomp
	}
	switch loaded := inSpec != nil && inSpec.DefaultAction == withheld; {
	case loaded == filter.None():
		return nil, errors.New("the filter of system calls is lost")
	case inSpec != nil && !loaded: // of a spec that was not loaded
		text, err := json.Marshal(inSpec)
		if err != nil {
			return nil, err
		}
		c.Linux.Seccomp = NewFilter(text)
	}
	return json.Marshal(c)
}
