package main

import (
	"fmt"
	"strings"
)

// row is a line of the table for VMs: medians over the rounds.
type row struct {
	name     string
	readonly bool
	boot
}

func newRow(name string, readonly bool, boots []boot) row {
	pick := func(field func(boot) float64) float64 {
		var all []float64
		for _, b := range boots {
			all = append(all, field(b))
		}
		return median(all)
	}
	return row{name, readonly, boot{
		first:    pick(func(b boot) float64 { return b.first }),
		last:     pick(func(b boot) float64 { return b.last }),
		resident: pick(func(b boot) float64 { return b.resident }),
	}}
}

// hostRow is a line of the table for namespaces on the host: seconds.
type hostRow struct {
	name             string
	onboot, services float64
}

// reference is the row that the others are a ratio of.
const reference = "plain runc run"

func bootTable(b *bench, rows []row) string {
	var m strings.Builder
	fmt.Fprintf(&m, "%d onboot containers and %d services; rounds: %d.\n\n", b.count, b.count, b.rounds)
	m.WriteString("| stack | root | first onboot (s) | last service (s) | ratio to runc | resident (MB) |\n")
	m.WriteString("| --- | --- | --- | --- | --- | --- |\n")
	for _, r := range rows {
		kind := map[bool]string{true: "read-only", false: "read-write"}[r.readonly]
		first := "-"
		if r.first > 0 {
			first = fmt.Sprintf("%.2f", r.first)
		}
		fmt.Fprintf(&m, "| %s | %s | %s | %.2f | %s | %.0f |\n", r.name, kind, first, r.last,
			ratio(rows, r), r.resident)
	}
	return m.String()
}

func hostTable(rows []hostRow) string {
	var m strings.Builder
	m.WriteString("| stack | onboot (s) | services (s) |\n| --- | --- | --- |\n")
	for _, r := range rows {
		fmt.Fprintf(&m, "| %s | %.3f | %.3f |\n", r.name, r.onboot, r.services)
	}
	return m.String()
}

func ratio(rows []row, r row) string {
	for _, ref := range rows {
		if ref.name == reference && ref.readonly == r.readonly {
			return fmt.Sprintf("%.2f", r.last/ref.last)
		}
	}
	return "-"
}
