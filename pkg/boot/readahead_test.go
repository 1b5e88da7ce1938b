package boot

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestReadAll has a file in the page cache that was dropped from it before.
func TestReadAll(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "program")
	if err := os.WriteFile(file, make([]byte, 3<<20), 0o755); err != nil {
		t.Fatal(err)
	}
	drop(t, file)
	if err := readAll([]string{filepath.Join(dir, "none"), file}); err != nil {
		t.Error(err)
	}
	if missing := uncached(t, file); missing > 0 {
		t.Errorf("%d pages are not in memory", missing)
	}
	if err := readAll([]string{dir, file}); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("a directory can be read: %v", err)
	}
}

// drop takes a file out of the page cache; on a tmpfs that is all there is of it.
func drop(t *testing.T, name string) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := errors.Join(f.Sync(), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)); err != nil {
		t.Fatal(err)
	}
}

// uncached counts the pages of a file that the page cache does not have.
func uncached(t *testing.T, name string) int {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	data, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	there := make([]byte, len(data)/os.Getpagesize())
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&data[0])), uintptr(len(data)), uintptr(unsafe.Pointer(&there[0])))
	if err := unix.Munmap(data); err != nil || errno != 0 {
		t.Fatal(errno, err)
	}
	missing := 0
	for _, flags := range there {
		if flags&1 == 0 {
			missing++
		}
	}
	return missing
}
