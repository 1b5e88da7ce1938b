package yml

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// The units of numbers that people write with others.
const (
	bytesUnit  = "bytes"
	microsUnit = "microseconds"
)

var size = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?) ?([kmgt]?)i?b?$`)

// inUnit is a text such as 64M or 100ms as a whole number of a unit; false if it
// is none. Sizes count by 1024, as Docker's and the kernel's do.
func inUnit(unit, text string) (int64, bool) {
	switch unit {
	case bytesUnit:
		m := size.FindStringSubmatch(strings.ToLower(text))
		if m == nil {
			return 0, false
		}
		n, err := strconv.ParseFloat(m[1], 64)
		n *= math.Pow(1024, float64(strings.Index("_kmgt", m[2])))
		return int64(n), err == nil && n < math.MaxInt64
	case microsUnit:
		d, err := time.ParseDuration(text)
		return d.Microseconds(), err == nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

// wantNumber says what number is wanted, and which one was probably meant.
func (s *schema) wantNumber(text string) string {
	if s.unit == "" {
		return s.kind.String()
	}
	want := s.kind.String() + " of " + s.unit
	if n, ok := inUnit(s.unit, text); ok {
		want += ": " + strconv.FormatInt(n, 10)
	}
	return want
}

// wantObject says what mapping is wanted where something else stands: for a limit
// by itself, the limit.
func (s *schema) wantObject(n *yaml.Node) string {
	if limit := s.key("limit"); limit != nil && n.Kind == yaml.ScalarNode {
		if number, ok := inUnit(limit.schema.unit, n.Value); ok {
			return strings.TrimSpace("{limit: " + strconv.FormatInt(number, 10) + "} " + limit.schema.ofUnit())
		}
	}
	return "a mapping with the keys " + strings.Join(s.names(), ", ")
}

func (s *schema) ofUnit() string {
	if s.unit == "" {
		return ""
	}
	return "in " + s.unit
}

// wantList says what list is wanted where something else stands.
func (s *schema) wantList(p Position, n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode && len(n.Content) > 1 && s.elem.kind == isObject && s.elem.key("name") != nil:
		return "a list, with the names in it: - name: " + n.Content[0].Value
	case n.Kind == yaml.MappingNode && len(n.Content) > 1 && strings.HasSuffix(p.path, ".env"):
		return "a list: [" + strconv.Quote(n.Content[0].Value+"="+n.Content[1].Value) + ", ...]"
	case n.Kind != yaml.ScalarNode || s.elem.kind != isString || strings.TrimSpace(n.Value) == "":
		return "a list"
	case strings.HasSuffix(p.path, ".command"):
		return "a list: [" + quoted(strings.Fields(n.Value)) + "]"
	}
	return "a list: [" + strconv.Quote(n.Value) + "]"
}
