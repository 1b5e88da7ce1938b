package qemu

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// Console says where the guest's console goes.
type Console struct {
	Output io.Writer // every byte, as it comes
	Plain  bool      // Output gets text without terminal control
	Log    io.Writer // plain text
	// Timeline gets the timeline of the guest's boot, for package timeline to
	// read; nil: the guest is not asked for it.
	Timeline func([]byte)
	// OnPanic is called when a goroutine of ours panics: it can give a
	// terminal back, which no deferred call of the caller would.
	OnPanic func() error
}

// guard is deferred in each goroutine.
func (con Console) guard() {
	if con.OnPanic == nil {
		return
	}
	if r := recover(); r != nil {
		panic(fmt.Sprint(r, errors.Join(con.OnPanic())))
	}
}

// readConsole passes on what the guest writes, as it comes, and feeds the judge
// with its lines. A writer that is slow makes the guest wait: nothing piles up.
func (vm *VM) readConsole(con Console) {
	var p plain
	var batch []string // of one read: to pass each line on its own takes far longer
	split := lines{emit: func(s string) { batch = append(batch, s) }}
	raw, text := make([]byte, 32<<10), []byte(nil)
	var sinkErr error
	for {
		n, err := vm.console.Read(raw)
		if n > 0 {
			vm.shown.Store(time.Now().UnixNano())
			text = p.filter(text[:0], raw[:n])
			if werr := con.write(raw[:n], text); werr != nil && sinkErr == nil {
				sinkErr = fmt.Errorf("write console output: %w", werr)
			}
			split.write(text)
		}
		if err != nil {
			split.flush()
		}
		if len(batch) > 0 {
			vm.lines <- batch
			batch = nil
		}
		if err != nil {
			vm.drained <- sinkErr
			return
		}
	}
}

func (con Console) write(raw, text []byte) error {
	var err error
	if con.Output != nil {
		if con.Plain {
			_, err = con.Output.Write(text)
		} else {
			_, err = con.Output.Write(raw)
		}
	}
	if con.Log != nil {
		if _, lerr := con.Log.Write(text); err == nil {
			err = lerr
		}
	}
	return err
}
