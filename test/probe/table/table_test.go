package main

import (
	"strings"
	"testing"

	"slipway/test/probe/attack"
)

// The document says what the cases hold the machine to.
func TestDocument(t *testing.T) {
	if err := run("../../..", false); err != nil {
		t.Error(err)
	}
}

func TestAttacks(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range attack.All() {
		if seen[a.Name] {
			t.Errorf("%s is there twice", a.Name)
		}
		seen[a.Name] = true
		if a.Name == "" || a.What == "" || a.Try == nil {
			t.Errorf("%+v is not complete", a)
		}
		if strings.Contains(a.What, "|") {
			t.Errorf("%s breaks the table", a.Name)
		}
	}
	if len(seen) < 120 {
		t.Errorf("%d attacks", len(seen))
	}
}

// full are outcomes of which nothing is to be said.
func full() outcomes {
	o := outcomes{}
	for _, c := range columns {
		o[c.name] = map[string]string{}
		for _, a := range attack.All() {
			o[c.name][a.Name] = "EPERM"
		}
	}
	return o
}

func TestCheck(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(o outcomes)
		want  string
	}{
		"as it should be": {func(outcomes) {}, ""},
		"missing":         {func(o outcomes) { delete(o["all"], "reboot") }, "reboot in column all"},
		"unknown":         {func(o outcomes) { o["all"]["nonesuch"] = "EPERM" }, "column all has"},
		"crashed":         {func(o outcomes) { o["user"]["reboot"] = attack.Crashed }, "reboot in column user"},
		"no column":       {func(o outcomes) { delete(o, "linuxkit") }, "8 columns"},
		"exec is weaker":  {func(o outcomes) { o["exec"]["reboot"] = attack.Allowed }, "reboot: allowed by service exec, EPERM"},
		"runtime's own":   {func(o outcomes) { o["exec"]["runtime-program"] = "EROFS" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := full()
			tt.spoil(o)
			err := o.check()
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestReasons(t *testing.T) {
	o := full()
	o["user"]["power-state"] = attack.Allowed
	o["none"]["sync"] = attack.Allowed
	o["all"]["reboot"] = attack.Allowed
	text := o.markdown()
	open, harmless, ok := strings.Cut(text[strings.Index(text, "### Open"):], "and why that does no harm")
	if !ok || !strings.Contains(open, "suspend the machine") || !strings.Contains(harmless, "`sync`: ") || strings.Contains(open+harmless, "`reboot`") {
		t.Errorf("got %s", text)
	}
}

func TestAdd(t *testing.T) {
	for _, text := range []string{"none\treboot\n", "none\treboot\tEPERM\nnone\treboot\tEPERM\n"} {
		if err := (outcomes{}).add(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
