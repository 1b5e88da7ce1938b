package bundle

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParsePolicyDefaults(t *testing.T) {
	got, err := ParsePolicy(Services, map[string]string{"org.example.other": "left alone"})
	if err != nil {
		t.Fatal(err)
	}
	if want := DefaultPolicy(Services); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if d := DefaultPolicy(Onboot).Timeout; d != 0 {
		t.Errorf("onboot has a default timeout of %v, LinuxKit has none", d)
	}
	if d := DefaultPolicy(Onshutdown).Timeout; d != 60*time.Second {
		t.Errorf("onshutdown timeout is %v", d)
	}
}

func TestParsePolicyValues(t *testing.T) {
	cases := []struct {
		key, value string
		got        func(Policy) any
		want       any
	}{
		{"restart", "always", func(p Policy) any { return p.Restart }, RestartAlways},
		{"restart-delay", "2s", func(p Policy) any { return p.RestartDelay }, 2 * time.Second},
		{"restart-limit", "5/1m", func(p Policy) any { return p.RestartLimit }, Limit{5, time.Minute}},
		{"after", "a, b c", func(p Policy) any { return p.After }, []string{"a", "b", "c"}},
		{"requires", "db", func(p Policy) any { return p.Requires }, []string{"db"}},
		{"ready", "tcp:80", func(p Policy) any { return p.Ready }, Probe{Kind: ProbeTCP, Port: 80}},
		{"ready", "http:8080/healthz?x=1", func(p Policy) any { return p.Ready }, Probe{Kind: ProbeHTTP, Port: 8080, Path: "/healthz?x=1"}},
		{"ready", "http:80", func(p Policy) any { return p.Ready }, Probe{Kind: ProbeHTTP, Port: 80, Path: "/"}},
		{"ready", "unix:/run/a.sock", func(p Policy) any { return p.Ready }, Probe{Kind: ProbeUnix, Path: "/run/a.sock"}},
		{"health", "exec:/bin/check  -q", func(p Policy) any { return p.Health }, Probe{Kind: ProbeExec, Command: []string{"/bin/check", "-q"}}},
		{"watchdog", "true", func(p Policy) any { return p.Watchdog }, true},
		{"on-failure", "reboot", func(p Policy) any { return p.OnFailure }, Reboot},
		{"stop-signal", "int", func(p Policy) any { return p.StopSignal }, 2},
		{"stop-signal", "SIGRTMIN+3", func(p Policy) any { return p.StopSignal }, 37},
		{"stop-signal", "15", func(p Policy) any { return p.StopSignal }, 15},
		{"log", "kmsg", func(p Policy) any { return p.Log }, LogKmsg},
		{"log-max-size", "10M", func(p Policy) any { return p.LogMaxSize }, int64(10 << 20)},
		{"log-max-files", "0", func(p Policy) any { return p.LogMaxFiles }, 0},
		{"upper", "tmpfs:25%", func(p Policy) any { return p.Upper }, Upper{Size: "25%"}},
		{"runtime", "crun", func(p Policy) any { return p.Runtime }, "crun"},
		{"runtime", "/opt/crun-1.28", func(p Policy) any { return p.Runtime }, "/opt/crun-1.28"},
		{"pids", "4000", func(p Policy) any { return p.Pids }, int64(4000)},
		{"pids", "unlimited", func(p Policy) any { return p.Pids }, int64(NoLimit)},
		{"pids", "max", func(p Policy) any { return p.Pids }, int64(NoLimit)},
		{"upper", "disk:/var/lib/up/", func(p Policy) any { return p.Upper }, Upper{Disk: "/var/lib/up"}},
	}
	for _, c := range cases {
		p, err := ParsePolicy(Services, map[string]string{Prefix + c.key: c.value})
		if err != nil {
			t.Errorf("%s: %v", c.key, err)
			continue
		}
		if got := c.got(p); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s %q: got %+v, want %+v", c.key, c.value, got, c.want)
		}
	}
}

