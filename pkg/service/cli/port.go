package cli

import (
	"strings"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/machine"
	"slipway/pkg/port"
	"slipway/pkg/service/host"
	"slipway/pkg/service/onboot"
	"slipway/pkg/service/status"
	"slipway/pkg/service/supervisor"
)

// wished carries out what the host of a virtual machine wants while onboot runs.
// The rest is the supervisor's, which is told all of it again.
func wished(h *host.Host, w port.Wishes) {
	if w.Poweroff {
		if w.Timeline {
			h.TellTimeline()
		}
		if err := host.End(bundle.Poweroff); err != nil {
			h.Say("%s", err)
		}
	}
	if !w.Now {
		return
	}
	faults := stepFaults(h)
	h.Print(status.Table(status.List{Steps: supervisor.Steps(h.Paths)}, 0))
	h.Say("so far: %s", strings.Join(faults, "; "))
	h.AwaitConsoles()
	if w.Timeline {
		h.TellTimeline()
	}
	tellReport(h, faults, false)
}

func stepFaults(h *host.Host) []string {
	note, err := machine.ReadScripts(h.Paths.Own())
	if err != nil {
		h.Say("%s", err)
	}
	faults := note.Faults()
	steps, err := onboot.Load(h.Paths, bundle.Onboot)
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

func tellReport(h *host.Host, faults []string, final bool) {
	r := supervisor.Report(status.List{Steps: supervisor.Steps(h.Paths)}, faults)
	r.Final = final
	h.Tell(port.Message{Report: r})
}

// wishTime is how long the host may take to say what it wants.
const wishTime = time.Second

// wantsReport waits for that: a first step may fail at once.
func wantsReport(h *host.Host) string {
	for end := time.Now().Add(wishTime); h.Port != nil && h.WantsReport() == "" && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	return h.WantsReport()
}
