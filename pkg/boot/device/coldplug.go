package device

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// first is loaded before all devices: the power button, for a press without a
// driver is lost, and overlay, without which the OCI runtime copies itself into
// memory for every container, which doubles what a start costs.
var first = []string{"button", "evdev", "overlay"}

// coldplug loads drivers for what is there, and then for what those drivers show,
// until nothing new comes.
func (m *Manager) coldplug(events int) {
	found := make(chan []string, 1)
	go func() { found <- scan("/sys") }()
	m.Warn("load modules", m.load(first))
	m.scanButtons("/sys/class/input", "/dev/input")
	m.Warn("load modules", m.load(append(<-found, m.Wanted...)))
	m.scanButtons("/sys/class/input", "/dev/input")
	for {
		uevents, err := receive(events)
		m.Warn("receive events", err)
		if len(uevents) == 0 {
			break
		}
		m.handle(uevents)
	}
	m.linkDisks("/sys/class/block", "/dev")
	m.forget()
}

// scan lists the modaliases of all devices of busses, and of the two classes
// whose devices have modules but no bus: input devices and the machine itself.
func scan(sys string) []string {
	var aliases []string
	seen := map[string]bool{}
	for _, dir := range append(directories(filepath.Join(sys, "bus"), "devices"),
		filepath.Join(sys, "class/input"), filepath.Join(sys, "class/dmi")) {
		for _, alias := range modaliases(dir) {
			if !seen[alias] {
				seen[alias] = true
				aliases = append(aliases, alias)
			}
		}
	}
	return aliases
}

// modaliases reads the modalias of each device in dir. There are hundreds, most
// without one, so it is done with few system calls each.
func modaliases(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	at, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer closePath(at)
	var list []string
	buffer := make([]byte, 4096)
	for _, e := range entries {
		fd, err := unix.Openat(at, e.Name()+"/modalias", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			continue
		}
		n, err := unix.Read(fd, buffer)
		closePath(fd)
		if alias := strings.TrimSpace(string(buffer[:max(n, 0)])); err == nil && alias != "" {
			list = append(list, alias)
		}
	}
	return list
}

// closePath closes what was only read: there is nothing to lose.
func closePath(fd int) {
	if err := unix.Close(fd); err != nil {
		fmt.Fprintf(os.Stderr, "close in /sys: %v\n", err)
	}
}

// directories lists dir/*/name.
func directories(dir, name string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var list []string
	for _, e := range entries {
		list = append(list, filepath.Join(dir, e.Name(), name))
	}
	return list
}
