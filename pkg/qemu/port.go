package qemu

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"slipway/pkg/port"
)

// readPort passes on what the guest says. Its timeline and its files are for others: the
// judge only learns that they came.
func (vm *VM) readPort(timeline func([]byte)) {
	r := port.NewReader(vm.port)
	for {
		m, err := r.Next()
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
				err = nil // QEMU is gone
			}
			vm.drained <- err
			return
		}
		switch {
		case m.Timeline != nil && timeline != nil:
			timeline(m.Timeline)
		case m.File != nil:
			vm.output.take(m.File)
		case m.Files != nil:
			vm.output.end(m.Files)
		}
		vm.messages <- m
	}
}

// sayTime bounds the saying: a guest that does not read is not waited for.
const sayTime = 10 * time.Millisecond

// speak says to the guest what the judge wants it to hear. Each message is a
// single write of few bytes. What it does not take now is said again, from its beginning, at
// the next turn.
func (vm *VM) speak() {
	for ; len(vm.judge.say) > 0; vm.judge.say = vm.judge.say[1:] {
		m := vm.judge.say[0]
		var b bytes.Buffer
		err := port.Write(&b, m)
		if err == nil {
			err = vm.port.SetWriteDeadline(time.Now().Add(sayTime))
		}
		if err == nil {
			_, err = vm.port.Write(b.Bytes())
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		if err != nil && !errors.Is(err, syscall.EPIPE) {
			vm.judge.warn(fmt.Errorf("speak to the guest's port: %w", socketError(err)))
		}
	}
}
