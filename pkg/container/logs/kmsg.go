package logs

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// kmsgMax keeps a record below what the kernel takes in one write, with the
// name in front and every byte escaped.
const kmsgMax = 224

// kmsgSink writes lines into the kernel's log. The kernel limits how many it
// takes of one writer unless the command line has printk.devkmsg=on.
type kmsgSink struct {
	fd     int
	prefix string
	split  splitter
	lost   int64
}

func openKmsg(path, name string, s Stream) (*kmsgSink, error) {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	level := "<14>" // facility user, severity info
	if s == Stderr {
		level = "<12>" // severity warning
	}
	return &kmsgSink{fd: fd, prefix: level + name + ": ", split: splitter{max: kmsgMax}}, nil
}

func (k *kmsgSink) String() string { return "kmsg" }

func (k *kmsgSink) write(data []byte) { k.split.write(data, k.line) }

func (k *kmsgSink) line(text []byte, _ bool) {
	msg := Escape([]byte(k.prefix), text)
	if _, err := unix.Write(k.fd, append(msg, '\n')); err != nil {
		k.lost += int64(len(text) + 1)
	}
}

func (k *kmsgSink) pending() bool  { return false }
func (k *kmsgSink) giveUp()        {}
func (k *kmsgSink) dropped() int64 { return k.lost }

func (k *kmsgSink) close() error {
	k.split.end(k.line)
	err := unix.Close(k.fd)
	if err != nil {
		return errors.Join(fmt.Errorf("close kmsg: %w", err))
	}
	return nil
}
