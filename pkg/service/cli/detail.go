package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"slipway/pkg/bundle"
	"slipway/pkg/container/memory"
	"slipway/pkg/log/read"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// showBundle shows what a service was told to be, where its bundle can be seen.
func (c *call) showBundle(name string) {
	b, err := bundle.Load(bundle.Services, filepath.Join(c.paths.Section(bundle.Services), name))
	if err != nil {
		return
	}
	pairs(c, "image", b.Image())
	if p := b.Spec.Process; p != nil {
		pairs(c, "command", strings.Join(p.Args, " "))
	}
	pairs(c, "restart", restartWords(b.Policy), "ready when", probeWords(b.Policy.Ready, b.Policy.ReadyTimeout.String()),
		"healthy when", probeWords(b.Policy.Health, b.Policy.HealthInterval.String()), "limits", limitWords(b))
}

func restartWords(p bundle.Policy) string {
	text := string(p.Restart)
	if p.Restart != bundle.RestartNo {
		text += fmt.Sprintf(", after %s to %s", p.RestartDelay, p.RestartMaxDelay)
	}
	if p.RestartLimit.Count > 0 {
		text += fmt.Sprintf(", %d times in %s", p.RestartLimit.Count, p.RestartLimit.Window)
	}
	return text
}

func probeWords(p bundle.Probe, bound string) string {
	if p.Kind == "" || p.Kind == bundle.ProbeStarted {
		return ""
	}
	return p.String() + ", " + bound
}

// limitWords are the bundle's own limits; the machine has some for those without.
func limitWords(b *bundle.Bundle) string {
	var words []string
	var r specs.LinuxResources
	if b.Spec.Linux != nil && b.Spec.Linux.Resources != nil {
		r = *b.Spec.Linux.Resources
	}
	if r.Memory != nil && r.Memory.Limit != nil && *r.Memory.Limit > 0 {
		words = append(words, "memory "+memory.Size(uint64(*r.Memory.Limit)))
	}
	if r.CPU != nil && r.CPU.Quota != nil && r.CPU.Period != nil && *r.CPU.Quota > 0 && *r.CPU.Period > 0 {
		words = append(words, fmt.Sprintf("%.2g CPUs", float64(*r.CPU.Quota)/float64(*r.CPU.Period)))
	}
	if b.Policy.Pids > 0 {
		words = append(words, fmt.Sprintf("%d tasks", b.Policy.Pids))
	}
	return strings.Join(words, ", ")
}

// lastLines is how much of its output is shown with a service.
const lastLines = 5

func (c *call) showLast(name string) {
	q := read.Query{Tail: lastLines}
	for line, err := range read.Read(context.Background(), c.paths.Logs(), bundle.Services, name, q) {
		if err != nil {
			return // service logs says why
		}
		pairs(c, "output", line.Show())
	}
}
