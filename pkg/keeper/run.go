package keeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/reap"
)

// The pause before the supervisor is started again doubles up to the longest,
// and begins anew after it ran for a while.
const (
	firstPause   = 50 * time.Millisecond
	longestPause = time.Second
	longEnough   = 30 * time.Second
)

// Keeper runs the supervisor as its child for as long as the machine runs.
type Keeper struct {
	// Dir is where the ledger is, usually /run/slipway.
	Dir string
	// Command makes the supervisor's command, anew for each start.
	Command func() *exec.Cmd
	Log     *slog.Logger
	// MaxPause is the longest pause before the supervisor is started again;
	// 0: a second.
	MaxPause time.Duration
}

// Run keeps until ctx ends; then it tells the supervisor to stop with SIGTERM
// and returns when it has. A supervisor that exits with status 0 by itself was
// told to stop by somebody else, and ends the keeping as well.
func (k *Keeper) Run(ctx context.Context) (err error) {
	if err := reap.SetSubreaper(); err != nil {
		return err
	}
	ledger, err := Open(k.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ledger.Close()) }()
	reaper := reap.New()
	defer reaper.Close()
	reaper.OnOrphan(func(e reap.Exit) {
		if err := ledger.Record(e); err != nil {
			k.Log.Error("keeper", "err", err)
		}
	})
	pause := min(firstPause, k.maxPause())
	for {
		begin := time.Now()
		status, err := k.once(ctx, reaper)
		if ctx.Err() != nil || err == nil && status.Success() {
			return err
		}
		if time.Since(begin) > longEnough {
			pause = min(firstPause, k.maxPause())
		}
		k.Log.Error("supervisor ended, starting it again", "status", status.String(), "err", err, "pause", pause)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = min(2*pause, k.maxPause())
	}
}

func (k *Keeper) maxPause() time.Duration {
	if k.MaxPause == 0 {
		return longestPause
	}
	return k.MaxPause
}

func (k *Keeper) once(ctx context.Context, reaper *reap.Reaper) (reap.Status, error) {
	cmd := k.Command()
	p, err := reaper.Start(cmd)
	if p == nil {
		return reap.Status{}, fmt.Errorf("start supervisor: %w", err)
	}
	status, waitErr := p.Wait(ctx)
	if waitErr == nil {
		return status, err
	}
	if err := unix.Kill(p.Pid(), unix.SIGTERM); err != nil {
		return status, fmt.Errorf("stop supervisor: %w", err)
	}
	return p.Wait(context.Background())
}
