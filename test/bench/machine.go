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
		"| | 20 services (µs) | 200 services (µs) |\n| --- | --- | --- |\n")
	for _, what := range []struct {
		name, text string
		per        bool
	}{
		{"Boot", "first start of all, for each service", true},
		{"Crash", "one end and restart, all else running", false},
	} {
		few, many := took[what.name+"20"], took[what.name+"200"]
		if len(few) == 0 || len(many) == 0 {
			return "", fmt.Errorf("no Benchmark%s in\n%s", what.name, out)
		}
		a, b := median(few)/1000, median(many)/1000
		if what.per {
			a, b = a/20, b/200
		}
		fmt.Fprintf(&m, "| %s | %.1f | %.1f |\n", what.text, a, b)
	}
	return m.String(), nil
}
