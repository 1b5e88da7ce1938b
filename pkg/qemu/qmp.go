package qemu

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// maxQMP bounds one message of QEMU; those that are used are below a kilobyte.
const maxQMP = 1 << 20

// Event is what QEMU tells of its own accord (QMP's asynchronous messages).
type Event struct {
	Name string `json:"event"`
	Data struct {
		Guest  bool   `json:"guest"`
		Reason string `json:"reason"`
		Action string `json:"action"`
	} `json:"data"`
}

// monitor speaks QMP, QEMU's control protocol: one JSON value a line.
type monitor struct {
	mu sync.Mutex
	w  io.Writer
	// up is closed at the first answer: QEMU reads commands once its machine is
	// complete.
	up chan struct{}
}

func newMonitor(w io.Writer) *monitor { return &monitor{w: w, up: make(chan struct{})} }

// serve enters command mode and calls handle for each event until the
// other side closes.
func (m *monitor) serve(r io.Reader, handle func(Event)) error {
	if err := m.run("qmp_capabilities", nil); err != nil {
		return err
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxQMP)
	answered := false
	for lines.Scan() {
		var msg struct {
			Event
			Return json.RawMessage        `json:"return"`
			Error  *struct{ Desc string } `json:"error"`
		}
		if err := json.Unmarshal(lines.Bytes(), &msg); err != nil {
			return fmt.Errorf("read QMP message: %w", err)
		}
		if msg.Return != nil && !answered {
			answered = true
			close(m.up)
		}
		if msg.Name != "" {
			handle(msg.Event)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read QMP message: %w", socketError(err))
	}
	return nil
}

// run sends a command; its answer is not waited for, as every command here
// shows its effect by an event.
func (m *monitor) run(command string, arguments any) error {
	msg := map[string]any{"execute": command}
	if arguments != nil {
		msg["arguments"] = arguments
	}
	data, err := json.Marshal(msg)
	if err != nil {
		return fmt.Errorf("QMP %s: %w", command, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.w.Write(append(data, '\n')); err != nil {
		return fmt.Errorf("QMP %s: %w", command, socketError(err))
	}
	return nil
}

// pressPower pushes the power button, which a guest may ignore.
func (m *monitor) pressPower() error { return m.run("system_powerdown", nil) }

// pressReset types Ctrl-Alt-Del, and makes the reboot that follows end the
// run: it reaches every PID 1 with a keyboard driver, with no daemon for the
// power button.
func (m *monitor) pressReset() error {
	var keys []map[string]string
	for _, k := range []string{"ctrl", "alt", "delete"} {
		keys = append(keys, map[string]string{"type": "qcode", "data": k})
	}
	return errors.Join(
		m.run("set-action", map[string]string{"reboot": "shutdown"}),
		m.run("send-key", map[string]any{"keys": keys}),
	)
}
