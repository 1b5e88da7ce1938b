package device

import (
	"os"
	"path/filepath"
	"strings"
)

// first is loaded before all devices: without overlay the OCI runtime copies
// itself into memory for every container, which doubles what a start costs.
const first = "overlay"

// coldplug loads drivers for what is there, and then for what those drivers show,
// until nothing new comes.
func (m *Manager) coldplug(events int) {
	m.Warn("load modules", m.load([]string{first}))
	m.Warn("load modules", m.load(scan("/sys")))
	m.scanButtons("/sys/class/input", "/dev/input")
	for {
		uevents, err := receive(events)
		m.Warn("receive events", err)
		if len(uevents) == 0 {
			break
		}
		m.handle(uevents)
	}
	m.linkDisks("/sys/class/block")
	m.forget()
}

// scan lists the modaliases of all devices of busses, and of the two classes
// whose devices have modules but no bus: input devices and the machine itself.
func scan(sys string) []string {
	var aliases []string
	seen := map[string]bool{}
	for _, dir := range append(folders(filepath.Join(sys, "bus"), "devices"),
		filepath.Join(sys, "class/input"), filepath.Join(sys, "class/dmi")) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			data, err := os.ReadFile(filepath.Join(dir, e.Name(), "modalias"))
			if alias := strings.TrimSpace(string(data)); err == nil && alias != "" && !seen[alias] {
				seen[alias] = true
				aliases = append(aliases, alias)
			}
		}
	}
	return aliases
}

// folders lists dir/*/name.
func folders(dir, name string) []string {
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
