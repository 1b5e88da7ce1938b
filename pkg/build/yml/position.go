package yml

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// source is one YAML text and its name.
type source struct {
	name  string
	lines []string
}

// Position is a node of a YAML text, to point at in a message.
type Position struct {
	src  *source
	node *yaml.Node
	path string // such as "services[2].binds[0]"
}

// Child is the position of a key's value, or the position itself if it has no such
// key, so that a message always points at the nearest thing there is.
func (p Position) Child(key string) Position {
	for _, f := range fields(p.node) {
		if f.key.Value == key {
			return Position{p.src, f.value, join(p.path, key)}
		}
	}
	return Position{p.src, p.node, join(p.path, key)}
}

// Key is the position of a key itself.
func (p Position) Key(key string) Position {
	for _, f := range fields(p.node) {
		if f.key.Value == key {
			return Position{p.src, f.key, join(p.path, key)}
		}
	}
	return p
}

// Item is the position of an element of a list.
func (p Position) Item(i int) Position {
	path := index(p.path, i)
	if n := follow(p.node); n != nil && n.Kind == yaml.SequenceNode && i < len(n.Content) {
		return Position{p.src, n.Content[i], path}
	}
	return Position{p.src, p.node, path}
}

// Has tells whether a mapping has the key.
func (p Position) Has(key string) bool {
	return slices.ContainsFunc(fields(p.node), func(f field) bool { return f.key.Value == key })
}

// top is the beginning of the text.
func (p Position) top() Position { return Position{p.src, &yaml.Node{Line: 1, Column: 1}, ""} }

// Path is the position in words, such as "services[2].binds[0]".
func (p Position) Path() string { return p.path }

// File is the name of the YAML file.
func (p Position) File() string {
	if p.src == nil {
		return ""
	}
	return p.src.name
}

func (p Position) line() string {
	if p.src == nil || p.node == nil || p.node.Line < 1 || p.node.Line > len(p.src.lines) {
		return ""
	}
	return strings.TrimRight(p.src.lines[p.node.Line-1], "\r")
}

// field is a key of a mapping with its value.
type field struct{ key, value *yaml.Node }

// fields lists a mapping's keys; merge keys ("<<") are replaced by what they
// bring in.
func fields(n *yaml.Node) []field { return merging{}.fields(follow(n), 0) }

// merging has the fields of each mapping once, however many others merge it: by twos
// they would be as many as there are ways through the text. One that merges itself
// brings nothing in.
type merging map[*yaml.Node][]field

func (m merging) fields(n *yaml.Node, depth int) []field {
	if n == nil || n.Kind != yaml.MappingNode || depth > maxDepth {
		return nil
	}
	if known, ok := m[n]; ok {
		return known
	}
	m[n] = nil
	var own, merged []field
	for i := 0; i+1 < len(n.Content); i += 2 {
		if key, value := n.Content[i], n.Content[i+1]; key.Tag != "!!merge" {
			own = append(own, field{key, value})
		} else {
			for _, from := range sources(value) {
				merged = append(merged, m.fields(from, depth+1)...)
			}
		}
	}
	m[n] = withMerged(own, merged)
	return m[n]
}

// sources are what a merge key names: one, or a list.
func sources(value *yaml.Node) []*yaml.Node {
	value = follow(value)
	if value == nil || value.Kind != yaml.SequenceNode {
		return []*yaml.Node{value}
	}
	var list []*yaml.Node
	for _, item := range value.Content {
		list = append(list, follow(item))
	}
	return list
}

// leadsTo tells whether a merge key brings a mapping in, by whatever way.
func leadsTo(value, n *yaml.Node, seen map[*yaml.Node]bool, depth int) bool {
	for _, from := range sources(value) {
		if from == n {
			return true
		}
		if from == nil || seen[from] || from.Kind != yaml.MappingNode || depth > maxDepth {
			continue
		}
		seen[from] = true
		for i := 0; i+1 < len(from.Content); i += 2 {
			if from.Content[i].Tag == "!!merge" && leadsTo(from.Content[i+1], n, seen, depth+1) {
				return true
			}
		}
	}
	return false
}

func withMerged(own, merged []field) []field {
	have := map[string]bool{}
	for _, f := range own {
		have[f.key.Value] = true
	}
	for _, f := range merged {
		if !have[f.key.Value] {
			have[f.key.Value] = true
			own = append(own, f)
		}
	}
	return own
}

// follow gives what an alias stands for.
func follow(n *yaml.Node) *yaml.Node {
	for i := 0; n != nil && n.Kind == yaml.AliasNode && i < maxDepth; i++ {
		n = n.Alias
	}
	return n
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
