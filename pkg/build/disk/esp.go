package disk

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"

	"github.com/diskfs/go-diskfs/filesystem/fat32"
)

const (
	mib    = 1 << 20
	sector = 512
	// minESP holds the 65525 clusters below which a file system is FAT16, not
	// FAT32, whatever its header says.
	minESP = 36 * mib
)

// espSize is the size of a file system for one file of n bytes: the file, two
// tables of four bytes for each cluster of 512, and room for folders.
func espSize(n int64) int64 {
	return max(minESP, alignUp(n+n/50+mib, mib))
}

// writeESP makes an EFI system partition of the given size at start, with the
// image as what firmware boots. It returns the hash of the image.
func writeESP(m *medium, start, size int64, u *uki, program string) (sum []byte, err error) {
	fs, err := fat32.Create(m, size, start, sector, "ESP", true)
	if err != nil {
		return nil, fmt.Errorf("make FAT32: %w", err)
	}
	if err := fs.Mkdir("EFI/BOOT"); err != nil {
		return nil, fmt.Errorf("make folder EFI/BOOT: %w", err)
	}
	f, err := fs.OpenFile("EFI/BOOT/"+program, os.O_CREATE|os.O_RDWR)
	if err != nil {
		return nil, fmt.Errorf("make EFI/BOOT/%s: %w", program, err)
	}
	// Reaching the end first makes all of the file's clusters in one go; else
	// each write would write the whole allocation table again.
	if err := extend(f, u.size); err != nil {
		return nil, fmt.Errorf("make EFI/BOOT/%s: %w", program, err)
	}
	hash := sha256.New()
	if err := u.writeTo(io.MultiWriter(f, hash)); err != nil {
		return nil, fmt.Errorf("write EFI/BOOT/%s: %w", program, err)
	}
	sum = hash.Sum(nil)
	if err := stampFAT(m, start, sum); err != nil {
		return nil, fmt.Errorf("set times and serial number: %w", err)
	}
	return sum, nil
}

func extend(f io.WriteSeeker, size int64) error {
	if _, err := f.Seek(size-1, io.SeekStart); err != nil {
		return err
	}
	if _, err := f.Write([]byte{0}); err != nil {
		return err
	}
	_, err := f.Seek(0, io.SeekStart)
	return err
}
