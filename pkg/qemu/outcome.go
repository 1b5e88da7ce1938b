package qemu

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"slipway/pkg/port"
)

// outcome is a Result for programs.
type outcome struct {
	Name       string           `json:"name"`
	Status     int              `json:"status"` // of `slipway run`
	Ending     Ending           `json:"ending"`
	Cause      string           `json:"cause,omitempty"`
	Seconds    float64          `json:"seconds"`
	Killed     bool             `json:"killed,omitempty"` // it did not end by itself
	Missing    []string         `json:"missing,omitempty"`
	Seen       []Match          `json:"seen,omitempty"`
	Report     string           `json:"report,omitempty"`
	Faults     []string         `json:"faults,omitempty"`
	Containers []port.Container `json:"containers,omitempty"`
	Output     *Handed          `json:"output,omitempty"`
	Warnings   []string         `json:"warnings,omitempty"`
	Console    []string         `json:"console,omitempty"` // its last lines
}

// WriteJSON writes how a machine's run ended as one JSON object.
func (r Result) WriteJSON(w io.Writer, name string) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(outcome{
		Name: name, Status: r.Status(), Ending: r.Ending, Cause: r.Cause, Seconds: r.Elapsed.Seconds(), Killed: r.Killed,
		Missing: r.Missing, Seen: r.Seen, Report: r.Report, Faults: r.Faults, Containers: r.Containers, Output: r.Output, Warnings: r.Warnings, Console: r.Tail,
	})
}

// The elements of JUnit's XML that CI systems agree on: what Apache Ant's junitreport
// writes.
type (
	suite struct {
		XMLName  xml.Name `xml:"testsuite"`
		Name     string   `xml:"name,attr"`
		Tests    int      `xml:"tests,attr"`
		Failures int      `xml:"failures,attr"`
		Time     string   `xml:"time,attr"` // seconds
		Cases    []test   `xml:"testcase"`
		Out      string   `xml:"system-out,omitempty"`
	}
	test struct {
		Class   string   `xml:"classname,attr"`
		Name    string   `xml:"name,attr"`
		Time    string   `xml:"time,attr"`
		Failure *failure `xml:"failure"`
	}
	failure struct {
		Message string `xml:"message,attr"`
	}
)

// WriteJUnit writes the same as JUnit's XML: a test for the run itself, one for each
// container, and one for each fault that is of no container.
func (r Result) WriteJUnit(w io.Writer, name string) error {
	s := suite{Name: name, Time: seconds(r), Out: strings.Join(r.Tail, "\n")}
	add := func(class, what, fault string) {
		c := test{Class: class, Name: what, Time: "0"}
		if fault != "" {
			c.Failure = &failure{fault}
			s.Failures++
		}
		s.Cases = append(s.Cases, c)
	}
	run := ""
	if r.Status() != StatusOK {
		run = r.String()
	}
	add(name, "run", run)
	s.Cases[0].Time = s.Time
	told := map[string]bool{}
	for _, c := range r.Containers {
		fault := ""
		for _, f := range r.Faults {
			if why, ok := strings.CutPrefix(f, c.Name+": "); ok {
				fault, told[f] = why, true
			}
		}
		add(name+"."+c.Section, c.Name, fault)
	}
	for _, f := range r.Faults {
		if !told[f] {
			add(name, "report", f)
		}
	}
	s.Tests = len(s.Cases)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(s); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func seconds(r Result) string { return fmt.Sprintf("%.3f", r.Elapsed.Seconds()) }
