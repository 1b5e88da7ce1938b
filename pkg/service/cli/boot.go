package cli

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
	"slipway/pkg/port"
	"slipway/pkg/reap"
	"slipway/pkg/service/emergency"
	"slipway/pkg/service/endings"
	"slipway/pkg/service/host"
	"slipway/pkg/service/onboot"
	"slipway/pkg/service/run"
	"slipway/pkg/service/volumes"
)

// runVolumes is 005-volumes.
func runVolumes(c *call) error {
	h, err := openHost(c)
	if err != nil {
		return err
	}
	err = volumes.Setup(c.paths.Volumes)
	if err != nil {
		for _, line := range strings.Split(err.Error(), "\n") {
			h.Say("%s", line)
		}
		err = errSilent
	}
	return errors.Join(err, h.Close())
}

func runOnboot(c *call) error { return runSequence(c, bundle.Onboot) }

// runOnshutdown is also where services are stopped under an init that knows
// nothing of them: it would send its signals to all of them at once.
func runOnshutdown(c *call) error {
	return errors.Join(runSequence(c, bundle.Onshutdown), stopKeeper(c.paths))
}

// openHost opens the machine. That a console or the command line is not there
// is told on what is, and stops nothing.
func openHost(c *call) (*host.Host, error) {
	h, err := host.Open(c.paths)
	if h == nil {
		return nil, err
	}
	if err != nil && c.verbose {
		h.Say("%s", err)
	}
	return h, nil
}

func runSequence(c *call, section bundle.Section) error {
	h, err := openHost(c)
	if err != nil {
		return err
	}
	if err := reap.SetSubreaper(); err != nil {
		return err
	}
	// PID 1 stops a boot by a signal: the container that runs is then ended
	// and cleaned up, and none follows.
	ctx, cancel := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer cancel()
	if section == bundle.Onboot {
		h.OpenPort()
		h.Listen(port.Onboot, func(w port.Wishes) { wished(h, w) })
	}
	reaper := reap.New()
	q := &onboot.Sequence{
		Host: h, Engine: run.New(h, reaper, ""), Section: section,
		End:   func(p bundle.OnFailure, cause string) { endBoot(ctx, h, reaper, p, cause) },
		Carry: func(last bool) error { return c.carry(reaper, section, last) },
	}
	ok, err := q.Run(ctx)
	if err != nil && ctx.Err() == nil { // else PID 1 has ended the boot, and knows
		h.Say("%s: %s", section, err)
	}
	closeErr := h.Close()
	if !ok || err != nil {
		return errors.Join(errSilent, closeErr)
	}
	return closeErr
}

// endBoot carries out the policy of a failed step. It returns when ctx ends: what
// comes after onboot must not be started, by whatever init there is.
func endBoot(ctx context.Context, h *host.Host, reaper *reap.Reaper, policy bundle.OnFailure, cause string) {
	how := wantsReport(h)
	if how != "" {
		h.Say("report: failed: %s", cause)
		tellReport(h, []string{cause}, true)
	}
	if h.Wishes().Timeline {
		h.TellTimeline()
	}
	switch {
	case policy != bundle.Stop:
		noteEnd(h, fmt.Sprintf("%s, because %s failed", policy, cause))
	case how == host.ReportPoweroff:
		policy = bundle.Poweroff
	default:
		emergency.Stay(ctx, h, reaper)
		return
	}
	if err := host.End(policy); err != nil {
		h.Say("%s", err)
	}
	h.Terminal.Flush(time.Second)
	<-ctx.Done()
}

// noteTime is how long a disk is given to take the reason of an end.
const noteTime = 2 * time.Second

// noteEnd keeps the reason for the next boot, if an earlier step has brought a
// /var that lasts.
func noteEnd(h *host.Host, reason string) {
	done := make(chan error, 1)
	go func() {
		book, _, err := endings.Open(h.Paths.Var)
		done <- errors.Join(err, book.End(reason))
	}()
	select {
	case err := <-done:
		if err != nil {
			h.Say("%s", err)
		}
	case <-time.After(noteTime):
		h.Say("the disk of %s takes no note of how this boot ends", h.Paths.Var)
	}
}
