package disk

import (
	"context"
	"errors"
	"os"

	"github.com/diskfs/go-diskfs/backend"
)

// gather is how much of neighbouring writes is written at once.
const gather = 1 << 20

// medium is the file that a disk or disc is made in. go-diskfs writes to it in
// blocks of 512 or 2048 bytes, so neighbouring writes are gathered. And the
// library knows nothing of contexts: a medium refuses to be written to when its
// context has ended.
type medium struct {
	*os.File
	ctx context.Context

	waiting []byte
	at      int64 // where waiting belongs
}

var _ backend.Storage = (*medium)(nil)

// create makes the file name and lets fill write it.
func create(ctx context.Context, name string, fill func(*medium) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	m := &medium{File: f, ctx: ctx, waiting: make([]byte, 0, gather)}
	if err = fill(m); err == nil {
		err = m.flush()
	}
	err = errors.Join(err, f.Close())
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (m *medium) WriteAt(p []byte, off int64) (int, error) {
	if m.ctx.Err() != nil {
		return 0, context.Cause(m.ctx)
	}
	if off != m.at+int64(len(m.waiting)) || len(m.waiting)+len(p) > cap(m.waiting) {
		if err := m.flush(); err != nil {
			return 0, err
		}
		m.at = off
	}
	if len(p) > cap(m.waiting) {
		return m.File.WriteAt(p, off)
	}
	m.waiting = append(m.waiting, p...)
	return len(p), nil
}

func (m *medium) flush() error {
	_, err := m.File.WriteAt(m.waiting, m.at)
	m.at += int64(len(m.waiting))
	m.waiting = m.waiting[:0]
	return err
}

func (m *medium) ReadAt(p []byte, off int64) (int, error) {
	if err := m.flush(); err != nil {
		return 0, err
	}
	return m.File.ReadAt(p, off)
}

// Write appends at the file's own position; it is for streams, not together
// with WriteAt.
func (m *medium) Write(p []byte) (int, error) {
	if m.ctx.Err() != nil {
		return 0, context.Cause(m.ctx)
	}
	return m.File.Write(p)
}

// Sync does nothing. The library would wait for the disk after each part of a
// partition table, to survive a power cut; ours is a new file of no name yet.
func (m *medium) Sync() error { return nil }

func (m *medium) Sys() (*os.File, error)                  { return m.File, nil }
func (m *medium) Writable() (backend.WritableFile, error) { return m, nil }
func (m *medium) Path() string                            { return m.Name() }
