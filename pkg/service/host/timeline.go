package host

import (
	"errors"
	"os"

	"slipway/pkg/timeline"
)

// SendTimeline hands the timeline of this boot to the host, if this is a virtual
// machine whose host asks for it. It is called when the boot is over, and when
// the machine goes down: what came first counts.
func (h *Host) SendTimeline() {
	sent, err := os.OpenFile(h.Paths.Own("timeline-sent"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return
	}
	if err == nil {
		err = sent.Close()
	}
	err = errors.Join(err, timeline.Send(h.Paths.Own("timeline.jsonl"), "/sys", h.Paths.Dev))
	if err != nil && !errors.Is(err, timeline.ErrNoPort) {
		h.Say("%s", err)
	}
}
