package disk

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"

	"github.com/diskfs/go-diskfs/filesystem"
	"github.com/diskfs/go-diskfs/filesystem/fat12"
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
// tables of four bytes for each cluster of 512, and room for directories.
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
		return nil, fmt.Errorf("make directory EFI/BOOT: %w", err)
	}
	at, err := reserve(fs, "EFI/BOOT/"+program, u.size)
	if err != nil {
		return nil, fmt.Errorf("make EFI/BOOT/%s: %w", program, err)
	}
	hash := sha256.New()
	to := io.NewOffsetWriter(m, start+at)
	if err := u.writeTo(io.MultiWriter(to, hash)); err != nil {
		return nil, fmt.Errorf("write EFI/BOOT/%s: %w", program, err)
	}
	sum = hash.Sum(nil)
	if err := stampFAT(m, start, sum); err != nil {
		return nil, fmt.Errorf("set times and serial number: %w", err)
	}
	return sum, nil
}

// reserve makes a file of the given size and returns where in the file system
// its content belongs. A new file on a new file system lies in one piece, so
// its content can be written past the library, which would go through the whole
// chain of clusters again for each buffer.
func reserve(fs filesystem.FileSystem, name string, size int64) (at int64, err error) {
	f, err := fs.OpenFile(name, os.O_CREATE|os.O_RDWR)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if _, err := f.Seek(size-1, io.SeekStart); err != nil {
		return 0, err
	}
	if _, err := f.Write([]byte{0}); err != nil {
		return 0, err
	}
	ranges, err := f.(*fat12.File).GetDiskRanges()
	if err != nil {
		return 0, err
	}
	if len(ranges) != 1 || int64(ranges[0].Length) < size {
		return 0, fmt.Errorf("it lies in %d pieces, want one of %d bytes", len(ranges), size)
	}
	return int64(ranges[0].Offset), nil
}
