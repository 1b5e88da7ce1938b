package store

import (
	"bytes"
	"errors"
	"log/slog"
	"testing"

	"slipway/pkg/bundle"
	"slipway/pkg/log/read"

	"golang.org/x/sys/unix"
)

// A clean-up that hung may come to its end after the pump has: what is in the pipes is
// taken, and what the pump's numbers of files stand for by then is left alone.
func TestWriterAfterThePump(t *testing.T) {
	var said bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&said, nil))
	pump, err := NewPump(logger)
	if err != nil {
		t.Fatal(err)
	}
	p := testPaths(t)
	b, o := testBundle(bundle.Services, "late"), Options{Paths: p, Log: logger, Pump: pump}
	w := mustOpen(t, b, o)
	epoll := pump.epoll
	if err := pump.Close(); err != nil {
		t.Fatal(err)
	}
	other, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err == nil && other != epoll {
		err = errors.Join(unix.Dup3(other, epoll, unix.O_CLOEXEC), unix.Close(other))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Close(epoll); err != nil {
			t.Error(err)
		}
	})
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: 7}
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, w.streams[0].fifo, &ev); err != nil {
		t.Fatal(err)
	}
	write(t, w.Stdout(), "the end\n")
	fifo := w.streams[0].fifo
	pump.remove(w.streams[0])
	ev.Events = 0
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_MOD, fifo, &ev); err != nil {
		t.Errorf("another's watch is gone: %v", err)
	}
	mustClose(t, w)
	equal(t, "late", texts(t, p, b, read.Query{}), []string{"stdout the end"})
	if said.Len() > 0 {
		t.Errorf("said: %s", &said)
	}
	if _, err := Open(b, o); err == nil {
		t.Error("a run began that nobody would read")
	}
}
