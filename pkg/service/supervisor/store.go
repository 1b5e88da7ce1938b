package supervisor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"slipway/pkg/machine"
	"slipway/pkg/service/guest"
	"slipway/pkg/service/state"
	"slipway/pkg/timeline"
)

// stateFiles keep what is known of the services, a file for each, and the events.
type stateFiles struct {
	dir    string
	events string
	file   *os.File
	size   int64
}

// eventsMax is where the file of events is rotated; one old one is kept.
const eventsMax = 512 << 10

// EventsPath is the file of events: a line of JSON for each transition.
func EventsPath(p guest.Paths) string { return p.RunDir(machine.Events) }

func openStore(p guest.Paths) (*stateFiles, error) {
	s := &stateFiles{dir: p.RunDir("services"), events: EventsPath(p)}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	return s, s.openEvents()
}

func (s *stateFiles) openEvents() error {
	f, err := os.OpenFile(s.events, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open events: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	s.file, s.size = f, info.Size()
	return nil
}

func (s *stateFiles) path(name string) string { return filepath.Join(s.dir, name+".json") }

func (s *stateFiles) save(r state.Record) error {
	r.Stamp(Clocks())
	return machine.WriteJSON(s.path(r.Name), r)
}

// Clocks reads both of the machine's clocks.
func Clocks() state.Clock { return state.Clock{Wall: time.Now(), Boot: timeline.Now()} }

// load reads all records. One that cannot be read is left out: its service is
// then found, by its runtime's state, when it is started.
func (s *stateFiles) load() (map[string]state.Record, error) {
	names, err := filepath.Glob(filepath.Join(s.dir, "*.json"))
	if err != nil {
		return nil, err
	}
	records := map[string]state.Record{}
	var faults []error
	for _, name := range names {
		var r state.Record
		if err := machine.ReadJSON(name, &r); err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				faults = append(faults, err)
			}
			continue
		}
		if !r.State.Known() {
			faults = append(faults, fmt.Errorf("read %s: the state %q is not known", name, r.State))
			continue
		}
		r.Rebase(Clocks())
		records[strings.TrimSuffix(filepath.Base(name), ".json")] = r
	}
	return records, errors.Join(faults...)
}

// catchUp notes the transitions that an earlier supervisor kept with its
// records, and was killed before it could note them as events.
func (s *stateFiles) catchUp(records map[string]state.Record) error {
	noted := map[string]int{}
	for _, file := range []string{s.events + ".0", s.events} {
		if err := lastNoted(file, noted); err != nil {
			return err
		}
	}
	for _, r := range records {
		for _, t := range r.Batch {
			if t.Seq > noted[r.Name] {
				s.note(t)
			}
		}
	}
	return nil
}

// lastNoted finds the number of the last event of each service.
func lastNoted(file string, noted map[string]int) error {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read state: %w", err)
	}
	for line := range bytes.Lines(data) {
		var t state.Transition
		if json.Unmarshal(line, &t) == nil {
			noted[t.Name] = t.Seq
		}
	}
	return nil
}

// note appends a transition to the events. It is best effort: on a full /run
// the services matter more than their history.
func (s *stateFiles) note(t state.Transition) {
	data, err := json.Marshal(t)
	if err != nil {
		return
	}
	data = append(data, '\n')
	if s.size+int64(len(data)) > eventsMax && s.rotate() != nil {
		return
	}
	n, _ := s.file.Write(data)
	s.size += int64(n)
}

func (s *stateFiles) rotate() error {
	if err := os.Rename(s.events, s.events+".0"); err != nil {
		return fmt.Errorf("rotate events: %w", err)
	}
	if err := s.file.Close(); err != nil {
		return err
	}
	return s.openEvents()
}
