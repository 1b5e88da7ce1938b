package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"

	"golang.org/x/sys/unix"

	"slipway/pkg/container/logs"
	"slipway/pkg/container/logs/hold"
	"slipway/pkg/keeper"
	"slipway/pkg/reap"
	"slipway/pkg/service/emergency"
	"slipway/pkg/service/host"
	"slipway/pkg/service/run"
	"slipway/pkg/service/supervisor"
)

// readyFD is the pipe on which whoever started the supervisor hears that the
// first start of all services is over.
const readyFD = 3

// runSupervise is the supervisor, in the foreground.
func runSupervise(c *call) error {
	h, err := openHost(c)
	if err != nil {
		return err
	}
	debug.SetGCPercent(50) // a small heap is worth more here than a fast one
	ctx, cancel := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer cancel()
	signal.Ignore(unix.SIGPIPE, unix.SIGHUP)
	protect()
	reaper := reap.New()
	if err := keepSelf(c.paths, reaper, h); err != nil {
		return err
	}
	s, err := supervisor.New(supervisor.Config{
		Host: h, Engine: run.New(h, reaper, c.paths.Own()), KeeperDir: c.paths.Own(),
		Holder: holder(), Ready: sayReady(h),
		Emergency: func(ctx context.Context) { emergency.Stay(ctx, h, reaper) },
	})
	if err != nil {
		return err
	}
	return errors.Join(s.Run(ctx), h.Close())
}

// protect makes the supervisor one of the last that the kernel kills for want
// of memory. It takes a capability that containers have not.
func protect() {
	if err := os.WriteFile("/proc/self/oom_score_adj", []byte("-999"), 0); err != nil {
		return
	}
}

// keepSelf makes this process its own keeper if it has none, because somebody
// started it by hand: then an exit status is lost if it is killed.
func keepSelf(p host.Paths, reaper *reap.Reaper, h *host.Host) error {
	ledger, err := keeper.Open(p.Own())
	if errors.Is(err, keeper.ErrKept) {
		return nil
	}
	if err != nil {
		return err
	}
	reaper.OnOrphan(func(e reap.Exit) {
		if err := ledger.Record(e); err != nil {
			h.Say("%s", err)
		}
	})
	return reap.SetSubreaper()
}

// holdFD is the socket of the keeper's hold.Store.
const holdFD = 4

// holder speaks with the keeper, if that holds pipes for us.
func holder() logs.Holder {
	kind, err := unix.GetsockoptInt(holdFD, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || kind != unix.SOCK_SEQPACKET {
		return nil
	}
	unix.CloseOnExec(holdFD)
	return hold.NewClient(os.NewFile(holdFD, "hold"))
}

// sayReady says so once, if there is somebody to hear it.
func sayReady(h *host.Host) func() {
	var info unix.Stat_t
	if unix.Fstat(readyFD, &info) != nil || info.Mode&unix.S_IFMT != unix.S_IFIFO {
		return nil
	}
	unix.CloseOnExec(readyFD)
	f := os.NewFile(readyFD, "ready")
	return func() {
		_, err := f.WriteString("ready\n")
		// A supervisor that is not the first has nobody who listens any more.
		debug.FreeOSMemory() // the start took more than what follows
		if err := errors.Join(err, f.Close()); err != nil && !errors.Is(err, unix.EPIPE) {
			h.Say("%s", fmt.Errorf("say that services are up: %w", err))
		}
	}
}
