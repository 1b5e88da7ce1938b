// Package device finds devices and has the kernel load their drivers: those that
// are there at boot (coldplug) and those that come later (hotplug). Nodes in /dev
// are the kernel's work (devtmpfs); links below /dev/disk are made here, and the
// power button is listened to.
package device

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"sync"
	"time"

	"slipway/pkg/boot/module"
)

// Manager does all that in one goroutine, so that nothing needs a lock but the
// modules.
//   - Start subscribes to the kernel's events, then scans what is there: so
//     nothing falls between the two;
//   - a driver that is loaded may show new devices: their events are handled
//     until none is left, then the machine is settled;
//   - from then on it sleeps until something is plugged in.
type Manager struct {
	Cmdline string
	Wanted  []string // modules or aliases to load beside those of devices
	Warn    func(what string, err error)
	Button  func() // called when the power button is pressed for the first time

	mu      sync.Mutex
	loader  *module.Loader
	missing bool // the image has no modules for this kernel
	seen    map[string]bool
	buttons sync.Map // files by their path
	press   sync.Once
	caught  func(cause any)
	settled chan struct{}
	disks   sync.Map // node: onDisk, as they were last read
	reading sync.Map // nodes that are being read
	// timeout is a test's, with a disk's first bytes; 0: headTimeout.
	timeout time.Duration
}

// Start begins the work. caught hears of a panic in one of its goroutines, and of
// nil when one ends without.
func (m *Manager) Start(caught func(cause any)) error {
	m.seen, m.caught = map[string]bool{}, caught
	m.settled = make(chan struct{})
	events, err := subscribe()
	if err != nil {
		close(m.settled)
		return err
	}
	go func() {
		defer func() { caught(recover()) }()
		m.coldplug(events)
		close(m.settled)
		// Who waits for that runs in this thread: when it sleeps Go finds out at a tick of the clock.
		runtime.Gosched()
		m.hotplug(events)
	}()
	return nil
}

// Settled is closed when every device that was there at boot has its driver.
func (m *Manager) Settled() <-chan struct{} { return m.settled }

// load loads the modules of names that were not asked for before.
func (m *Manager) load(names []string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var fresh []string
	for _, name := range names {
		if name != "" && !m.seen[name] {
			m.seen[name] = true
			fresh = append(fresh, name)
		}
	}
	if len(fresh) == 0 || m.missing {
		return nil
	}
	if err := m.openIndex(); err != nil || m.missing {
		return err
	}
	return m.loader.Load(fresh, true)
}

// openIndex reads the lists of modules if they are not in memory.
func (m *Manager) openIndex() error {
	if m.loader != nil || m.missing {
		return nil
	}
	x, err := module.Open("/", m.Cmdline)
	if errors.Is(err, fs.ErrNotExist) {
		// A kernel with everything built in.
		m.missing = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("find modules: %w", err)
	}
	m.loader = module.NewLoader(x)
	m.loader.Unsigned = module.Unsigned(m.Cmdline)
	return nil
}

// forget drops the lists of modules, a few hundred kilobytes that are of no use
// until something is plugged in. What was asked for may be asked for again then:
// a device that comes back finds its module loaded.
func (m *Manager) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.loader = nil
	m.seen = map[string]bool{}
}
