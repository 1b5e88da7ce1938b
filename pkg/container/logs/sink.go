package logs

import (
	"time"

	"golang.org/x/sys/unix"
)

const (
	// patience is how long a sink that takes nothing holds up its container,
	// and only that one, before lines are dropped for it.
	patience = time.Second
	// retry is how often a sink that took nothing is tried again.
	retry = 20 * time.Millisecond
)

// sink is a further place output goes to: memlogd, the consoles, the kernel's
// log. It is best effort: what it does not take in time is dropped and counted,
// and after a kill of this process the last chunk may reach it twice.
type sink interface {
	// write takes data and never blocks.
	write(data []byte)
	// pending is true if it has not yet taken what was written and is not given
	// up, so that it is worth waiting before the next write.
	pending() bool
	// giveUp ends the waiting, until the sink takes something again.
	giveUp()
	// close ends an unfinished line.
	close() error
	// dropped is the number of bytes that were not taken.
	dropped() int64
}

// feedStored reads back the last n bytes of the file for the sinks.
func (s *stream) feedStored(p *Pump, n int) {
	buf := p.scratch()[:n]
	got, err := unix.Pread(int(s.file.Fd()), buf, s.size-int64(n))
	if err != nil {
		p.log.Warn("read back output", "log", s.at.base(s.id), "err", err)
		return
	}
	s.feed(buf[:got])
}

// feed gives data to the sinks; nil only makes them try again.
func (s *stream) feed(data []byte) {
	for _, k := range s.sinks {
		k.write(data)
	}
}

func (s *stream) stalled() bool {
	for _, k := range s.sinks {
		if k.pending() {
			return true
		}
	}
	return false
}

// pause leaves what a container writes in its pipe for a while.
func (p *Pump) pause(s *stream) {
	if _, paused := p.paused[s]; paused {
		return
	}
	p.paused[s] = time.Now()
	p.listen(s, 0)
}

func (p *Pump) listen(s *stream, events uint32) {
	ev := unix.EpollEvent{Events: events, Fd: int32(s.fifo)}
	if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_MOD, s.fifo, &ev); err != nil {
		p.log.Warn("watch pipe", "log", s.at.base(s.id), "err", err)
	}
}

// resume goes on with the pipes whose sinks take data again, or took none for
// so long that dropping is better than waiting.
func (p *Pump) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s, since := range p.paused {
		s.feed(nil)
		if s.stalled() && time.Since(since) < patience {
			continue
		}
		for _, k := range s.sinks {
			k.giveUp()
		}
		delete(p.paused, s)
		p.listen(s, unix.EPOLLIN)
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
