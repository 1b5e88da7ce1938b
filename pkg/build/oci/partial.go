package oci

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"
)

// errDigest is content that is not what its digest says.
var errDigest = errors.New("wrong digest")

// partial is a blob that is not all there yet. Its file is locked as long as it
// is open, so that of two builds one fetches and the other waits.
type partial struct {
	file *os.File
	size int64
}

// openPartial opens the beginning that an earlier download may have left.
func (l *Layout) openPartial(ctx context.Context, h v1.Hash) (*partial, error) {
	name := filepath.Join(l.dir, "partial", h.Hex)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, err
	}
	for {
		file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return nil, err
		}
		if err := lock(ctx, file); err != nil {
			return nil, errors.Join(fmt.Errorf("wait for another build to fetch %s: %w", h, err), file.Close())
		}
		// Whoever had the lock may have moved the file away since we opened it.
		mine, err := file.Stat()
		if err != nil {
			return nil, errors.Join(err, file.Close())
		}
		if there, err := os.Stat(name); err == nil && os.SameFile(mine, there) {
			return &partial{file: file, size: mine.Size()}, nil
		}
		if err := file.Close(); err != nil {
			return nil, err
		}
	}
}

// lock waits for a file of which another process may be the owner.
func lock(ctx context.Context, file *os.File) error {
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, unix.EWOULDBLOCK):
			return fmt.Errorf("lock %s: %w", file.Name(), err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (p *partial) append(data []byte) error {
	n, err := p.file.WriteAt(data, p.size)
	p.size += int64(n)
	return err
}

// begin drops what is there.
func (p *partial) begin() error {
	p.size = 0
	return p.file.Truncate(0)
}

// commit gives the whole blob its name.
func (p *partial) commit(name string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return errors.Join(err, p.Close())
	}
	err := p.file.Sync()
	if err == nil {
		err = os.Rename(p.file.Name(), name)
	}
	return errors.Join(err, p.Close())
}

// drop removes the file.
func (p *partial) drop() error { return errors.Join(os.Remove(p.file.Name()), p.Close()) }

// Close keeps what is there for the next time.
func (p *partial) Close() error { return p.file.Close() }
