package heap

import (
	"os"
	"runtime"
	"strings"
	"testing"
	"unsafe"
)

// TestShrink looks at what the kernel says of the mapping that the heap is in.
func TestShrink(t *testing.T) {
	if _, err := os.Stat("/sys/kernel/mm/transparent_hugepage"); err != nil {
		t.Skipf("a kernel without huge pages: %v", err)
	}
	live := make([]byte, 64)
	garbage := make([]byte, 64<<20)
	for i := range garbage {
		garbage[i] = 1
	}
	runtime.KeepAlive(garbage)
	full := resident(t)
	if err := Shrink(); err != nil {
		t.Fatal(err)
	}
	if now := resident(t); now > full-(48<<20) {
		t.Errorf("of %d bytes %d are resident still", full, now)
	}
	if flags := flagsAt(t, uintptr(unsafe.Pointer(&live[0]))); !strings.Contains(flags, " nh") {
		t.Errorf("the heap may still get huge pages: %s", flags)
	}
	runtime.KeepAlive(live)
}

// flagsAt is the VmFlags line of the mapping that an address is in.
func flagsAt(t *testing.T, at uintptr) string {
	t.Helper()
	data, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	inside := false
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if begin, size := anonymous(bytesOf(f[:min(len(f), 5)])); size > 0 && !strings.HasSuffix(f[0], ":") {
			inside = at >= begin && at < begin+size
		}
		if inside && f[0] == "VmFlags:" {
			return strings.TrimSpace(line)
		}
	}
	t.Fatalf("no mapping holds %x", at)
	return ""
}

func bytesOf(words []string) [][]byte {
	var all [][]byte
	for _, w := range words {
		all = append(all, []byte(w))
	}
	return all
}

func resident(t *testing.T) int {
	t.Helper()
	data, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); f[0] == "Rss:" {
			kb := 0
			for _, c := range f[1] {
				kb = 10*kb + int(c-'0')
			}
			return kb << 10
		}
	}
	t.Fatal("no Rss in smaps_rollup")
	return 0
}
