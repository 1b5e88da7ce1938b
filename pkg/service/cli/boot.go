package cli

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
	"slipway/pkg/reap"
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
		h.Say("%s", err)
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
	reaper := reap.New()
	q := &onboot.Sequence{
		Host: h, Engine: run.New(h, reaper, ""), Section: section,
		End: func(p bundle.OnFailure) { endBoot(h, reaper, p) },
	}
	ok, err := q.Run(ctx)
	if err != nil {
		h.Say("%s: %s", section, err)
	}
	closeErr := h.Close()
	if !ok || err != nil {
		return errors.Join(errSilent, closeErr)
	}
	return closeErr
}

// endBoot carries out the policy of a failed step. It does not return: what
// comes after onboot must not be started, by whatever init there is.
func endBoot(h *host.Host, reaper *reap.Reaper, policy bundle.OnFailure) {
	if policy == bundle.Stop {
		emergency(h, reaper)
	} else if err := host.End(policy); err != nil {
		h.Say("%s", err)
	}
	h.Terminal.Flush(time.Second)
	for {
		time.Sleep(time.Hour)
	}
}

// shortShell is a shell that found no terminal, or nobody at it.
const shortShell = time.Second

// emergency gives people a shell on the console, if the image has one, for as
// long as they want it.
func emergency(h *host.Host, reaper *reap.Reaper) {
	for {
		h.Say("boot is stopped; poweroff or reboot end it")
		h.Terminal.Flush(time.Second)
		begin := time.Now()
		if err := emergencyShell(reaper); err != nil {
			h.Say("emergency shell: %s", err)
			return
		}
		if time.Since(begin) < shortShell {
			return
		}
	}
}

func emergencyShell(reaper *reap.Reaper) error {
	tty, err := os.OpenFile("/dev/console", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer tty.Close()
	sh := exec.Command("/bin/sh", "-l")
	sh.Stdin, sh.Stdout, sh.Stderr = tty, tty, tty
	p, err := reaper.Start(sh)
	if err != nil {
		return err
	}
	_, err = p.Wait(context.Background())
	return err
}
