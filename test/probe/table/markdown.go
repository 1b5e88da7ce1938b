package main

import (
	"fmt"
	"strings"

	"slipway/test/probe/attack"
)

// markdown is the part of the document that is made of outcomes.
func (o outcomes) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d attacks from %d kinds of containers. **yes**: it can be done. An errno, *masked*, *hidden*, *inside*:\n", len(attack.All()), len(columns))
	b.WriteString("refused, and by what. –: there is no such thing to attack.\n\n| column | container |\n| --- | --- |\n")
	for _, c := range columns {
		fmt.Fprintf(&b, "| %s | %s |\n", c.title, c.about)
	}
	for _, g := range attack.Groups() {
		fmt.Fprintf(&b, "\n### %s\n\n|", g.Title)
		for _, c := range columns {
			fmt.Fprintf(&b, " %s |", c.title)
		}
		b.WriteString(" attack |\n|" + strings.Repeat(" --- |", len(columns)+1) + "\n")
		for _, a := range g.Attacks {
			b.WriteString("|")
			for _, c := range columns {
				fmt.Fprintf(&b, " %s |", cell(o[c.name][a.Name]))
			}
			fmt.Fprintf(&b, " %s |\n", a.What)
		}
	}
	o.reasons(&b)
	return b.String()
}

func cell(outcome string) string {
	switch outcome {
	case attack.Allowed:
		return "**yes**"
	case attack.NotThere:
		return "–"
	}
	return outcome
}

// reasons tells why what a container with no capability can do does no harm, and
// first what has no reason.
func (o outcomes) reasons(b *strings.Builder) {
	var open, harmless []attack.Attack
	for _, a := range o.allowed() {
		if a.Why == "" {
			open = append(open, a)
		} else {
			harmless = append(harmless, a)
		}
	}
	if len(open) > 0 {
		fmt.Fprintf(b, "\n### Open: what a container with no capability can do and should not\n\n")
		for _, a := range open {
			fmt.Fprintf(b, "- %s\n", a.What)
		}
	}
	fmt.Fprintf(b, "\n### What a container with no capability can do, and why that does no harm\n\n")
	for _, a := range harmless {
		fmt.Fprintf(b, "- %s: %s\n", a.What, a.Why)
	}
}
