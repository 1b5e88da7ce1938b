package oci

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"slipway/pkg/build/input"
)

// unpacked keeps the layers of a store of one's own as they are unpacked, under
// their digest: to unpack gzip is most of what a build takes, and the second
// build of an image need not. It is a cache: whatever goes wrong with it, the
// layer is unpacked as if there were none, and anybody may delete it.
//
//   - A file gets its name when its digest is right; until then it has none. The
//     digest is checked again at each use: that takes a fraction of unpacking,
//     and after a power cut a file may have its name and not its content.
//   - Of more than maxUnpacked bytes those that were not used for the longest
//     time go. On a disk of which less than a quarter is free nothing is kept.
type unpacked struct{ dir string }

const (
	maxUnpacked       = 4 << 30
	unpackedDirectory = "unpacked"
)

// keepFree is the part of the disk that is left free: a quarter. Tests, which run
// on any disk, leave none.
var keepFree uint64 = 4

func (u unpacked) path(diff v1.Hash) string { return filepath.Join(u.dir, diff.Hex) }

// open returns a layer that is kept and sound, nil if there is none.
func (u unpacked) open(ctx context.Context, diff v1.Hash) *os.File {
	if u.dir == "" || checkHash(diff) != nil {
		return nil
	}
	file, err := input.Open(u.path(diff))
	if err != nil {
		return nil
	}
	if err := verify(contextReader{ctx, file}, diff); err != nil {
		file.Close() // only read from
		if errors.Is(err, errDigest) {
			u.drop(diff)
		}
		return nil
	}
	u.touch(diff)
	return file
}

// touch and drop may fail, as on a store that cannot be written: the file only
// counts as old, or is looked at in vain again.
func (u unpacked) touch(diff v1.Hash) {
	now := time.Now()
	_ = os.Chtimes(u.path(diff), now, now)
}

func (u unpacked) drop(diff v1.Hash) { _ = os.Remove(u.path(diff)) }

// prune removes what was not used for the longest time. Builds that are reading
// it read on.
func (u unpacked) prune(limit int64) {
	entries, err := os.ReadDir(u.dir)
	if err != nil {
		return
	}
	var all []fs.FileInfo
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			all = append(all, info)
		}
	}
	slices.SortFunc(all, func(a, b fs.FileInfo) int {
		return cmp.Or(b.ModTime().Compare(a.ModTime()), cmp.Compare(a.Name(), b.Name()))
	})
	var total int64
	for _, info := range all {
		if total += info.Size(); total > limit {
			u.drop(v1.Hash{Hex: info.Name()})
		}
	}
}
