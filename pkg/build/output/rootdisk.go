package output

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"

	"slipway/pkg/build/tree"
)

// bootstrapSuffix is of the initrd that a modular kernel takes to a root on a
// disk.
const bootstrapSuffix = "-squashfs-initrd.img"

// writeKernelSquashfs writes a root that is mounted from a disk. A kernel that
// has squashfs and the disk's driver built in, as LinuxKit's kernels, does that
// by itself. For one that has them as modules a small initrd comes along, with
// the modules and the /init that loads them.
func writeKernelSquashfs(ctx context.Context, t *tree.Tree, to *Target, o Options) error {
	if err := copyNode(t, "boot/kernel", to, "-kernel"); err != nil {
		return err
	}
	if err := copyNode(t, "boot/cmdline", to, "-cmdline"); err != nil {
		return err
	}
	if err := writeBootstrap(t, to); err != nil {
		return err
	}
	o.Compression = orDefault(o.Compression, diskCompression)
	return to.WriteFile("-squashfs.img", func(f *os.File) error {
		_, err := squashRoot(ctx, t, f, 0, o)
		return err
	})
}

func writeBootstrap(t *tree.Tree, to *Target) error {
	modules, err := neededModules(t, diskSet)
	if err != nil {
		return err
	}
	missing, err := neededModules(t, moduleSet{needed: diskSet.needed})
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		to.Without(bootstrapSuffix)
		return nil
	}
	init := t.Resolve("init")
	if init == nil || init.Inode == nil || t.Resolve(payloadMarker) == nil {
		return fmt.Errorf("the kernel has squashfs and the drivers of disks as modules (%s, ...), and the init images have no /init that loads them (no /%s)",
			missing[0].Name, payloadMarker)
	}
	return to.WriteFile(bootstrapSuffix, func(f *os.File) error {
		w := bufio.NewWriterSize(f, bufferSize)
		c, err := payload{t, init, modules}.writeFiles(w)
		if err != nil {
			return err
		}
		return errors.Join(c.close(), w.Flush())
	})
}
