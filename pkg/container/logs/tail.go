package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"slipway/pkg/bundle"
)

// Tail gives the last n lines of this run, oldest first, from the files and,
// as far as they could not be stored, from memory. It costs nothing before it
// is asked for.
func (w *Writer) Tail(n int) ([]Line, error) {
	if w.plan.direct || n < 1 {
		return nil, nil
	}
	var all []Line
	for l, err := range read(context.Background(), w.plan.at, Query{Runs: CurrentRun, Tail: n}) {
		if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	w.pump.mu.Lock()
	defer w.pump.mu.Unlock()
	for _, s := range w.streams {
		if s.spare != nil {
			all = append(all, s.spare.lines(s.id)...)
		}
	}
	return all[max(len(all)-n, 0):], nil
}

// Dump writes the output of this run as the bytes that they were: all of the
// standard output, then all of the standard error, as LinuxKit does after each
// onboot container. Call it after Close.
func (w *Writer) Dump(to io.Writer) error {
	if w.plan.direct {
		return nil
	}
	src := newSource(w.plan.at)
	defer src.close()
	for _, s := range w.streams {
		src.segs[s.id] = w.ix.segs[s.id]
		var got int64
		err := src.read(s.id, w.start[s.id], w.ix.end[s.id], func(data []byte) error {
			got += int64(len(data))
			_, err := to.Write(data)
			return err
		})
		if err != nil {
			return fmt.Errorf("show output of %s: %w", w.plan.at.name, err)
		}
		if gone := w.ix.end[s.id] - w.start[s.id] - got + s.lost; gone > 0 {
			if _, err := fmt.Fprintf(to, "slipway: %s: %d bytes of %s are not shown\n", w.plan.at.name, gone, s.id); err != nil {
				return fmt.Errorf("show output of %s: %w", w.plan.at.name, err)
			}
		}
	}
	return nil
}

// Link makes /var/log/onboot, or shutdown, point to where the logs of the
// section are. It is made when all of them have run, because one of them may
// have mounted the /var that stays. A folder of that
// name that holds anything stays, and is an error.
func Link(s bundle.Section, p Paths) error {
	p = p.orDefault()
	target := p.section(s, "").dir
	if target == p.Log {
		return nil
	}
	link := filepath.Join(p.Log, filepath.Base(target))
	if old, err := os.Readlink(link); err == nil && old == target {
		return nil
	}
	if err := os.MkdirAll(p.Log, 0o755); err != nil {
		return fmt.Errorf("link logs: %w", err)
	}
	if info, err := os.Lstat(link); err == nil && info.IsDir() {
		// Only an empty one goes: its logs are somebody's.
		if err := os.Remove(link); err != nil {
			return fmt.Errorf("link logs: %w", err)
		}
	}
	temp := link + ".new"
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("link logs: %w", err)
	}
	if err := os.Symlink(target, temp); err != nil {
		return fmt.Errorf("link logs: %w", err)
	}
	if err := os.Rename(temp, link); err != nil {
		return errors.Join(fmt.Errorf("link logs: %w", err), os.Remove(temp))
	}
	return nil
}
