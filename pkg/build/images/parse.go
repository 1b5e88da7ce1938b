package images

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"slipway/pkg/build/yml"
	"slipway/pkg/bundle"
)

// parse fills a recipe from its text. Keys and kinds are checked against the structs by
// the tags yaml and need: the second says what is wanted where the key is left out.
func (r *Recipe) parse(file string) error {
	var doc yaml.Node
	err := yaml.Unmarshal(r.Text, &doc)
	if err == nil {
		// Refuses aliases that contain themselves or are too many, before they are followed.
		var all any
		err = doc.Decode(&all)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if len(doc.Content) == 0 {
		return fmt.Errorf("%s: it is empty; want about: and contents:", file)
	}
	top := spot{file: file, node: doc.Content[0]}
	if err := errors.Join(top.verifyMappings()...); err != nil {
		return err
	}
	if err := errors.Join(top.verify(reflect.TypeFor[Recipe]())...); err != nil {
		return err
	}
	if err := top.node.Decode(r); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if r.named = r.Name != ""; !r.named {
		r.Name = filepath.Base(r.Dir)
	}
	faults := r.verifyLabel(top)
	contents, _ := top.key("contents")
	for i := range r.Contents {
		at := contents.item(i)
		r.places = append(r.places, at.only().String())
		faults = append(faults, at.content(&r.Contents[i])...)
	}
	return errors.Join(faults...)
}

// verifyLabel checks the settings that become a label as a build reads them there.
func (r *Recipe) verifyLabel(top spot) []error {
	labels, err := r.Config.labels()
	if text, there := labels[linuxKitLabel]; err == nil && there {
		_, faults := yml.ParseLabel(r.Name, text)
		err = faults.Only(yml.Error).Err()
	}
	if err != nil {
		at, _ := top.key("config")
		at, _ = at.key("linuxkit")
		return []error{at.fault("%w", err)}
	}
	return nil
}

// content checks what the kinds of values do not say.
func (p spot) content(c *Content) []error {
	if c.step() == nil {
		return []error{p.fault("want one of %s", strings.Join(keys(reflect.TypeFor[Content]()), ", "))}
	}
	var faults []error
	entries := slices.Clone([]string(c.Folders))
	for _, from := range c.Files {
		entries = append(entries, from)
	}
	if c.Program != nil {
		entries = append(entries, c.Program.To)
	}
	for _, entry := range entries {
		if _, _, err := permissions(entry); err != nil {
			faults = append(faults, p.only().fault("%v", err))
		}
	}
	faults = append(faults, p.only().verifyArguments(c)...)
	named := map[string]bool{}
	for _, name := range c.paths() {
		if named[name] {
			faults = append(faults, p.only().fault("/%s is named twice", name))
		}
		named[name] = true
	}
	return faults
}

// paths are those of a step whose order in it says nothing, as the image has them.
func (c *Content) paths() []string {
	paths := slices.Collect(maps.Keys(c.Files))
	if c.Debian != nil {
		paths = slices.AppendSeq(paths, maps.Keys(c.Debian.Files))
	}
	for _, names := range c.Links {
		paths = append(paths, names.expand()...)
	}
	for i, name := range paths {
		paths[i] = clean(name)
	}
	slices.Sort(paths)
	return paths
}

// A spot is a value in a recipe.
type spot struct {
	file string
	node *yaml.Node
	path string // "contents[0].debian"
}

func (p spot) String() string {
	path := p.path
	if path != "" {
		path = " " + path + ":"
	}
	return strings.TrimSuffix(fmt.Sprintf("%s:%d:%d:%s", p.file, p.node.Line, p.node.Column, path), ":")
}

func (p spot) fault(format string, args ...any) error {
	return fmt.Errorf("%s: %w", p, fmt.Errorf(format, args...))
}

// key is the value of a key; without it the spot is the mapping's.
func (p spot) key(name string) (spot, bool) {
	at := spot{file: p.file, node: p.node, path: strings.TrimPrefix(p.path+"."+name, ".")}
	node := p.target()
	for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == name {
			at.node = node.Content[i+1]
			return at, true
		}
	}
	return at, false
}

func (p spot) item(i int) spot {
	return spot{file: p.file, node: p.target().Content[i], path: fmt.Sprintf("%s[%d]", p.path, i)}
}

