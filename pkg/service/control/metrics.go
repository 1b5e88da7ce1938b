package control

import (
	"bytes"
	"context"
	"strconv"
	"strings"

	"slipway/pkg/service/state"
)

const metricsKind = "application/openmetrics-text; version=1.0.0; charset=utf-8"

// metric is a family of OpenMetrics: a value for each service.
type metric struct {
	name, kind, unit, help string
	value                  func(Service) (float64, bool)
}

func always(f func(Service) float64) func(Service) (float64, bool) {
	return func(s Service) (float64, bool) { return f(s), true }
}

func whileUp(f func(Service) float64) func(Service) (float64, bool) {
	return func(s Service) (float64, bool) { return f(s), s.Pid != 0 }
}

var families = []metric{
	{"slipway_service_restarts", "counter", "", "Restarts by policy.", always(func(s Service) float64 { return float64(s.Restarts) })},
	{"slipway_service_runs", "counter", "", "Starts.", always(func(s Service) float64 { return float64(s.Runs) })},
	{"slipway_service_exits", "counter", "", "Ends of a started program.", always(func(s Service) float64 { return float64(s.Exits) })},
	{"slipway_service_oom_exits", "counter", "", "Ends when out of memory, since the supervisor was started.", always(func(s Service) float64 { return float64(s.OOMs) })},
	{"slipway_service_ready_seconds", "gauge", "seconds", "From start to ready, in the present run.", func(s Service) (float64, bool) { return s.Ready, s.State == state.Ready }},
	{"slipway_service_uptime_seconds", "gauge", "seconds", "Since the present run was started.", whileUp(func(s Service) float64 { return s.Uptime })},
	{"slipway_service_memory_bytes", "gauge", "bytes", "Memory of the control group.", whileUp(func(s Service) float64 { return float64(s.Memory) })},
	{"slipway_service_memory_files_bytes", "gauge", "bytes", "The part of it in files in memory, those of the writable layer among them.", whileUp(func(s Service) float64 { return float64(s.Files) })},
	{"slipway_service_cpu_seconds", "counter", "seconds", "Processor time of the control group, in the present run.", whileUp(func(s Service) float64 { return s.CPU })},
	{"slipway_service_tasks", "gauge", "", "Processes and threads of the control group.", whileUp(func(s Service) float64 { return float64(s.Tasks) })},
	{"slipway_service_oom_kills", "counter", "", "Processes killed when out of memory, in the present run.", whileUp(func(s Service) float64 { return float64(s.OOMKills) })},
}

func (s *Server) metrics(ctx context.Context) answer {
	l, err := s.sup.List(ctx)
	if err != nil {
		return failure(503, err)
	}
	return answer{status: 200, kind: metricsKind, body: Metrics(l)}
}

// Metrics writes a list as OpenMetrics text.
func Metrics(l List) []byte {
	e := &exposition{}
	e.states(l.Services)
	for _, m := range families {
		e.family(m.name, m.kind, m.unit, m.help)
		for _, s := range l.Services {
			if v, has := m.value(s); has {
				e.sample(m.name+suffix[m.kind], v, "service", s.Name)
			}
		}
	}
	e.starts(l.Services)
	e.steps(l.Steps)
	e.memory(l.Memory)
	e.supervisor(l.Supervisor)
	e.WriteString("# EOF\n")
	return e.Bytes()
}

var suffix = map[string]string{"counter": "_total"}

// exposition is the text as it grows.
type exposition struct{ bytes.Buffer }

func (e *exposition) family(name, kind, unit, help string) {
	e.WriteString("# TYPE " + name + " " + kind + "\n")
	if unit != "" {
		e.WriteString("# UNIT " + name + " " + unit + "\n")
	}
	e.WriteString("# HELP " + name + " " + help + "\n")
}

func (e *exposition) sample(name string, v float64, labels ...string) {
	e.WriteString(name)
	for i := 0; i+1 < len(labels); i += 2 {
		e.WriteString([]string{"{", ","}[min(i, 1)] + labels[i] + `="` + escaper.Replace(labels[i+1]) + `"`)
	}
	if len(labels) > 0 {
		e.WriteByte('}')
	}
	e.WriteString(" " + number(v) + "\n")
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// canonical is a bound as all exporters write it: with a point.
func canonical(v float64) string {
	s := number(v)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s
}

var escaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func (e *exposition) states(services []Service) {
	const name = "slipway_service_state"
	e.family(name, "stateset", "", "The state of a service.")
	for _, s := range services {
		for _, st := range state.All() {
			on := 0.0
			if s.State == st {
				on = 1
			}
			e.sample(name, on, "service", s.Name, name, string(st))
		}
	}
}

// starts is how long starts took until the service was ready.
func (e *exposition) starts(services []Service) {
	const name = "slipway_service_start_seconds"
	e.family(name, "histogram", "seconds", "From the beginning of a start to ready, since the supervisor was started.")
	for _, s := range services {
		count := 0
		for i, n := range s.Starts.Counts {
			count += n
			bound := "+Inf"
			if i < len(Bounds) {
				bound = canonical(Bounds[i].Seconds())
			}
			e.sample(name+"_bucket", float64(count), "service", s.Name, "le", bound)
		}
		e.sample(name+"_sum", s.Starts.Sum.Seconds(), "service", s.Name)
		e.sample(name+"_count", float64(count), "service", s.Name)
	}
}

func (e *exposition) steps(steps []Step) {
	const state, took = "slipway_step_state", "slipway_step_seconds"
	e.family(state, "info", "", "How a step of the boot or the shutdown stands.")
	for _, s := range steps {
		e.sample(state+"_info", 1, "section", s.Section, "step", s.Name, "state", s.State)
	}
	e.family(took, "gauge", "seconds", "How long it took.")
	for _, s := range steps {
		e.sample(took, s.Took.Seconds(), "section", s.Section, "step", s.Name)
	}
}

// memory is left out where the kernel does not bound it.
func (e *exposition) memory(m *Memory) {
	if m == nil {
		return
	}
	e.family("slipway_containers_memory_bytes", "gauge", "bytes", "Memory that all containers hold together and that cannot be had back.")
	e.sample("slipway_containers_memory_bytes", float64(m.Held))
	e.family("slipway_containers_memory_limit_bytes", "gauge", "bytes", "Memory that all containers may have together.")
	e.sample("slipway_containers_memory_limit_bytes", float64(m.Limit))
}

func (e *exposition) supervisor(p Process) {
	e.family("slipway_supervisor_memory_bytes", "gauge", "bytes", "Memory of the supervisor itself.")
	e.sample("slipway_supervisor_memory_bytes", float64(p.Memory))
	e.family("slipway_supervisor_start_time_seconds", "gauge", "seconds", "When the supervisor was started, in Unix time.")
	e.sample("slipway_supervisor_start_time_seconds", float64(p.Started.UnixMilli())/1000)
}
