package status

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Table fits 80 columns as long as names and causes do; what is too long is cut.
func Table(l List) string {
	var b strings.Builder
	if l.LastBoot != "" {
		b.WriteString("The last boot ended: " + l.LastBoot + "\n")
	}
	if len(l.Steps) > 0 {
		row(&b, "STEP", "STATE", "TOOK", "RESULT")
		for _, s := range l.Steps {
			row(&b, s.Name, s.State, Duration(s.Took), s.Result)
		}
	}
	if len(l.Services) > 0 {
		fmt.Fprintf(&b, "%-16s %-8s %7s %6s %4s %-14s %7s %7s\n",
			"SERVICE", "STATE", "PID", "UP", "RST", "LAST EXIT", "MEM", "CPU")
		for _, s := range l.Services {
			serviceRow(&b, s)
		}
	}
	return b.String()
}

func row(b *strings.Builder, name, state, took, result string) {
	line := fmt.Sprintf("%-24s %-8s %8s  %s", cut(name, 24), state, took, cut(result, 36))
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}

func serviceRow(b *strings.Builder, s Service) {
	pid, up, mem, cpu := "-", "-", "-", "-"
	if s.Pid != 0 {
		pid = fmt.Sprint(s.Pid)
		up = Duration(time.Duration(s.Uptime * float64(time.Second)))
		mem, cpu = Size(s.Memory), Duration(time.Duration(s.CPU*float64(time.Second)))
	}
	last := "-"
	if s.LastExit != nil {
		last = strings.TrimPrefix(s.LastExit.Cause, "killed by ")
	}
	line := fmt.Sprintf("%-16s %-8s %7s %6s %4d %-14s %7s %7s", cut(s.Name, 16), s.State, pid, up,
		s.Restarts, cut(last, 14), mem, cpu)
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}

func cut(text string, width int) string {
	text = strings.ReplaceAll(text, "\n", " ")
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	r := []rune(text)
	return string(r[:width-1]) + "…"
}

// Duration is a time in at most six characters.
func Duration(d time.Duration) string {
	switch {
	case d == 0:
		return "0s"
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// Size is a number of bytes in at most six characters.
func Size(n uint64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%dB", n)
	}
	v := float64(n)
	unit := -1
	for v >= 1024 && unit < len(units)-1 {
		v /= 1024
		unit++
	}
	if v < 10 {
		return fmt.Sprintf("%.1f%c", v, units[unit])
	}
	return fmt.Sprintf("%.0f%c", v, units[unit])
}
