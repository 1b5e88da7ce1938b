package yml

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"slipway/pkg/bundle"
)

// maxDepth bounds nesting, maxNodes what aliases may blow a text up to.
const (
	maxDepth = 64
	maxNodes = 1 << 18
)

// checker compares a document with a schema.
type checker struct {
	faults Faults
	nodes  int
}

func (c *checker) check(p Position, s *schema, depth int) {
	if c.nodes++; c.nodes > maxNodes || depth > maxDepth {
		if c.nodes <= maxNodes+1 {
			c.faults.Add(p.At("too large or too deeply nested"))
			c.nodes = maxNodes + 1
		}
		return
	}
	n := follow(p.node)
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		if p.path != "" {
			c.faults.Add(p.At("nothing").Wants("%s, or the key left out", s.kind))
		}
		return
	}
	switch s.kind {
	case isList:
		c.checkList(p, n, s, depth)
	case isObject:
		c.checkObject(p, n, s, depth)
	case isMap:
		c.checkMap(p, n, s)
	default:
		c.checkScalar(p, n, s)
	}
}

func (c *checker) checkList(p Position, n *yaml.Node, s *schema, depth int) {
	if n.Kind != yaml.SequenceNode {
		c.faults.Add(p.At("%s", found(n)).Wants("%s", s.wantList(p, n)))
		return
	}
	for i := range n.Content {
		c.check(p.Item(i), s.elem, depth+1)
	}
}

func (c *checker) checkObject(p Position, n *yaml.Node, s *schema, depth int) {
	if n.Kind != yaml.MappingNode {
		c.faults.Add(p.At("%s", found(n)).Wants("%s", s.wantObject(n)))
		return
	}
	c.checkKeys(p, n)
	for _, f := range fields(n) {
		k := s.key(f.key.Value)
		if k == nil {
			c.unknownKey(Position{p.src, f.key, p.path}, f, s)
			continue
		}
		c.check(Position{p.src, f.value, join(p.path, k.name)}, k.schema, depth+1)
	}
	for _, k := range s.keys {
		switch {
		case p.Has(k.name):
		case k.required:
			c.faults.Add(p.At("no %q", k.name).Wants("%s", k.doc))
		case k.needed:
			c.faults.Add(p.At("no %q", k.name).Wants("%s", k.doc).Warns())
		}
	}
}

func (c *checker) unknownKey(at Position, f field, s *schema) {
	fault := at.At("unknown key %q", f.key.Value)
	value := ""
	if v := follow(f.value); v.Kind == yaml.ScalarNode {
		value = v.Value
	}
	if hint := foreignKey(at, s, f.key.Value, value); hint != "" {
		c.faults.Add(fault.Wants("%s", hint))
		return
	}
	if fault = fault.Near(f.key.Value, s.names()); fault.Nearest == "" {
		fault = fault.Wants("one of %s", strings.Join(s.names(), ", "))
	}
	c.faults.Add(fault)
}

func (c *checker) checkMap(p Position, n *yaml.Node, s *schema) {
	if n.Kind != yaml.MappingNode {
		c.faults.Add(p.At("%s", found(n)).Wants("a mapping of names to text"))
		return
	}
	c.checkKeys(p, n)
	for _, f := range fields(n) {
		at, value := Position{p.src, f.value, join(p.path, f.key.Value)}, follow(f.value)
		if s.known != nil && !c.checkAnnotation(at, f.key, value) {
			continue
		}
		c.checkScalar(at, value, str)
	}
}

// checkAnnotation finds our own annotations without their prefix, and those whose
// value is no text with how to write it; false if it has told all.
func (c *checker) checkAnnotation(at Position, key, value *yaml.Node) bool {
	if own := ownAnnotation(key.Value); own != "" {
		fault := Position{at.src, key, at.path}.At("annotation %q is not one of ours", key.Value).Warns()
		fault.Nearest = own
		c.faults.Add(fault)
	}
	if value.Kind != yaml.ScalarNode || value.Tag == "!!str" {
		return true
	}
	v := annotationValue(key.Value, value.Value)
	if !strings.HasPrefix(key.Value, bundle.Prefix) || v == "" {
		return true
	}
	c.faults.Add(at.At("%s", found(value)).Wants("text: %s", v))
	return false
}

