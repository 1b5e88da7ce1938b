package logs

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Pump moves bytes from the pipes of many containers with one thread and one
// buffer. Each pipe gives at most one chunk before the next has its turn, so a
// container that writes without end delays the others by less than a
// millisecond for each of its chunks.
type Pump struct {
	mu      sync.Mutex
	epoll   int
	wake    int
	streams map[int32]*stream
	paused  map[*stream]time.Time // sinks that do not take more, and since when
	buf     []byte
	peek    [2]int // a pipe to look into other pipes with
	log     *slog.Logger
	said    map[string]time.Time // when a loss was last reported
	done    chan struct{}
}

// NewPump starts a pump. Its thread sleeps until somebody writes.
func NewPump(log *slog.Logger) (*Pump, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("start log pump: epoll_create: %w", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start log pump: eventfd: %w", err), unix.Close(epoll))
	}
	p := &Pump{
		epoll: epoll, wake: wake, log: log, done: make(chan struct{}),
		streams: map[int32]*stream{}, paused: map[*stream]time.Time{}, said: map[string]time.Time{},
		peek: [2]int{-1, -1},
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(wake)}
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, wake, &ev); err != nil {
		return nil, errors.Join(fmt.Errorf("start log pump: %w", err), unix.Close(wake), unix.Close(epoll))
	}
	go p.loop()
	return p, nil
}

// Close stops the pump. Writers on it have to be closed before.
func (p *Pump) Close() error {
	if _, err := unix.Write(p.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}); err != nil {
		return fmt.Errorf("stop log pump: %w", err)
	}
	<-p.done
	errs := []error{unix.Close(p.wake), unix.Close(p.epoll)}
	if p.peek[0] >= 0 {
		errs = append(errs, unix.Close(p.peek[0]), unix.Close(p.peek[1]))
	}
	return errors.Join(errs...)
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
	defer p.mu.Unlock()
	s := p.streams[fd]
	if s == nil {
		return
	}
	s.take(p)
	if s.stalled() {
		p.pause(s)
	}
}

func (p *Pump) add(s *stream) error {
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(s.fifo)}
	p.streams[int32(s.fifo)] = s
	if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, s.fifo, &ev); err != nil {
		delete(p.streams, int32(s.fifo))
		return fmt.Errorf("watch pipe of %s: %w", s.at.base(s.id), err)
	}
	return nil
}

func (p *Pump) remove(s *stream) {
	delete(p.streams, int32(s.fifo))
	delete(p.paused, s)
	// Closing the pipe would do as well, but a child that is being forked
	// right now may hold it for a moment.
	if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_DEL, s.fifo, nil); err != nil {
		p.log.Warn("leave pipe", "log", s.at.base(s.id), "err", err)
	}
}

// scratch is the one buffer; p.mu guards it.
func (p *Pump) scratch() []byte {
	if p.buf == nil {
		p.buf = make([]byte, chunk)
	}
	return p.buf
}

// look gives a copy of what is in a pipe, without taking it.
func (p *Pump) look(fifo int) []byte {
	if p.peek[0] < 0 {
		if err := unix.Pipe2(p.peek[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
			p.peek = [2]int{-1, -1}
			return nil
		}
	}
	n, err := unix.Tee(fifo, p.peek[1], chunk, unix.SPLICE_F_NONBLOCK)
	if err != nil || n <= 0 {
		return nil
	}
	seen, buf := 0, p.scratch()
	for seen < int(n) {
		got, err := unix.Read(p.peek[0], buf[seen:n])
		if err != nil || got <= 0 {
			break
		}
		seen += got
	}
	return buf[:seen]
}

// report says that output of a container is lost, at most every ten seconds.
func (p *Pump) report(s *stream, what string) {
	name, now := s.at.base(s.id), time.Now()
	if last, ok := p.said[name]; ok && now.Sub(last) < 10*time.Second {
		return
	}
	p.said[name] = now
	p.log.Warn(what, "log", name, "bytes", s.lost, "cause", s.cause)
}
