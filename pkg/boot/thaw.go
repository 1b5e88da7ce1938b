package boot

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/container/mount"
)

// fithaw is FITHAW of linux/fs.h, _IOWR('X', 120, int).
const fithaw = 0xc0045878

// thawDelay is how long, on the way down, a filesystem may stay frozen: whoever
// has frozen it for a snapshot thaws it within seconds, or has been forgotten.
const thawDelay = 5 * time.Second

// thawLater thaws what is frozen while services stop: they can neither write nor
// end until then.
func (m *Machine) thawLater() {
	if m.Contained {
		return
	}
	time.AfterFunc(thawDelay, func() {
		defer m.guard("thaw")
		m.thaw(context.Background())
	})
}

// thaw thaws every filesystem. One that hangs is asked once, and never again.
func (m *Machine) thaw(ctx context.Context) {
	table, err := mount.Table()
	m.warn("read mount table", err)
	l := m.newLeaver()
	for _, e := range oneOfEach(leave(table)) {
		if _, asked := m.thawing.LoadOrStore(e.Dev, e); asked {
			continue
		}
		j := newJob(e)
		l.add(j, func() error {
			frozen := false
			err := l.call(j, "thaw", func() (err error) { frozen, err = thawOne(e.Target); return err })
			m.thawing.Delete(e.Dev)
			if frozen {
				m.Console.Printf("%s was frozen, thawed", j.what)
			}
			return err
		})
	}
	done := make(chan struct{})
	go func() { l.wait.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// thawOne tells whether the filesystem was frozen.
func thawOne(dir string) (bool, error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, nil // nothing that is frozen refuses this
	}
	err = unix.IoctlSetInt(fd, fithaw, 0)
	return err == nil, errors.Join(unix.Close(fd))
}
