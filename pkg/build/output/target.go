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

type pending struct {
	temp, name string
	stream     bool // written to when all is complete, not replaced
}

// Create opens a file of the image for writing, under a temporary name.
func (t *Target) Create(suffix string) (*os.File, error) {
	p, err := t.place(suffix)
	if err != nil {
		return nil, err
	}
	dir := p.directory()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	temp := "." + filepath.Base(p.name) + ".tmp-"
	sweep(dir, temp)
	file, err := os.CreateTemp(dir, temp)
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", p.name, err)
	}
	p.temp = file.Name()
	t.pending = append(t.pending, p)
	return file, nil
}

// place is what becomes of a file of the image. What -o names and is no file, as a
// pipe, /dev/stdout or /dev/null, must not be replaced by one: the image is written
// to it. If it is a symbolic link the file is replaced that it leads to.
func (t *Target) place(suffix string) (pending, error) {
	name := filepath.Join(t.Dir, t.Name+suffix)
	switch t.File {
	case "":
	case "-":
		return pending{name: name, stream: true}, nil
	default:
		name = t.File
	}
	info, err := os.Stat(name)
	switch {
	case err != nil && t.File != "":
		name, err = end(name)
		return pending{name: name}, err
	case err != nil: // making the temporary file tells
		return pending{name: name}, nil
	case info.IsDir():
		return pending{}, fmt.Errorf("write %s: it is a directory", name)
	case t.File == "":
		return pending{name: name}, nil
	case !info.Mode().IsRegular():
		return pending{name: name, stream: true}, nil
	}
	name, err = filepath.EvalSymlinks(name)
	return pending{name: name}, err
}

// end is where a file comes to lie that is not there: at the end of the links, if its
// name is one.
func end(name string) (string, error) {
	for range maxLinks {
		to, err := os.Readlink(name)
		if err != nil {
			return name, nil //nolint:nilerror // no link: here it is
		}
		dir, file := filepath.Split(to)
		if !filepath.IsAbs(dir) {
			dir = filepath.Dir(name) + "/" + dir
		}
		if dir, err = filepath.EvalSymlinks(dir); err != nil {
			return "", fmt.Errorf("write %s, a link to %s: %w", name, to, err)
		}
		name = filepath.Join(dir, file)
	}
	return "", fmt.Errorf("write %s: too many links", name)
}

// maxLinks is Linux's MAXSYMLINKS.
const maxLinks = 40

// directory is where the files lie, and temporary ones until they are complete.
func (t *Target) directory() (string, error) {
	if t.File == "" {
		return filepath.Dir(filepath.Join(t.Dir, t.Name)), nil
	}
	p, err := t.place("")
	return p.directory(), err
}

func (p pending) directory() string {
	if p.stream {
		return os.TempDir()
	}
	return filepath.Dir(p.name)
}

// oldTemp is longer than any build takes.
const oldTemp = 24 * time.Hour

// sweep removes what a build that was killed left behind.
func sweep(dir, prefix string) {
	entries, _ := os.ReadDir(dir) // who cannot read it can write there all the same
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && strings.HasPrefix(e.Name(), prefix) && info.Mode().IsRegular() && time.Since(info.ModTime()) > oldTemp {
			_ = os.Remove(filepath.Join(dir, e.Name())) // the next build tries again
		}
	}
}

// WriteFile writes a whole file of the image. The error says which.
func (t *Target) WriteFile(suffix string, write func(*os.File) error) error {
	file, err := t.Create(suffix)
	if err != nil {
		return err
	}
	name := t.pending[len(t.pending)-1].name
	if err := errors.Join(write(file), file.Close()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// Without says that the image has no file of that suffix: one of an earlier build
// would be taken for a part of it, and goes when the image is complete.
func (t *Target) Without(suffix string) {
	t.stale = append(t.stale, filepath.Join(t.Dir, t.Name+suffix))
}

// Commit gives every file its name and lists the names.
func (t *Target) Commit() ([]string, error) {
	var names []string
	for _, p := range t.pending {
		if p.stream {
			if err := t.copyOut(p); err != nil {
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
	t.pending = nil
	return names, nil
}

// copyOut writes a complete file to what is no file.
func (t *Target) copyOut(p pending) (err error) {
	file, err := os.Open(p.temp)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(p.temp)) }()
	if t.File == "-" {
		_, err = io.Copy(t.Stdout, file)
		return err
	}
	to, err := os.OpenFile(p.name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, file)
	return errors.Join(err, to.Close())
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
