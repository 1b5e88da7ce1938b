package guest

import (
	"reflect"
	"testing"
	"time"
)

func TestParseOptions(t *testing.T) {
	for cmdline, want := range map[string]Options{
		"": {},
		"console=ttyS0 linuxkit.runc_debug=1 linuxkit.runc_console=1": {RuncDebug: true, RuncConsole: true},
		"linuxkit.runc_debug=1 linuxkit.runc_debug=0":                 {},
		"linuxkit.runc_console":                                       {},
		"slipway.report=poweroff":                                     {Report: ReportPoweroff},
		"slipway.report=poweroff\tslipway.report=print\n":             {Report: ReportPrint},
		"slipway.runtime=crun":                                        {Runtime: "crun"},
		"slipway.runtime=crun slipway.runtime=/x/y":                   {Runtime: "/x/y"},
		"slipway.runtime=runc slipway.runtime=podman": {Runtime: "runc", Wrong: []string{
			"slipway.runtime=podman: want runc, crun, or the absolute path of an OCI runtime's program"}},
		"slipway.watchdog=1m":                      {Watchdog: time.Minute},
		"slipway.watchdog=3s":                      {Watchdog: 3 * time.Second},
		"slipway.watchdog=1m slipway.watchdog=off": {WatchdogOff: true},
		"slipway.watchdog=off slipway.watchdog=1m": {Watchdog: time.Minute},
		"slipway.watchdog=2.9s": {Wrong: []string{
			"slipway.watchdog=2.9s: want off, or a duration of 3s or more"}},
		"slipway.watchdog= slipway.watchdog=1": {Wrong: []string{
			"slipway.watchdog=: want off, or a duration of 3s or more",
			"slipway.watchdog=1: want off, or a duration of 3s or more"}},
	} {
		if got := ParseOptions(cmdline); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, want %+v", cmdline, got, want)
		}
	}
}
