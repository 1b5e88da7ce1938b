package pin

import (
	"os"
	"strings"
	"testing"
)

func TestProgramRanges(t *testing.T) {
	got := programRanges("00400000-004a2000 r-xp 00000000 08:01 12 /init\n00500000-00501000 rw-p 00000000 00:00 0\n7f00-8f00 r--p 0 08:01 13 /other\n", "/init")
	if len(got) != 1 || got[0] != [2]uintptr{0x400000, 0x4a2000} {
		t.Errorf("got %x", got)
	}
}

// What the kernel shows of this process afterwards: its program is locked (lo).
func TestProgram(t *testing.T) {
	if err := Program(); err != nil {
		t.Fatal(err)
	}
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	mapped, locked, is := 0, 0, false
	for line := range strings.Lines(string(smaps)) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case strings.Contains(word, "-"):
			is = strings.HasSuffix(rest, " "+program)
			if is {
				mapped++
			}
		case is && word == "VmFlags:" && strings.Contains(rest+" ", " lo "):
			locked++
		}
	}
	if mapped == 0 || locked != mapped {
		t.Errorf("%d of %d mappings of %s are locked", locked, mapped, program)
	}
}
