package yml

import (
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// fromZero are messages of yaml.v3's parser, as opposed to its scanner. It
// counts the lines of these from zero.
var fromZero = regexp.MustCompile(`^did not find expected (key|'-' indicator|node content|',' or '[]}]'|<document start>)`)

// misplaced are those of a line that stands too far to the left or to the right.
var misplaced = regexp.MustCompile(`^(did not find expected (key|'-' indicator)|mapping values are not allowed)`)

// syntaxFaults gives yaml's message its place. It knows no column.
func syntaxFaults(src *source, text string, err error) Faults {
	message := err.Error()
	line := len(src.lines)
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		message = strings.TrimPrefix(message, m[0])
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
		}
		if fromZero.MatchString(message) {
			line++
		}
	}
	if n := brokenLine(text); n > 0 {
		line = n
	}
	line = max(1, min(line, len(src.lines)))
	for line > 1 && strings.TrimSpace(src.lines[line-1]) == "" {
		line--
	}
	return Faults{syntaxFault(src, line, message)}
}

func syntaxFault(src *source, line int, message string) Fault {
	text := src.lines[line-1]
	indent := len(text) - len(strings.TrimLeft(text, " \t"))
	if tab := strings.IndexByte(text[:indent], '\t'); tab >= 0 {
		return Position{src, &yaml.Node{Line: line, Column: tab + 1}, ""}.At("not YAML: %s", message).
			Wants("spaces: YAML takes no tab in front of a line")
	}
	fault := Position{src, &yaml.Node{Line: line, Column: indent + 1}, ""}.At("not YAML: %s", message)
	switch {
	case strings.HasPrefix(text, "%YAML"):
		fault = fault.Wants("this line left out, or %%YAML 1.1")
	case !misplaced.MatchString(message):
	case strings.Count(text+" ", ": ") > 1:
		fault = fault.Wants(`quotes around text that has ": " in it`)
	default:
		fault = fault.Wants("as many spaces in front as the lines have that it belongs to")
	}
	return fault
}

// Bounds of the search for a broken line, which reads the text again and again.
const (
	maxSearched = 256 << 10
	maxSearches = 100
)

// brokenLine is the first line with which a text is no YAML any more: yaml.v3
// names the line where the part begins that holds it. For what never ends, it is
// where that begins. 0 if it is too far from where the parser gave up.
func brokenLine(text string) int {
	if len(text) > maxSearched {
		return 0
	}
	r := &counter{text: text}
	_ = readAllYAML(r) // which fails: how far it came is what counts
	lines := strings.SplitAfter(text[:r.read], "\n")
	for n := len(lines); n > 0 && n > len(lines)-maxSearches; n-- {
		if readAllYAML(strings.NewReader(strings.Join(lines[:n-1], ""))) == nil {
			return n
		}
	}
	return 0
}

func readAllYAML(r io.Reader) error {
	decoder := yaml.NewDecoder(r)
	for {
		var n yaml.Node
		if err := decoder.Decode(&n); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// counter gives a text byte by byte, so that no more of it is read than needed.
type counter struct {
	text string
	read int
}

func (c *counter) Read(p []byte) (int, error) {
	if c.read == len(c.text) || len(p) == 0 {
		return 0, io.EOF
	}
	p[0] = c.text[c.read]
	c.read++
	return 1, nil
}
