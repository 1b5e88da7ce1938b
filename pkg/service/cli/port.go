package cli

import (
	"strings"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/machine"
	"slipway/pkg/port"
	"slipway/pkg/service/control"
	"slipway/pkg/service/guest"
	"slipway/pkg/service/sequence"
	"slipway/pkg/service/supervisor"
)

// fulfil carries out what the host of a virtual machine asks for while onboot runs.
// The rest is the supervisor's, which is told all of it again.
func fulfil(g *guest.Guest, w port.Request) {
	if w.Poweroff {
		if w.Timeline {
			g.TellTimeline()
		}
		if err := guest.End(bundle.Poweroff); err != nil {
			g.Say("%s", err)
		}
	}
	if !w.Now {
		return
	}
	faults := stepFaults(g)
	g.Print(control.Table(control.List{Steps: supervisor.Steps(g.Paths)}, 0))
	g.Say("so far: %s", strings.Join(faults, "; "))
	g.AwaitConsoles()
	if w.Timeline {
		g.TellTimeline()
	}
	tellReport(g, faults, false)
	go g.TellOutput() // and hear the host meanwhile
}

func stepFaults(g *guest.Guest) []string {
	note, err := machine.ReadScripts(g.Paths.RunDir())
	if err != nil {
		g.Say("%s", err)
	}
	faults := note.Faults()
	steps, err := sequence.Load(g.Paths, bundle.Onboot)
	if err != nil {
		return append(faults, "onboot: "+err.Error())
	}
	for _, step := range steps {
		if why := step.Trouble(); why != "" {
			faults = append(faults, step.Name+": "+why)
		}
	}
	return faults
}

func tellReport(g *guest.Guest, faults []string, final bool) {
	r := supervisor.Report(control.List{Steps: supervisor.Steps(g.Paths)}, faults)
	r.Final = final
	g.Tell(port.Message{Report: r})
}

// How long the host may take to say what it wants, in pauses: a second, of which the time in which the
// whole machine stood still is no part.
const (
	requestPause  = 10 * time.Millisecond
	requestPauses = 100
)

// wantsReport waits for that: a first step may fail at once.
func wantsReport(g *guest.Guest) string {
	for left := requestPauses; g.Port != nil && g.WantsReport() == "" && left > 0; left-- {
		time.Sleep(requestPause)
	}
	return g.WantsReport()
}
