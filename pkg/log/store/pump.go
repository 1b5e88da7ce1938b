package store

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/log/yield"
)

const (
	// maxWait is how long somebody who takes nothing holds up a container, and
	// only that one, before its output is dropped for him.
	maxWait = time.Second
	// retry is how often one who took nothing is tried again.
	retry = 20 * time.Millisecond
)

// Pump moves bytes from the pipes of many containers into memory, with one
// thread. Each pipe gives at most one chunk before the next has its turn, so a
// container that writes without end delays the others by less than a
// millisecond for each of its chunks. Disks have lanes of their own.
type Pump struct {
	epoll int
	wake  int
	log   *slog.Logger
	done  chan struct{}

	mu      sync.Mutex // never held while anything is done to a stream
	closed  bool       // epoll is no longer ours
	streams map[int32]*stream
	paused  map[*stream]time.Time // whoever takes it does not, and since when
	said    map[string]time.Time  // when a loss was last reported
	logs    map[string]*log
	lanes   map[string]*lane
}

// NewPump starts a pump. Its thread sleeps until somebody writes.
func NewPump(logger *slog.Logger) (*Pump, error) {
	logger = cmp.Or(logger, slog.New(slog.DiscardHandler))
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("start log pump: epoll_create: %w", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start log pump: eventfd: %w", err), unix.Close(epoll))
	}
	p := &Pump{
		epoll: epoll, wake: wake, log: logger, done: make(chan struct{}),
		streams: map[int32]*stream{}, paused: map[*stream]time.Time{}, said: map[string]time.Time{},
		logs: map[string]*log{}, lanes: map[string]*lane{},
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(wake)}
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, wake, &ev); err != nil {
		return nil, errors.Join(fmt.Errorf("start log pump: %w", err), unix.Close(wake), unix.Close(epoll))
	}
	go yield.Do(yield.Output, p.loop)
	return p, nil
}

// Close stops the pump. What a disk has not taken by now stays in memory. A Writer
// that is closed later, such as that of a clean-up which hangs, still takes what is in its
// pipes.
func (p *Pump) Close() error {
	if _, err := unix.Write(p.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}); err != nil {
		return fmt.Errorf("stop log pump: %w", err)
	}
	<-p.done
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	return errors.Join(unix.Close(p.wake), unix.Close(p.epoll))
}

func (p *Pump) loop() {
	defer close(p.done)
	events := make([]unix.EpollEvent, 32)
	for {
		n, err := unix.EpollWait(p.epoll, events, p.timeout())
		if err != nil && !errors.Is(err, unix.EINTR) {
			p.log.Error("log pump stopped", "err", err)
			return
		}
		for _, ev := range events[:max(n, 0)] {
			if ev.Fd == int32(p.wake) {
				return
			}
			p.serve(ev.Fd)
		}
		p.resume()
	}
}

// serve takes one chunk from a pipe that has something.
func (p *Pump) serve(fd int32) {
	p.mu.Lock()
	s := p.streams[fd]
	p.mu.Unlock()
	if s == nil {
		return
	}
	s.spool.Lock()
	defer s.spool.Unlock()
	if s.fifo != int(fd) {
		return // It was closed meanwhile.
	}
	if !s.stalled() {
		s.take(p)
	}
	if s.stalled() {
		p.pause(s)
	}
}

func (p *Pump) add(s *stream) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return fmt.Errorf("watch pipe of %s: %w", s.name(), os.ErrClosed)
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(s.fifo)}
	if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, s.fifo, &ev); err != nil {
		return fmt.Errorf("watch pipe of %s: %w", s.name(), err)
	}
	p.streams[int32(s.fifo)] = s
	return nil
}

func (p *Pump) remove(s *stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.streams[int32(s.fifo)] != s {
		return
	}
	delete(p.streams, int32(s.fifo))
	delete(p.paused, s)
	if p.closed {
		return // it may be the number of another file by now
	}
	// Closing the pipe would do as well, but a child that is being forked
	// right now may hold it for a moment.
	if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_DEL, s.fifo, nil); err != nil {
		p.log.Warn("leave pipe", "log", s.name(), "err", err)
	}
}

// pause leaves what a container writes in its pipe for a while.
func (p *Pump) pause(s *stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, paused := p.paused[s]; paused || p.streams[int32(s.fifo)] != s {
		return
	}
	p.paused[s] = time.Now()
	p.listen(s, 0)
}

func (p *Pump) listen(s *stream, events uint32) {
	ev := unix.EpollEvent{Events: events, Fd: int32(s.fifo)}
	if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_MOD, s.fifo, &ev); err != nil {
		p.log.Warn("watch pipe", "log", s.name(), "err", err)
	}
}

// resume goes on with the pipes whose output is taken again, or was taken by
// nobody for so long that dropping is better than waiting.
func (p *Pump) resume() {
	p.mu.Lock()
	paused := maps.Clone(p.paused)
	p.mu.Unlock()
	for s, since := range paused {
		if !s.tryAgain(since) {
			continue
		}
		p.mu.Lock()
		if _, still := p.paused[s]; still {
			delete(p.paused, s)
			p.listen(s, unix.EPOLLIN)
		}
		p.mu.Unlock()
	}
}

// timeout is for epoll_wait: forever unless a pipe is paused.
func (p *Pump) timeout() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.paused) > 0 {
		return int(retry / time.Millisecond)
	}
	return -1
}

// report says that output of a container is lost, at most every ten seconds.
func (p *Pump) report(s *stream, what string) {
	p.mu.Lock()
	now := time.Now()
	last, ok := p.said[s.name()]
	quiet := ok && now.Sub(last) < 10*time.Second
	if !quiet {
		p.said[s.name()] = now
	}
	p.mu.Unlock()
	if !quiet {
		n, cause := s.spool.Losses()
		p.log.Warn(what, "log", s.name(), "bytes", n, "cause", cause)
	}
}
