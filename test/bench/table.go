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

type table struct {
	vm   []row
	host []hostRow
}

// reference is the row that the others are a ratio of.
const reference = "plain runc run"

func (t *table) markdown(b *bench) string {
	var m strings.Builder
	m.WriteString("# Figures\n\nMade by `make bench`: one run, the stacks in turn, medians of ")
	fmt.Fprintf(&m, "%d rounds, %d onboot containers\nand %d services. ", b.rounds, b.count, b.count)
	m.WriteString("QEMU without acceleration, 2 CPUs, 1 GB. Compare the ratios; the seconds are\nthis machine's.\n\n")
	m.WriteString("## In a VM, from /init\n\n| stack | root | first onboot (s) | last service (s) | ratio to runc | resident (MB) |\n")
	m.WriteString("| --- | --- | --- | --- | --- | --- |\n")
	for _, r := range t.vm {
		kind := map[bool]string{true: "read-only", false: "read-write"}[r.readonly]
		first := "-"
		if r.first > 0 {
			first = fmt.Sprintf("%.2f", r.first)
		}
		fmt.Fprintf(&m, "| %s | %s | %s | %.2f | %s | %.0f |\n", r.name, kind, first, r.last,
			t.ratio(r), r.resident)
	}
	if len(t.host) > 0 {
		m.WriteString("\n## In namespaces on the host, read-only\n\n| stack | onboot (s) | services (s) |\n| --- | --- | --- |\n")
		for _, r := range t.host {
			fmt.Fprintf(&m, "| %s | %.3f | %.3f |\n", r.name, r.onboot, r.services)
		}
	}
	return m.String()
}

func (t *table) ratio(r row) string {
	for _, ref := range t.vm {
		if ref.name == reference && ref.readonly == r.readonly {
			return fmt.Sprintf("%.2f", r.last/ref.last)
		}
	}
	return "-"
}
