package output

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"slipway/pkg/build/tree"
)

// squashfsArgs make mksquashfs read a tar and write the same bytes every time,
// with no table for NFS that nobody exports. Blocks of 128 KiB are what a page
// fault costs; larger ones read more for a small file. The tables of inodes and directories are
// small, and a boot reads much of them: they are not compressed.
func squashfsArgs(file string, at int64, compression string) []string {
	args := []string{
		"-", file, "-offset", strconv.FormatInt(at, 10), "-tar", "-noappend", "-mem", "512M", "-no-progress", "-quiet", "-exit-on-error",
		"-no-exports", "-root-mode", "0755", "-root-uid", "0", "-root-gid", "0",
		"-b", "131072", "-noI",
	}
	switch compression {
	case "none":
		return append(args, "-noD", "-noF", "-noX")
	case "lz4hc":
		return append(args, "-comp", "lz4", "-Xhc")
	case "zstd":
		return append(args, "-comp", "zstd", "-Xcompression-level", "9")
	case "gzip":
		// The library's own 9 takes five times as long, for one per cent.
		return append(args, "-comp", "gzip", "-Xcompression-level", "5")
	}
	return append(args, "-comp", compression)
}

// writeSquashfs pipes the entries through mksquashfs (squashfs-tools) to a file, which
// it empties, from a place on.
func writeSquashfs(ctx context.Context, nodes []*tree.Node, file string, at int64, o Options) error {
	program, err := exec.LookPath("mksquashfs")
	if err != nil {
		return fmt.Errorf("squashfs: %w (it comes with the package squashfs-tools)", err)
	}
	cmd := exec.CommandContext(ctx, program, squashfsArgs(file, at, o.Compression)...)
	// Up to 4.5.1 at least, -root-time does nothing to what is read from a tar:
	// the root directory gets the clock. This variable moves it, and the file
	// system's own time, to that of the youngest file.
	epoch := fmt.Sprintf("SOURCE_DATE_EPOCH=%d", seconds32(youngest(nodes)))
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C", epoch}
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	read, pipe, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd.Stdin = read
	if err := errors.Join(cmd.Start(), read.Close()); err != nil {
		return errors.Join(fmt.Errorf("squashfs: %w", err), pipe.Close())
	}
	writeErr := pipeTar(ctx, pipe, nodes, o.Progress)
	err = cmd.Wait()
	if err != nil {
		err = fmt.Errorf("mksquashfs: %w: %s", err, lastLines(output.String()))
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(err, writeErr)
}

func youngest(nodes []*tree.Node) time.Time {
	latest := tree.Epoch
	for _, n := range nodes {
		if n.ModTime.After(latest) {
			latest = n.ModTime
		}
	}
	return latest
}

func pipeTar(ctx context.Context, pipe *os.File, nodes []*tree.Node, progress func(done, total int64)) error {
	w := newPipeWriter(pipe)
	err := WriteTar(ctx, w, nodes, TarOptions{Bounded: true, Progress: progress})
	if err == nil {
		err = w.Flush()
	}
	return errors.Join(err, pipe.Close())
}

func lastLines(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) > 3 {
		lines = lines[len(lines)-3:]
	}
	return strings.Join(lines, "; ")
}

// payloadCompression is the one that is fastest to read: the payload is in
// memory already when it is mounted, so only unpacking takes time.
const payloadCompression = "lz4"

// diskCompression is the one every kernel with squashfs can read.
const diskCompression = "gzip"
