package disk

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
)

// makeQCOW2 makes the raw disk and lets QEMU's own tool convert it.
func makeQCOW2(ctx context.Context, out string, b Boot) error {
	raw := filepath.Join(filepath.Dir(out), "raw.img")
	if err := makeRaw(ctx, raw, b); err != nil {
		return err
	}
	tool, err := exec.LookPath("qemu-img")
	if err != nil {
		return fmt.Errorf("convert to qcow2: %w (Debian's package qemu-utils has it)", err)
	}
	cmd := exec.CommandContext(ctx, tool, "convert", "-f", "raw", "-O", "qcow2", raw, out)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("convert to qcow2: %s: %w: %s", tool, err, bytes.TrimSpace(said.Bytes()))
	}
	return nil
}
