package output

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Target is where the files of a build go: DIR/NAME plus a suffix.
type Target struct {
	Dir, Name string
	// File, if set, is the one file to write whatever the format's suffix; "-"
	// is Stdout.
	File   string
	Stdout io.Writer

	pending []pending
	stale   []string
}

type pending struct{ temp, name string }

// Create opens a file of the image for writing, under a temporary name.
func (t *Target) Create(suffix string) (*os.File, error) {
	dir := t.folder()
	name := filepath.Join(dir, t.Name+suffix)
	if t.File != "" && t.File != "-" {
		name = t.File
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	temp := "." + filepath.Base(name) + ".tmp-"
	sweep(dir, temp)
	file, err := os.CreateTemp(dir, temp)
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", name, err)
	}
	t.pending = append(t.pending, pending{file.Name(), name})
	return file, nil
}

// oldTemp is longer than any build takes.
const oldTemp = 24 * time.Hour

// sweep removes what a build that was killed left behind; what cannot be removed
// does no harm.
func sweep(dir, prefix string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && strings.HasPrefix(e.Name(), prefix) && info.Mode().IsRegular() && time.Since(info.ModTime()) > oldTemp {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}

// folder is where the files lie, and temporary ones until they are complete.
func (t *Target) folder() string {
	switch t.File {
	case "":
		return t.Dir
	case "-":
		return os.TempDir()
	}
	return filepath.Dir(t.File)
}

// WriteFile writes a whole file of the image.
func (t *Target) WriteFile(suffix string, write func(*os.File) error) error {
	file, err := t.Create(suffix)
	if err != nil {
		return err
	}
	err = write(file)
	return errors.Join(err, file.Close())
}

// Without says that the image has no file of that suffix: one of an earlier build
// would be taken for a part of it, and goes when the image is complete.
func (t *Target) Without(suffix string) {
	t.stale = append(t.stale, filepath.Join(t.folder(), t.Name+suffix))
}

// Commit gives every file its name and lists the names.
func (t *Target) Commit() ([]string, error) {
	var names []string
	for _, p := range t.pending {
		if t.File == "-" {
			if err := t.copyOut(p.temp); err != nil {
				return nil, err
			}
			continue
		}
		if err := os.Chmod(p.temp, 0o644); err != nil {
			return nil, err
		}
		if err := os.Rename(p.temp, p.name); err != nil {
			return nil, err
		}
		names = append(names, p.name)
	}
	for _, name := range t.stale {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	if t.File != "-" {
		t.pending = nil
	}
	return names, nil
}

func (t *Target) copyOut(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(t.Stdout, file)
	return errors.Join(err, file.Close())
}

// Discard removes what was not committed.
func (t *Target) Discard() error {
	var errs []error
	for _, p := range t.pending {
		if err := os.Remove(p.temp); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	t.pending = nil
	return errors.Join(errs...)
}
