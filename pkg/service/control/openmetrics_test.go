package control

import (
	"errors"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"

	"slipway/pkg/service/state"
)

// exposed is an exposition as a monitoring system reads it.
type exposed struct {
	kinds, units map[string]string
	values       map[string]float64 // by name and labels
}

// expose has Prometheus' own parser read a text, and checks what that one lets
// pass: names by type and unit, each family in one piece.
func expose(t *testing.T, text []byte) exposed {
	t.Helper()
	x := exposed{map[string]string{}, map[string]string{}, map[string]float64{}}
	p := textparse.NewOpenMetricsParser(text, labels.NewSymbolTable())
	family := ""
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			return x
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		switch entry {
		case textparse.EntryType:
			name, kind := p.Type()
			if family = string(name); x.kinds[family] != "" {
				t.Errorf("%s is in several pieces", family)
			}
			x.kinds[family] = string(kind)
		case textparse.EntryUnit:
			name, unit := p.Unit()
			x.units[string(name)] = string(unit)
			if !strings.HasSuffix(string(name), "_"+string(unit)) {
				t.Errorf("%s has the unit %s", name, unit)
			}
		case textparse.EntrySeries:
			var l labels.Labels
			_, _, v := p.Series()
			p.Labels(&l)
			x.add(t, family, l, v)
		}
	}
}

// suffixes are how the samples of a type may end.
var suffixes = map[string][]string{
	"counter": {"_total"}, "gauge": {""}, "stateset": {""}, "info": {"_info"},
	"histogram": {"_bucket", "_sum", "_count"},
}

func (x exposed) add(t *testing.T, family string, l labels.Labels, v float64) {
	t.Helper()
	name := l.Get("__name__")
	if !slices.Contains(suffixes[x.kinds[family]], strings.TrimPrefix(name, family)) {
		t.Errorf("%s is a sample of the %s %s", name, x.kinds[family], family)
	}
	if _, twice := x.values[l.String()]; twice {
		t.Errorf("%s comes twice", l)
	}
	x.values[l.String()] = v
}

func (x exposed) want(t *testing.T, v float64, pairs ...string) {
	t.Helper()
	key := labels.FromStrings(pairs...).String()
	if got, has := x.values[key]; !has || math.Abs(got-v) > 1e-9 {
		t.Errorf("%s is %v, want %v; there are\n%s", key, got, v, strings.Join(slices.Sorted(maps.Keys(x.values)), "\n"))
	}
}

func TestMetrics(t *testing.T) {
	odd := "we\"b\\ü\nx"
	web := Service{Name: odd, State: state.Ready, Pid: 7, Restarts: 3, Memory: 4096, Ready: 0.25, CPU: 1.5, OOMKills: 2, OOMs: 1}
	for _, d := range []time.Duration{10 * time.Millisecond, 25 * time.Millisecond, 26 * time.Millisecond, 2 * time.Minute} {
		web.Starts.Add(d)
	}
	l := List{
		Services:   []Service{web, {Name: "down", State: state.Failed}},
		Steps:      []Step{{Section: "onboot", Name: "000-dhcp", State: "done", Took: 1500 * time.Millisecond}},
		Supervisor: Process{Pid: 1, Started: time.Unix(100, 0), Memory: 3 << 20},
	}
	x := expose(t, Metrics(l))
	const name, service = "__name__", "service"
	for _, st := range state.All() {
		on := map[bool]float64{true: 1}
		x.want(t, on[st == state.Ready], name, "slipway_service_state", service, odd, "slipway_service_state", string(st))
		x.want(t, on[st == state.Failed], name, "slipway_service_state", service, "down", "slipway_service_state", string(st))
	}
	for metric, v := range map[string]float64{"restarts_total": 3, "memory_bytes": 4096, "ready_seconds": .25,
		"cpu_seconds_total": 1.5, "oom_kills_total": 2, "oom_exits_total": 1, "start_seconds_count": 4, "start_seconds_sum": 120.061} {
		x.want(t, v, name, "slipway_service_"+metric, service, odd)
	}
	for bound, v := range map[string]float64{"0.025": 2, "0.05": 3, "1.0": 3, "60.0": 3, "+Inf": 4} {
		x.want(t, v, name, "slipway_service_start_seconds_bucket", service, odd, "le", bound)
	}
	x.want(t, 1, name, "slipway_step_state_info", "section", "onboot", "step", "000-dhcp", "state", "done")
	x.want(t, 1.5, name, "slipway_step_seconds", "section", "onboot", "step", "000-dhcp")
	x.want(t, 3<<20, name, "slipway_supervisor_memory_bytes")
	for key := range x.values {
		if strings.Contains(key, `"down"`) && strings.Contains(key, "memory") {
			t.Errorf("a service that is down has memory: %s", key)
		}
	}
	if x.kinds["slipway_service_cpu_seconds"] != "counter" || x.units["slipway_service_cpu_seconds"] != "seconds" {
		t.Errorf("%v %v", x.kinds, x.units)
	}
}

// An exposition that is cut short is told from a whole one.
func TestMetricsEnd(t *testing.T) {
	text := Metrics(List{})
	p := textparse.NewOpenMetricsParser(text[:len(text)-len("# EOF\n")], labels.NewSymbolTable())
	for {
		if _, err := p.Next(); err != nil {
			if errors.Is(err, io.EOF) {
				t.Error("the end is not marked")
			}
			return
		}
	}
}