// ownAnnotation is the one of ours that a key probably means which is written in
// another way: without the prefix, with another one before it, in capitals.
func ownAnnotation(key string) string {
	if strings.HasPrefix(key, bundle.Prefix) {
		return ""
	}
	plain := strings.ToLower(strings.ReplaceAll(key, "/", "."))
	if _, rest, ok := strings.Cut("."+plain, "."+bundle.Prefix); ok {
		plain = rest
	}
	if own := bundle.Prefix + plain; policyKeys()[own] != "" {
		return own
	}
	return ""
}

// checkKeys finds keys given twice; YAML forbids them and the second would
// silently win.
func (c *checker) checkKeys(p Position, n *yaml.Node) {
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Tag == "!!merge" {
			c.checkMerge(Position{p.src, key, p.path}, n, n.Content[i+1])
			continue
		}
		if key.Kind != yaml.ScalarNode {
			c.faults.Add(Position{p.src, key, p.path}.At("%s as a key", found(key)).Wants("a name"))
			continue
		}
		if line, ok := seen[key.Value]; ok {
			c.faults.Add(Position{p.src, key, p.path}.At("key %q stands here and in line %d", key.Value, line))
		}
		seen[key.Value] = key.Line
	}
}

// checkMerge wants mappings that do not come back to the one that merges them.
func (c *checker) checkMerge(p Position, n, value *yaml.Node) {
	for _, from := range sources(value) {
		if from == nil || from.Kind != yaml.MappingNode {
			c.faults.Add(p.At("%s to be merged", found(from)).Wants("a mapping, or a list of mappings"))
			return
		}
	}
	if leadsTo(value, n, map[*yaml.Node]bool{}, 0) {
		c.faults.Add(p.At("a mapping that is merged with itself").Wants("another one"))
	}
}

func (c *checker) checkScalar(p Position, n *yaml.Node, s *schema) {
	if n.Kind != yaml.ScalarNode {
		c.faults.Add(p.At("%s", found(n)).Wants("%s", s.kind))
		return
	}
	ok := false
	switch s.kind {
	case isString:
		ok = n.Tag == "!!str" || n.Tag == "!!timestamp" || s.bytes && n.Tag == "!!binary"
	case isInt:
		ok = n.Tag == "!!int"
	case isBool:
		ok = n.Tag == "!!bool"
	case isID:
		ok = n.Tag == "!!str" || n.Tag == "!!int" && validID(n.Value)
	}
	switch {
	case n.Tag == "!!binary" && s.bytes:
		if _, err := base64.StdEncoding.DecodeString(n.Value); err != nil {
			c.faults.Add(p.At("not base64: %v", err))
		}
	case strings.ContainsRune(n.Value, 0) && !s.bytes:
		c.faults.Add(p.At("a null in the text").Wants("text without: Linux ends it there"))
	case !ok && s.kind == isString:
		c.faults.Add(p.At("%s", found(n)).Wants("text; write it in quotes: %s", strconv.Quote(n.Value)))
	case !ok:
		c.faults.Add(p.At("%s", found(n)).Wants("%s", s.wantNumber(n.Value)))
	case s.broken(n.Value) != nil:
		c.faults.Add(s.broken(n.Value).fault(p, n))
	case len(s.values) > 0 && !slices.Contains(s.values, n.Value):
		fault := p.At("%q", n.Value).Wants("one of %s", quoted(s.values)).Near(n.Value, s.values)
		if s.lenient {
			fault = fault.Warns()
		}
		c.faults.Add(fault)
	}
}

func validID(v string) bool {
	_, err := strconv.ParseUint(decimal(v), 10, 32)
	return err == nil
}

// String says in words what a kind is.
func (k kind) String() string {
	return [...]string{"text", "a whole number", "true or false", "a number, or the name of a container",
		"a list", "a mapping of names to text", "a mapping"}[k]
}

// found says in words what stands there instead.
func found(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Tag == "!!str":
		return "the text " + strconv.Quote(n.Value)
	case n.Tag == "!!int" || n.Tag == "!!float":
		return "the number " + n.Value
	case n.Tag == "!!null":
		return "nothing"
	}
	return "the value " + n.Value
}

func quoted(list []string) string {
	var all []string
	for _, v := range list {
		all = append(all, strconv.Quote(v))
	}
	return strings.Join(all, ", ")
}
