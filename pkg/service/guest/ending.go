package guest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"slipway/pkg/container/mount"
	"slipway/pkg/log/journal"
	"slipway/pkg/log/layout"
	"slipway/pkg/machine"
)

// Ending is what is kept of one boot, and of how it ended.
type Ending struct {
	BootID string    `json:"boot_id"`
	Began  time.Time `json:"began"`
	Ended  time.Time `json:"ended,omitzero"`
	// Reason is why it ended; "" for one that runs, or that ended by surprise.
	Reason string `json:"reason,omitempty"`
	// Suspected is what was about to end it, if no reason came.
	Suspected string `json:"feared,omitempty"`
}

// surprise is the reason of a boot that did not say why it ended.
const surprise = "no orderly shutdown: power cut, panic or reset"

// why is the reason, or what can be said without one.
func (n Ending) why() string {
	switch {
	case n.Reason != "":
		return n.Reason
	case n.Suspected != "":
		return "no orderly shutdown: " + n.Suspected
	}
	return surprise
}

// EndingBook remembers across boots how the machine went down. A boot that begins
// writes a note where /var lasts, and takes it back with a reason when it ends in
// order; a note that is still there tells of a power cut, a panic or a reset.
type EndingBook struct {
	path string
	note Ending
}

// OpenEnding begins a boot's note below varDir and returns the one of the boot before,
// nil if nothing is known of one. On a /var that will not last both are nil. A
// supervisor that is not the first of its boot finds the note begun.
func OpenEnding(varDir string) (*EndingBook, *Ending, error) {
	lasts, err := mount.Lasts(varDir)
	if err != nil || !lasts {
		return nil, nil, err
	}
	id, err := journal.BootID()
	if err != nil {
		return nil, nil, fmt.Errorf("note boot: %w", err)
	}
	return openEnding(filepath.Join(varDir, "lib/slipway/boot.json"), id, time.Now())
}

func openEnding(path, id string, now time.Time) (*EndingBook, *Ending, error) {
	b := &EndingBook{path: path}
	err := readNote(path, &b.note)
	if err == nil && b.note.BootID == id {
		return b, nil, nil
	}
	var last *Ending
	if err == nil {
		before := b.note
		before.Reason = before.why()
		last = &before
	} else if !errors.Is(err, fs.ErrNotExist) {
		last = &Ending{Reason: "not known: " + err.Error()}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, last, fmt.Errorf("note boot: %w", err)
	}
	b.note = Ending{BootID: id, Began: now}
	return b, last, b.write()
}

// maxNote bounds what is read as a note, in bytes. It lies where containers may write.
const maxNote = 64 << 10

func readNote(path string, note *Ending) error {
	f, err := layout.OpenRegular(path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close() // only read from
	data, err := io.ReadAll(io.LimitReader(f, maxNote))
	if err != nil {
		return fmt.Errorf("read note of the last boot: %w", err)
	}
	if err := json.Unmarshal(data, note); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

// write reaches the disk before it returns: a note in the page cache knows
// nothing of a power cut.
func (b *EndingBook) write() error {
	if err := machine.WriteJSON(b.path, b.note); err != nil {
		return err
	}
	f, err := layout.OpenRegular(b.path, os.O_RDONLY, 0)
	if err != nil {
		return fmt.Errorf("note boot: %w", err)
	}
	return errors.Join(f.Sync(), f.Close())
}

// End notes why the boot ends. The first reason counts, as it is the cause of
// what follows. A nil EndingBook notes nothing.
func (b *EndingBook) End(reason string) error {
	if b == nil || b.note.Reason != "" {
		return nil
	}
	b.note.Reason, b.note.Ended = reason, time.Now()
	return b.write()
}

// Suspect notes what may end the boot with no chance to say so, "" when it is no
// longer to be suspected.
func (b *EndingBook) Suspect(cause string) error {
	if b == nil || b.note.Suspected == cause {
		return nil
	}
	b.note.Suspected = cause
	return b.write()
}
