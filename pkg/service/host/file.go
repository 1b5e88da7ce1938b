package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"slipway/pkg/bundle"
)

// WriteJSON puts v into a file, which has its old content or the new one, and
// never half of it. There is no fsync: these files lie in memory.
func WriteJSON(name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return WriteFile(name, append(data, '\n'))
}

// WriteFile is WriteJSON for bytes.
func WriteFile(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", name, err), os.Remove(f.Name()))
	}
	return nil
}

// WriteLimit tells PID 1 how long the containers of a section may take, together
// and by their policies, to come to their end.
func WriteLimit(p Paths, s bundle.Section, d time.Duration) error {
	seconds := strconv.FormatInt(int64(d.Round(time.Second)/time.Second), 10)
	return WriteFile(p.Own("limit-"+string(s)), []byte(seconds+"\n"))
}

// ReadLimit reads what WriteLimit wrote; 0 without it.
func ReadLimit(p Paths, s bundle.Section) time.Duration {
	data, err := os.ReadFile(p.Own("limit-" + string(s)))
	if err != nil {
		return 0
	}
	seconds, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// ReadJSON reads what WriteJSON wrote.
func ReadJSON(name string, v any) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}
