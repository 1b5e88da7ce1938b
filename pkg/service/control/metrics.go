package control

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"slipway/pkg/service/state"
	"slipway/pkg/service/status"
)

const metricsKind = "application/openmetrics-text; version=1.0.0; charset=utf-8"

// metric is a family of OpenMetrics: a value for each service.
type metric struct {
	name, kind, unit, help string
	value                  func(status.Service) (float64, bool)
}

func always(f func(status.Service) float64) func(status.Service) (float64, bool) {
	return func(s status.Service) (float64, bool) { return f(s), true }
}

var families = []metric{
	{"slipway_service_restarts", "counter", "", "Restarts by policy.", always(func(s status.Service) float64 { return float64(s.Restarts) })},
	{"slipway_service_runs", "counter", "", "Starts.", always(func(s status.Service) float64 { return float64(s.Runs) })},
	{"slipway_service_exits", "counter", "", "Ends of a started program.", always(func(s status.Service) float64 { return float64(s.Exits) })},
	{"slipway_service_ready_seconds", "gauge", "seconds", "From start to ready, in the present run.", func(s status.Service) (float64, bool) { return s.Ready, s.State == state.Ready }},
	{"slipway_service_uptime_seconds", "gauge", "seconds", "Since the present run was started.", func(s status.Service) (float64, bool) { return s.Uptime, s.Pid != 0 }},
	{"slipway_service_memory_bytes", "gauge", "bytes", "Memory of the control group.", func(s status.Service) (float64, bool) { return float64(s.Memory), s.Pid != 0 }},
	{"slipway_service_cpu_seconds", "counter", "seconds", "Processor time of the control group, in the present run.", func(s status.Service) (float64, bool) { return s.CPU, s.Pid != 0 }},
	{"slipway_service_tasks", "gauge", "", "Processes and threads of the control group.", func(s status.Service) (float64, bool) { return float64(s.Tasks), s.Pid != 0 }},
	{"slipway_service_oom_kills", "gauge", "", "Processes killed for want of memory, in the present run.", func(s status.Service) (float64, bool) { return float64(s.OOMKills), s.Pid != 0 }},
}

func (s *Server) metrics(ctx context.Context) answer {
	l, err := s.sup.List(ctx)
	if err != nil {
		return failure(503, err)
	}
	return answer{200, metricsKind, Metrics(l)}
}

// Metrics writes a list as OpenMetrics text.
func Metrics(l status.List) []byte {
	var b bytes.Buffer
	b.WriteString("# TYPE slipway_service_state stateset\n# HELP slipway_service_state The state of a service.\n")
	for _, s := range l.Services {
		for _, st := range state.All() {
			on := 0
			if s.State == st {
				on = 1
			}
			fmt.Fprintf(&b, "slipway_service_state{service=%s,slipway_service_state=%s} %d\n", label(s.Name), label(string(st)), on)
		}
	}
	for _, m := range families {
		m.write(&b, l.Services)
	}
	b.WriteString("# EOF\n")
	return b.Bytes()
}

func (m metric) write(b *bytes.Buffer, services []status.Service) {
	fmt.Fprintf(b, "# TYPE %s %s\n", m.name, m.kind)
	if m.unit != "" {
		fmt.Fprintf(b, "# UNIT %s %s\n", m.name, m.unit)
	}
	fmt.Fprintf(b, "# HELP %s %s\n", m.name, m.help)
	sample := m.name
	if m.kind == "counter" {
		sample += "_total"
	}
	for _, s := range services {
		if v, has := m.value(s); has {
			fmt.Fprintf(b, "%s{service=%s} %g\n", sample, label(s.Name), v)
		}
	}
}

var escaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func label(v string) string { return `"` + escaper.Replace(v) + `"` }
