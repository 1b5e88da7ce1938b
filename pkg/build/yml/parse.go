package yml

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"slipway/pkg/build/input"
	"slipway/pkg/bundle"
)

// maxText bounds a YAML file; real ones have a few kilobytes.
const maxText = 8 << 20

// Stdin is the name under which standard input is read.
const Stdin = "-"

// Read reads linuxkit.yml files, by name or http(s) address, and merges them: a kernel field of a later one
// replaces an earlier one's, lists are appended. If the texts have faults the
// configuration holds what could be made of them, so that further ones can be
// found.
func Read(ctx context.Context, names []string, stdin io.Reader) (*Config, Faults, error) {
	merged := &Config{}
	var faults Faults
	for _, name := range names {
		data, err := readText(ctx, name, stdin)
		if err != nil {
			return nil, nil, err
		}
		c, more := Parse(label(name), data)
		faults.Add(more...)
		merged.merge(c)
	}
	faults.AddNew(merged.check()...)
	return merged, faults, nil
}

func label(name string) string {
	if name == Stdin {
		return "<stdin>"
	}
	return name
}

func readText(ctx context.Context, name string, stdin io.Reader) ([]byte, error) {
	r := stdin
	switch {
	case name == Stdin:
	case isURL(name):
		body, err := fetch(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("read YAML: %w", err)
		}
		defer body.Close()
		r = body
	default:
		file, err := input.Stream(name)
		if _, near := os.Stat(name + ".yml"); err != nil && near == nil {
			return nil, fmt.Errorf("read YAML: %w; did you mean %s.yml?", err, name)
		}
		if err != nil {
			return nil, fmt.Errorf("read YAML: %w", err)
		}
		defer file.Close()
		r = file
	}
	data, err := readAll(ctx, io.LimitReader(r, maxText+1))
	if err != nil {
		return nil, fmt.Errorf("read YAML: %w", err)
	}
	if len(data) > maxText {
		return nil, fmt.Errorf("read YAML: %s: larger than %d MB", label(name), maxText>>20)
	}
	return data, nil
}

// readAll ends early with the context: standard input may be a terminal that
// nobody types at.
func readAll(ctx context.Context, r io.Reader) ([]byte, error) {
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		data, err := io.ReadAll(r)
		done <- result{data, err}
	}()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case read := <-done:
		return read.data, read.err
	}
}

// Parse reads one text. It finds what the schema says; what spans several
// texts is found by Read.
func Parse(name string, data []byte) (*Config, Faults) {
	c := &Config{}
	at, faults := document(name, data)
	if n := follow(at.node); n == nil || n.Tag == "!!null" {
		if len(faults) == 0 {
			faults.Add(at.top().At("nothing in it").Wants("the kernel, init and what is to run"))
		}
		return c, faults
	}
	var check checker
	check.faults = faults
	check.check(at, configSchema, 0)
	// What does not fit its field is left out: the checker has named it.
	if err := at.node.Decode(c); err != nil && len(check.faults.Only(Error)) == 0 {
		check.faults.Add(at.At("%v", err))
	}
	c.place(at)
	return c, check.faults
}

// document reads the one YAML document of a text; an empty text, and one that
// is no YAML, has a nil node.
func document(name string, data []byte) (Position, Faults) {
	src := &source{name: name, lines: strings.Split(string(data), "\n")}
	decoder := yaml.NewDecoder(strings.NewReader(string(data)))
	var doc, next yaml.Node
	if err := decoder.Decode(&doc); errors.Is(err, io.EOF) {
		return Position{src: src}, nil
	} else if err != nil {
		return Position{src: src}, syntaxFaults(src, string(data), err)
	}
	at := Position{src: src, node: doc.Content[0]}
	if err := decoder.Decode(&next); err == nil {
		return at, Faults{Position{src, &next, ""}.At("a second YAML document, which is left out").Wants("one").Warns()}
	} else if !errors.Is(err, io.EOF) {
		return at, syntaxFaults(src, string(data), err)
	}
	return at, nil
}

// place notes where every part of the configuration stands.
func (c *Config) place(at Position) {
	c.At = at
	if at.Has("kernel") {
		c.Kernel.At = at.Child("kernel")
	}
	for i := range c.Init {
		c.InitAt = append(c.InitAt, at.Child("init").Item(i))
	}
	c.Volumes = placed(c.Volumes, func(v *Volume, i int) { v.At = at.Child("volumes").Item(i) })
	c.Files = placed(c.Files, func(f *File, i int) { f.At = at.Child("files").Item(i) })
	for section, list := range map[bundle.Section]*[]*Container{
		bundle.Onboot: &c.Onboot, bundle.Onshutdown: &c.Onshutdown, bundle.Services: &c.Services,
	} {
		*list = placed(*list, func(x *Container, i int) { x.Section, x.At = section, at.Child(string(section)).Item(i) })
	}
}

// placed gives the items of a list their places, and leaves out those that are
// nothing, which the checker has named.
func placed[T any](list []*T, place func(*T, int)) []*T {
	for i, item := range list {
		if item != nil {
			place(item, i)
		}
	}
	return slices.DeleteFunc(list, func(item *T) bool { return item == nil })
}

// merge appends a later configuration.
func (c *Config) merge(next *Config) {
	if c.At.node == nil {
		c.At = next.At
	}
	k, n := &c.Kernel, next.Kernel
	if n.Image != "" || k.At.node == nil {
		k.Image, k.At = n.Image, n.At
	}
	if n.Cmdline != "" {
		k.Cmdline = n.Cmdline
	}
	if n.Binary != "" {
		k.Binary = n.Binary
	}
	if n.Tar != nil {
		k.Tar = n.Tar
	}
	if n.UCode != nil {
		k.UCode = n.UCode
	}
	c.Init = append(c.Init, next.Init...)
	c.InitAt = append(c.InitAt, next.InitAt...)
	c.Volumes = append(c.Volumes, next.Volumes...)
	c.Onboot = append(c.Onboot, next.Onboot...)
	c.Onshutdown = append(c.Onshutdown, next.Onshutdown...)
	c.Services = append(c.Services, next.Services...)
	c.Files = append(c.Files, next.Files...)
}

// ParseLabel reads the settings in an image's org.mobyproject.config label,
// JSON or YAML. The faults name the image as their file.
func ParseLabel(image, text string) (*Settings, Faults) {
	s := &Settings{}
	at, faults := document("label of "+image, []byte(text))
	if at.node == nil {
		return s, faults
	}
	check := checker{faults: faults}
	check.check(at, labelSchema, 0)
	if err := at.node.Decode(s); err != nil && len(check.faults.Only(Error)) == 0 {
		check.faults.Add(at.At("%v", err))
	}
	return s, check.faults
}
