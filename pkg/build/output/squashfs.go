package output

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"slipway/pkg/build/tree"
)

// squashfsArgs make mksquashfs read a tar and write the same bytes every time:
// no clock, no host ids, no table for NFS that nobody exports. Blocks of
// 128 KiB are what a page fault costs; larger ones read more for a small file.
func squashfsArgs(file, compression string) []string {
	args := []string{"-", file, "-tar", "-noappend", "-mem", "512M", "-no-progress", "-quiet", "-no-exports", "-mkfs-time", "0", "-b", "131072"}
	switch compression {
	case "none":
		return append(args, "-noI", "-noD", "-noF", "-noX", "-no-compression")
	case "zstd":
		return append(args, "-comp", "zstd", "-Xcompression-level", "9")
	}
	return append(args, "-comp", compression)
}

// writeSquashfs pipes the entries through mksquashfs (squashfs-tools) to file.
func writeSquashfs(ctx context.Context, nodes []*tree.Node, file, compression string) error {
	program, err := exec.LookPath("mksquashfs")
	if err != nil {
		return fmt.Errorf("squashfs: %w (it comes with the package squashfs-tools)", err)
	}
	cmd := exec.CommandContext(ctx, program, squashfsArgs(file, compression)...)
	// SOURCE_DATE_EPOCH would clash with -mkfs-time.
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C"}
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("squashfs: %w", err)
	}
	writeErr := pipeTar(ctx, pipe, nodes)
	err = cmd.Wait()
	if err != nil {
		err = fmt.Errorf("mksquashfs: %w: %s", err, lastLines(output.String()))
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(err, writeErr)
}

func pipeTar(ctx context.Context, pipe io.WriteCloser, nodes []*tree.Node) error {
	w := bufio.NewWriterSize(pipe, bufferSize)
	err := WriteTar(ctx, w, nodes, false, false)
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

// defaultCompression of the root: see docs for the measurement.
const defaultCompression = "zstd"
