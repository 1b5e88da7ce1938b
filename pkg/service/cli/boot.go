package cli

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
	"slipway/pkg/container/volume"
	"slipway/pkg/machine"
	"slipway/pkg/port"
	"slipway/pkg/reap"
	"slipway/pkg/service/guest"
	"slipway/pkg/service/sequence"
)

// runVolumes is 005-volumes: what containers mount is there before the first.
func runVolumes(c *call) error {
	g, err := openGuest(c)
	if err != nil {
		return err
	}
	err = errors.Join(volume.Setup(c.paths.Volumes), c.paths.MountOutput())
	if err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			g.Say("%s", line)
		}
		err = errSilent
	}
	return errors.Join(err, g.Close())
}

func runOnboot(c *call) error { return runSequence(c, bundle.Onboot) }

// runOnshutdown is also where services are stopped under an init that knows
// nothing of them: it would send its signals to all of them at once.
func runOnshutdown(c *call) error {
	return errors.Join(runSequence(c, bundle.Onshutdown), stopKeeper(c.paths))
}

// openGuest opens the machine. That a console or the command line is not there
// is told on what is, and stops nothing.
func openGuest(c *call) (*guest.Guest, error) {
	g, err := guest.Open(c.paths)
	if g == nil {
		return nil, err
	}
	if err != nil && c.verbose {
		g.Say("%s", err)
	}
	return g, nil
}

func runSequence(c *call, section bundle.Section) error {
	if runtime.NumCPU() == 1 {
		// Between two steps one thread waits in a system call, and one that looks for work sleeps
		// until a tick. Who stays, as the supervisor, would pay for a third with memory.
		runtime.GOMAXPROCS(3)
	}
	g, err := openGuest(c)
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
		g.OpenPort()
		g.Listen(port.Onboot, func(w port.Request) { fulfil(g, w) })
	}
	reaper := reap.New()
	q := &sequence.Sequence{
		Guest: g, Engine: newRunner(g, reaper, ""), Section: section,
		End:   func(p bundle.OnFailure, cause string) { endBoot(ctx, g, reaper, p, cause) },
		Carry: func(last bool) error { return c.carry(reaper, section, last) },
	}
	ok, err := q.Run(ctx)
	if section == bundle.Onshutdown {
		giveOut(g)
	}
	if err != nil && ctx.Err() == nil { // else PID 1 has ended the boot, and knows
		g.Say("%s: %s", section, err)
	}
	closeErr := g.Close()
	if !ok || err != nil {
		return errors.Join(errSilent, closeErr)
	}
	return closeErr
}

// giveOut hands containers' files out to the host where no supervisor does so behind
// the services, because the boot did not come that far.
func giveOut(g *guest.Guest) {
	if g.WantsOutput() == 0 {
		return
	}
	kept, err := isKept(g.Paths)
	if err != nil {
		g.Say("output: %s", err)
	}
	if kept {
		return
	}
	limit := machine.ReadLimit(g.Paths.RunDir(), string(bundle.Onshutdown)) + guest.OutputTime
	if err := machine.WriteLimit(g.Paths.RunDir(), string(bundle.Onshutdown), limit); err != nil {
		g.Say("output: %s", err)
	}
	g.OpenPort()
	g.TellOutput()
}

// endBoot carries out the policy of a failed step. It returns when ctx ends: what
// comes after onboot must not be started, by whatever init there is.
func endBoot(ctx context.Context, g *guest.Guest, reaper *reap.Reaper, policy bundle.OnFailure, cause string) {
	how := wantsReport(g)
	if how != "" {
		g.Say("report: failed: %s", cause)
		tellReport(g, []string{cause}, true)
	}
	if g.Requested().Timeline {
		g.TellTimeline()
	}
	switch {
	case policy != bundle.Stop:
		noteEnd(g, fmt.Sprintf("%s, because %s failed", policy, cause))
	case how == guest.ReportPoweroff:
		policy = bundle.Poweroff
	default:
		g.Emergency(ctx, reaper)
		return
	}
	if err := guest.End(policy); err != nil {
		g.Say("%s", err)
	}
	g.Terminal.Flush(time.Second)
	<-ctx.Done()
}

// noteTime is how long a disk is given to take the reason of an end.
const noteTime = 2 * time.Second

// noteEnd keeps the reason for the next boot, if an earlier step has brought a
// /var that lasts.
func noteEnd(g *guest.Guest, reason string) {
	done := make(chan error, 1)
	go func() {
		book, _, err := guest.OpenEnding(g.Paths.Var)
		done <- errors.Join(err, book.End(reason))
	}()
	select {
	case err := <-done:
		if err != nil {
			g.Say("%s", err)
		}
	case <-time.After(noteTime):
		g.Say("the disk of %s takes no note of how this boot ends", g.Paths.Var)
	}
}