// only is the value of the one key of a mapping, and else the mapping itself.
func (p spot) only() spot {
	if node := p.target(); node.Kind == yaml.MappingNode && len(node.Content) == 2 {
		at, _ := p.key(node.Content[0].Value)
		at.node = node.Content[0]
		return at
	}
	return p
}

// target is the node itself or what an alias stands for.
func (p spot) target() *yaml.Node {
	if p.node.Kind == yaml.AliasNode {
		return p.node.Alias
	}
	return p.node
}

// verifyMappings refuses keys that stand for others, anywhere in a recipe: what is
// decoded is then what is written, at the place that is told.
func (p spot) verifyMappings() (faults []error) {
	for i, node := range p.node.Content {
		at := spot{file: p.file, node: node}
		switch {
		case p.node.Kind != yaml.MappingNode || i%2 != 0:
		case node.Kind != yaml.ScalarNode:
			faults = append(faults, at.fault("this is no key; want a text"))
		case node.Value == "<<":
			faults = append(faults, at.fault("recipes have no merge keys (<<); want each key written out"))
		}
		faults = append(faults, at.verifyMappings()...)
	}
	return faults
}

// verify compares a value with the type it is to fill.
func (p spot) verify(t reflect.Type) []error {
	node := p.target()
	wrong := func(kind yaml.Kind, want string) []error {
		if node.Kind == kind {
			return nil
		}
		return []error{p.fault("want %s", want)}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return p.verify(t.Elem())
	case reflect.Struct:
		if faults := wrong(yaml.MappingNode, "a mapping of "+strings.Join(keys(t), ", ")); faults != nil {
			return faults
		}
		return append(p.verifyKeys(t), p.verifyFields(t)...)
	case reflect.Map:
		faults := wrong(yaml.MappingNode, "a mapping, such as {/etc/issue: issue}")
		for i := 1; faults == nil && i < len(node.Content); i += 2 {
			name := node.Content[i-1].Value
			faults = append(faults, spot{file: p.file, node: node.Content[i], path: p.path + "[" + name + "]"}.verify(t.Elem())...)
		}
		return faults
	case reflect.Slice:
		faults := wrong(yaml.SequenceNode, "a list, in [ ] or with - before each")
		for i := 0; faults == nil && i < len(node.Content); i++ {
			faults = append(faults, p.item(i).verify(t.Elem())...)
		}
		return faults
	case reflect.Bool:
		if node.Tag != "!!bool" {
			return []error{p.fault("want true or false")}
		}
	case reflect.String:
		return wrong(yaml.ScalarNode, "a text")
	}
	return nil
}

// verifyKeys finds keys that there are none of.
func (p spot) verifyKeys(t reflect.Type) (faults []error) {
	known := keys(t)
	for i := 0; i < len(p.target().Content); i += 2 {
		key := p.target().Content[i]
		if slices.Contains(known, key.Value) {
			continue
		}
		hint := "want one of " + strings.Join(known, ", ")
		if near := bundle.Nearest(key.Value, known); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		at, _ := p.key(key.Value)
		at.node = key
		faults = append(faults, at.fault("there is no such key; %s", hint))
	}
	return faults
}

// verifyFields looks into the values of known keys, and for those that are needed.
func (p spot) verifyFields(t reflect.Type) (faults []error) {
	for f := range fields(t) {
		at, there := p.key(keyOf(f))
		need := f.Tag.Get("need")
		switch {
		case there && (need == "" || at.target().Value != "" || len(at.target().Content) > 0):
			faults = append(faults, at.verify(f.Type)...)
		case need != "":
			faults = append(faults, at.fault("missing; want %s", need))
		}
	}
	return faults
}

// keys are the names that a struct has in YAML.
func keys(t reflect.Type) (names []string) {
	for f := range fields(t) {
		names = append(names, keyOf(f))
	}
	return names
}

// fields are those of a struct that have a name in YAML.
func fields(t reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for _, f := range reflect.VisibleFields(t) {
			if key := keyOf(f); key != "" && key != "-" && !yield(f) {
				return
			}
		}
	}
}

func keyOf(f reflect.StructField) string { return f.Tag.Get("yaml") }
