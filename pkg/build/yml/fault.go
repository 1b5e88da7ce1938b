package yml

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"slipway/pkg/bundle"
	"slipway/pkg/escape"
)

// Fault is one thing that is wrong, and where.
type Fault struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Path    string `json:"path,omitempty"`    // such as "services[2].binds[0]"
	Message string `json:"message"`           // what is wrong
	Want    string `json:"want,omitempty"`    // what was expected
	Nearest string `json:"nearest,omitempty"` // the name that was probably meant
	Text    string `json:"text,omitempty"`    // the line itself
	// Severity is Error, or Warning for what LinuxKit's tool builds and what
	// may work because something makes it so at boot, but probably will not.
	Severity Severity `json:"severity"`
}

// Severity says whether a fault stops a build.
type Severity string

// The severities.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Faults are all that is wrong, in the order of the text. It is an error.
type Faults []Fault

// At makes a fault at a position.
func (p Position) At(format string, args ...any) Fault {
	f := Fault{File: p.File(), Path: p.path, Message: fmt.Sprintf(format, args...), Text: p.line(), Severity: Error}
	if p.node != nil {
		f.Line, f.Column = p.node.Line, p.node.Column
	}
	return f
}

// Wants adds what was expected.
func (f Fault) Wants(format string, args ...any) Fault {
	f.Want = fmt.Sprintf(format, args...)
	return f
}

// Near adds the name nearest to what was written, if one is near at all.
func (f Fault) Near(written string, names []string) Fault {
	f.Nearest = bundle.Nearest(written, names)
	return f
}

// Warns makes the fault a warning.
func (f Fault) Warns() Fault {
	f.Severity = Warning
	return f
}

// Only are the faults of one severity.
func (f Faults) Only(s Severity) Faults {
	return slices.DeleteFunc(slices.Clone(f), func(x Fault) bool { return x.Severity != s })
}

// Add appends faults.
func (f *Faults) Add(more ...Fault) { *f = append(*f, more...) }

// AddNew appends faults that are no mere consequence of an error that is there
// already: one of the same place, or of a part of it.
func (f *Faults) AddNew(more ...Fault) {
	known := *f
	for _, x := range more {
		if !slices.ContainsFunc(known, x.follows) {
			f.Add(x)
		}
	}
}

func (f Fault) follows(cause Fault) bool {
	rest, below := strings.CutPrefix(cause.Path, f.Path)
	return cause.Severity == Error && f.Path != "" && f.File == cause.File && below && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// Err is nil if there are none, else the faults sorted by position.
func (f Faults) Err() error {
	if len(f) == 0 {
		return nil
	}
	f.Sort()
	return f
}

// Sort orders the faults as the text runs.
func (f Faults) Sort() {
	slices.SortStableFunc(f, func(a, b Fault) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

func (f Faults) Error() string {
	var all []string
	for _, x := range f {
		all = append(all, x.String())
	}
	return strings.Join(all, "\n")
}

// String is the fault as a compiler prints it, with the line and a caret.
func (f Fault) String() string {
	var b strings.Builder
	// Some of it comes from images.
	f.Path, f.Message, f.Want, f.Text = escape.Text(f.Path), escape.Text(f.Message), escape.Text(f.Want), escape.Text(f.Text)
	fmt.Fprintf(&b, "%s: ", f.Where())
	if f.Severity == Warning {
		b.WriteString("warning: ")
	}
	if f.Path != "" {
		fmt.Fprintf(&b, "%s: ", f.Path)
	}
	b.WriteString(f.Message)
	if f.Want != "" {
		b.WriteString("; want " + f.Want)
	}
	if f.Nearest != "" {
		b.WriteString("; did you mean " + strconv.Quote(f.Nearest) + "?")
	}
	if f.Text != "" {
		text, column := clip(f.Text, f.Column)
		fmt.Fprintf(&b, "\n    %s\n    %s^", text, blank(text, column-1))
	}
	return b.String()
}

// Where is file:line:column as far as they are known.
func (f Fault) Where() string {
	where := f.File
	if f.Line > 0 {
		where += ":" + strconv.Itoa(f.Line)
		if f.Column > 0 {
			where += ":" + strconv.Itoa(f.Column)
		}
	}
	return where
}

// clip shortens a long line around the column, which counts characters from 1.
func clip(text string, column int) (string, int) {
	const width = 110
	runes := []rune(text)
	column = max(1, min(column, len(runes)+1))
	from := 0
	if column > width-20 {
		from = column - width/2
	}
	to := min(len(runes), from+width)
	return string(runes[from:to]), column - from
}

// blank is white space as wide as the first n characters of the text.
func blank(text string, n int) string {
	runes := []rune(text)
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, string(runes[:min(n, len(runes))]))
}