func TestParsePolicyFaults(t *testing.T) {
	cases := []struct {
		section    Section
		key, value string
		reason     string
	}{
		{Services, "restart", "sometimes", `"on-failure"`},
		{Services, "restrat", "no", "unknown key"},
		{Services, "wholly-other", "no", "known are slipway.after, "},
		{Services, "restart-max-delay", "50ms", "less than the first pause, 100ms"},
		{Services, "health", "notify", "nothing of health"},
		{Services, "health", "started", "nothing of health"},
		{Services, "ready", "http:80/a\r\nb", "no control characters"},
		{Services, "watchdog", "yes", `"true" or "false"`},
		{Onboot, "watchdog", "true", "no meaning in onboot"},
		{Services, "restart-delay", "-1s", "above zero"},
		{Services, "restart-limit", "5", "N/duration"},
		{Services, "after", " , ", "names of services"},
		{Services, "ready", "tcp:0", "1 to 65535"},
		{Services, "ready", "ping", "started, notify"},
		{Services, "ready", "notify:x", "no argument"},
		{Services, "ready", "file:relative", "absolute path"},
		{Services, "health", "exec: ", "a command"},
		{Services, "timeout", "1s", "no meaning in services"},
		{Onboot, "restart", "no", "no meaning in onboot"},
		{Services, "stop-signal", "SIGNOPE", "unknown signal"},
		{Services, "stop-signal", "65", "1 to 64"},
		{Services, "log-max-size", "9999999999G", "want a size"},
		{Services, "upper", "tmpfs:1m,mode=777", "tmpfs size"},
		{Services, "runtime", "podman", "want runc, crun, or the absolute path"},
		{Services, "runtime", "bin/crun", "want runc, crun, or the absolute path"},
		{Onboot, "runtime", "", "want runc, crun, or the absolute path"},
		{Services, "pids", "0", "want a number from 1"},
		{Services, "pids", "-1", "want a number from 1"},
		{Services, "pids", "1e3", "want a number from 1"},
		{Services, "pids", "none", "want a number from 1"},
		{Services, "upper", "disk:/", "absolute path of a directory"},
	}
	for _, c := range cases {
		_, err := ParsePolicy(c.section, map[string]string{Prefix + c.key: c.value})
		var fault *PolicyError
		if !errors.As(err, &fault) {
			t.Errorf("%s %q: got %v, want a PolicyError", c.key, c.value, err)
			continue
		}
		if fault.Key != Prefix+c.key || !strings.Contains(fault.Reason, c.reason) {
			t.Errorf("%s %q: got %v, want %q in it", c.key, c.value, err, c.reason)
		}
	}
}

// In a machine the error has to tell what the builder would have told.
func TestParsePolicyNamesTheNearestKey(t *testing.T) {
	for key, want := range map[string]string{
		"slipway.restrat": `annotation slipway.restrat: unknown key; did you mean "slipway.restart"?`,
		"slipway.helth":   `annotation slipway.helth: unknown key; did you mean "slipway.health"?`,
		// A key of another section is not near.
		"slipway.timeot": "",
	} {
		_, err := ParsePolicy(Services, map[string]string{key: "no"})
		if err == nil || want != "" && err.Error() != want || strings.Contains(err.Error(), `"slipway.timeout"`) {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestProbeIsWrittenAsItIsRead(t *testing.T) {
	for _, text := range []string{"started", "notify", "tcp:80", "http:80/", "http:8080/a?b", "unix:/run/s", "file:/x", "exec:/bin/check -q"} {
		if p, err := ParseProbe(text); err != nil || p.String() != text {
			t.Errorf("%q: %q %v", text, p, err)
		}
	}
}

func TestFirstPauseRaisesTheLongest(t *testing.T) {
	p, err := ParsePolicy(Services, map[string]string{"slipway.restart-delay": "1m"})
	if err != nil || p.RestartMaxDelay != time.Minute {
		t.Errorf("%v %v", p.RestartMaxDelay, err)
	}
}

func TestParsePolicyReportsEveryFault(t *testing.T) {
	_, err := ParsePolicy(Services, map[string]string{
		"slipway.restart": "x", "slipway.ready": "y", "slipway.log": "z",
	})
	for _, key := range []string{"slipway.restart", "slipway.ready", "slipway.log"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%v does not name %s", err, key)
		}
	}
}

func TestUpperBytes(t *testing.T) {
	for size, want := range map[string]uint64{"": 0, "64M": 64 << 20, "1k": 1024, "25%": 250, "100%": 1000} {
		if got := (Upper{Size: size}).Bytes(1000); got != want {
			t.Errorf("%q: %d, want %d", size, got, want)
		}
	}
}

func FuzzParsePolicy(f *testing.F) {
	f.Add("ready", "http:80/x")
	f.Add("upper", "tmpfs:10%")
	f.Add("restart-limit", "5/1m")
	f.Add("stop-signal", "SIGRTMIN+30")
	f.Fuzz(func(t *testing.T, name, value string) {
		p, err := ParsePolicy(Services, map[string]string{Prefix + name: value})
		if err != nil {
			return
		}
		if p.StopSignal < 1 || p.StopSignal > maxSignal {
			t.Errorf("%s=%q gives the signal %d", name, value, p.StopSignal)
		}
		if strings.ContainsAny(p.Upper.Size, ",=") {
			t.Errorf("%s=%q smuggles mount options: %q", name, value, p.Upper.Size)
		}
	})
}
