package disk

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/diskfs/go-diskfs/filesystem/iso9660"
)

// espFile is the disc's one file.
const espFile = "efi.img"

// makeISO makes a disc whose El Torito boot image is an EFI system partition.
func makeISO(ctx context.Context, out string, b Boot) error {
	u, err := planUKI(b)
	if err != nil {
		return err
	}
	// The library makes a disc of a directory, which it removes.
	directory := filepath.Join(filepath.Dir(out), "disc")
	if err := os.Mkdir(directory, 0o700); err != nil {
		return err
	}
	err = create(ctx, filepath.Join(directory, espFile), func(m *medium) error {
		esp := espSize(u.size)
		if err := m.Truncate(esp); err != nil {
			return err
		}
		_, err := writeESP(m, 0, esp, u, arches[b.Arch].file)
		return err
	})
	if err != nil {
		return fmt.Errorf("write EFI boot image: %w", err)
	}
	return create(ctx, out, func(m *medium) error { return writeISO(m, directory) })
}

func writeISO(m *medium, directory string) error {
	fs, err := iso9660.Create(m, 0, 0, isoBlock, directory)
	if err != nil {
		return fmt.Errorf("make ISO 9660: %w", err)
	}
	// Above 32 MB the number of sectors does not fit its field. The library
	// leaves it 0 then, which the UEFI specification (section "ISO-9660 and El
	// Torito") reads as "up to the end of the disc".
	err = fs.Finalize(iso9660.FinalizeOptions{
		VolumeIdentifier: "SLIPWAY",
		ElTorito: &iso9660.ElTorito{
			Entries: []*iso9660.ElToritoEntry{{
				Platform: iso9660.EFI, Emulation: iso9660.NoEmulation, BootFile: espFile,
			}},
		},
	})
	if err != nil {
		return fmt.Errorf("make ISO 9660: %w", err)
	}
	if err := stampISO(m); err != nil {
		return fmt.Errorf("set times: %w", err)
	}
	return nil
}
