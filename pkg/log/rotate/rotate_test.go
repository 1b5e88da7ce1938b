package rotate

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestShift: each file says what it was called before.
func TestShift(t *testing.T) {
	for name, c := range map[string]struct {
		before, after string // NAME or NAME=CONTENT
		keep          int
	}{
		"nothing is there":                {"", "", 3},
		"the first":                       {"log", "log.0=log", 3},
		"all move":                        {"log log.0 log.1", "log.0=log log.1=log.0 log.2=log.1", 3},
		"the oldest goes":                 {"log log.0 log.1 log.2", "log.0=log log.1=log.0 log.2=log.1", 3},
		"one that was killed goes on":     {"log log.0 log.2", "log.0=log log.1=log.0 log.2=log.2", 3},
		"killed before the last renaming": {"log log.1 log.2", "log.0=log log.1=log.1 log.2=log.2", 3},
		"fewer are kept than once":        {"log log.0 log.1 log.2 log.3", "log.0=log", 1},
		"none is kept":                    {"log log.0", "", 0},
		"no current one":                  {"log.0 log.1", "log.0=log.0 log.1=log.1", 3},
		"others are left alone":           {"log login log.x", "log.0=log log.x=log.x login=login", 3},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for f := range strings.FieldsSeq(c.before) {
				if err := os.WriteFile(filepath.Join(dir, f), []byte(f), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := Shift(filepath.Join(dir, "log"), c.keep); err != nil {
				t.Fatal(err)
			}
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range entries {
				data, err := os.ReadFile(filepath.Join(dir, e.Name()))
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, e.Name()+"="+string(data))
			}
			if want := strings.Fields(c.after); !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

// TestShiftSaysWhatFails: nothing is lost by it.
func TestShiftSaysWhatFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "log")
	// A directory with something in it cannot be removed, as an older file is.
	if err := os.MkdirAll(Old(path, 1)+"/kept", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("log"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Shift(path, 1); !errors.Is(err, unix.ENOTEMPTY) || !strings.Contains(err.Error(), Old(path, 1)) {
		t.Errorf("got %v, want which file is in the way", err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "log" {
		t.Errorf("%q %v", data, err)
	}
}
