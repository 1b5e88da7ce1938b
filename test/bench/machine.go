package main

import (
	"fmt"
	"os/exec"
	"regexp"
	"strings"
)

var benchLine = regexp.MustCompile(`(?m)^Benchmark(\w+)/services=(\d+)\S*\s+\d+\s+([\d.]+) ns/op`)

// partMachine runs the benchmarks of package state: what one event costs, which
// must grow no faster than the number of services.
func (b *bench) partMachine() (string, error) {
	cmd := exec.Command("go", "test", "-run", "^$", "-bench", ".", "-count", fmt.Sprint(b.rounds), "./pkg/service/state")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	took := map[string][]float64{}
	for _, m := range benchLine.FindAllStringSubmatch(string(out), -1) {
		v, err := numbers(m[3:])
		if err != nil {
			return "", err
		}
		took[m[1]+m[2]] = append(took[m[1]+m[2]], v[0])
	}
	var m strings.Builder
	m.WriteString("On this machine itself, without containers (`go test -bench . ./pkg/service/state`).\n\n" +
		"| | 20 services (µs) | 200 services (µs) | 1000 services (µs) |\n| --- | --- | --- | --- |\n")
	for _, what := range []struct {
		name, text string
		per        bool
	}{
		{"Boot", "first start of all, for each service", true},
		{"Crash", "one end and restart, all else running", false},
	} {
		fmt.Fprintf(&m, "| %s", what.text)
		for _, n := range []int{20, 200, 1000} {
			all := took[fmt.Sprint(what.name, n)]
			if len(all) == 0 {
				return "", fmt.Errorf("no Benchmark%s of %d in\n%s", what.name, n, out)
			}
			each := median(all) / 1000
			if what.per {
				each /= float64(n)
			}
			fmt.Fprintf(&m, " | %.1f", each)
		}
		m.WriteString(" |\n")
	}
	return m.String(), nil
}
