package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/container"
	"slipway/pkg/keeper"
	"slipway/pkg/log/fdstore"
	"slipway/pkg/log/store"
	"slipway/pkg/machine"
	"slipway/pkg/pin"
	"slipway/pkg/reap"
	"slipway/pkg/service/guest"
	"slipway/pkg/service/supervisor"
)

// runSupervise is the supervisor, in the foreground.
func runSupervise(c *call) error {
	g, err := openGuest(c)
	if err != nil {
		return err
	}
	g.Terminal.Yield()
	ctx, cancel := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer cancel()
	outlive(unix.SIGPIPE, unix.SIGHUP)
	protect()
	keepProgram(g)
	reaper := reap.New()
	if err := keepSelf(c.paths, reaper, g); err != nil {
		return err
	}
	pipes := holder()
	if err := g.Terminal.Keep(c.paths.RunDir(machine.Console), pipes); err != nil {
		g.Say("%s", err) // what waits for a console is lost if this process is killed
	}
	words := openWords(g)
	g.OpenPort()
	if err := container.Forget(c.paths.RunDir()); err != nil {
		g.Say("%s", err)
	}
	s, err := supervisor.New(supervisor.Config{
		Guest: g, Engine: newRunner(g, reaper, c.paths.RunDir()), KeeperDir: c.paths.RunDir(),
		Holder: pipes, Up: words.up, Ready: words.ready, Down: words.down,
		Emergency: func(ctx context.Context) { g.Emergency(ctx, reaper) },
	})
	if err != nil {
		return err
	}
	// What is said while services stop is to be kept as well.
	keeping, over := context.WithCancel(context.Background())
	kept := make(chan error, 1)
	go func() { kept <- g.KeepJournal(keeping) }()
	err = s.Run(ctx)
	over()
	select {
	case keepErr := <-kept:
		err = errors.Join(err, keepErr)
	case <-time.After(lastWords):
		// A disk that hangs is not to hold up the machine's end.
	}
	return errors.Join(err, g.Close())
}

// lastWords is how long the end waits for them to reach the disk.
const lastWords = 5 * time.Second

// outlive goes on through signals that would end this process. They are not ignored,
// because containers would inherit that.
func outlive(signals ...os.Signal) {
	signal.Notify(make(chan os.Signal, 1), signals...) // nobody reads it
}

// protect makes the supervisor one of the last that the kernel kills for want
// of memory. It takes a capability that containers have not.
func protect() {
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("-999"), 0)
}

// keepProgram keeps in memory the program that this is, and that the service
// command is as well: when containers take all they can get it would be read again
// and again. One that somebody tries out may lack the right to; it works without.
func keepProgram(g *guest.Guest) {
	if err := pin.Program(); err != nil {
		g.Journal.Add(time.Now(), err.Error())
	}
}

// keepSelf makes this process its own keeper if it has none, because somebody
// started it by hand: then an exit status is lost if it is killed.
func keepSelf(p guest.Paths, reaper *reap.Reaper, g *guest.Guest) error {
	_, err := keeper.KeepExits(p.RunDir(), reaper, func(err error) { g.Say("%s", err) })
	if errors.Is(err, keeper.ErrKept) {
		return nil
	}
	if err != nil {
		return err
	}
	return reap.SetSubreaper()
}

// holder speaks with the keeper, if that holds pipes for us.
func holder() store.Holder {
	kind, err := unix.GetsockoptInt(machine.PipesFD, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || kind != unix.SOCK_SEQPACKET {
		return nil
	}
	unix.CloseOnExec(machine.PipesFD)
	return fdstore.NewClient(os.NewFile(machine.PipesFD, "hold"))
}

// words are said to the keeper. One that is not listened to has no file.
type words struct {
	guest *guest.Guest
	file  *os.File
}

func openWords(g *guest.Guest) *words {
	var info unix.Stat_t
	if unix.Fstat(machine.WordsFD, &info) != nil || info.Mode&unix.S_IFMT != unix.S_IFIFO {
		return &words{guest: g}
	}
	unix.CloseOnExec(machine.WordsFD)
	return &words{g, os.NewFile(machine.WordsFD, "words")}
}

// up: the services of an earlier supervisor are taken over.
func (w *words) up() { w.say(machine.Up) }

// ready: the first start of all services is over.
func (w *words) ready() { w.say(machine.Ready) }

// down: all services are stopped.
func (w *words) down() { w.say(machine.Down) }

func (w *words) say(word string) {
	if w.file != nil {
		_, err := w.file.WriteString(word + "\n")
		w.check(err)
	}
}

func (w *words) check(err error) {
	if err != nil && !errors.Is(err, unix.EPIPE) {
		w.guest.Say("%s", fmt.Errorf("speak to the keeper: %w", err))
	}
}
