package spec

import (
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/build/yml"
)

// TestDeviceRules makes rules that runc takes of every type of node.
func TestDeviceRules(t *testing.T) {
	for kind, want := range map[string]string{"c": "c", "b": "b", "u": "c", "p": ""} {
		c := &yml.Container{}
		c.Devices = &[]yml.Device{{Path: "/dev/x", Type: kind, Mode: "0666"}}
		for _, h := range []Hardening{HardeningDefault, HardeningNone} {
			linux := &specs.Linux{Resources: &specs.LinuxResources{}}
			tr := &translator{c: c, label: &yml.Settings{}, hardening: h}
			tr.devices(linux)
			got := ""
			for _, rule := range linux.Resources.Devices {
				got += rule.Type
			}
			if h == HardeningNone && got != kind || h != HardeningNone && got != want || len(linux.Devices) != 1 || linux.Devices[0].Type != kind {
				t.Errorf("%s, %s: rules %q, nodes %v", kind, h, got, linux.Devices)
			}
		}
	}
}

// TestPolicySignal reads STOPSIGNAL as Docker does.
func TestPolicySignal(t *testing.T) {
	for in, want := range map[string]string{
		"SIGQUIT": "SIGQUIT", "QUIT": "QUIT", "sigint": "SIGINT", "3": "3", "SIGRTMIN+3": "37", "RTMIN": "34", "SIGNONSENSE": "", "0": "", "65": "", "SIGRTMIN+x": "", "": "",
	} {
		got, ok := policySignal(in)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%q: got %q, %t", in, got, ok)
		}
	}
}
