package journal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/log/rotate"
	"slipway/test/mounts"
	"slipway/test/skip"
)

// asCarrier makes the test binary carry, again and again, to be killed.
const asCarrier = "SLIPWAY_TEST_CARRIER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(asCarrier); dir != "" {
		for {
			if err := carrier(dir, bootA).Carry(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
	}
	os.Exit(mounts.Run(m))
}

// Names of boots, as the kernel gives them.
const (
	bootA = "0c9c1d5e-5b0f-4a8e-9d52-aaaaaaaaaaaa"
	bootB = "0c9c1d5e-5b0f-4a8e-9d52-bbbbbbbbbbbb"
)

func carrier(dir, boot string) Carrier {
	return Carrier{From: filepath.Join(dir, "run/journal"), To: filepath.Join(dir, "log"), Boot: boot}
}

// newStage gives directories for memory and disk.
func newStage(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{"run", "log"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func open(t *testing.T, dir string) *Journal {
	t.Helper()
	j := &Journal{}
	if err := j.Open(carrier(dir, "").From); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

func carry(t *testing.T, c Carrier) {
	t.Helper()
	if err := c.Carry(); err != nil {
		t.Fatal(err)
	}
}

func texts(t *testing.T, lines func(func(Line, error) bool)) string {
	t.Helper()
	var all []string
	for l, err := range lines {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, l.Text)
	}
	return strings.Join(all, "|")
}

// TestFromTheFirstMoment: what was said before there was a file is in it, and on
// the disk, once; another boot begins another file.
func TestFromTheFirstMoment(t *testing.T) {
	dir := newStage(t)
	began := time.Date(2026, 11, 26, 1, 2, 3, 4e6, time.UTC)
	early := &Journal{}
	early.Add(began, "first\n")
	early.Add(began, "two\nlines")
	c := carrier(dir, bootA)
	carry(t, c) // nothing is there yet
	if err := early.Open(c.From); err != nil {
		t.Fatal(err)
	}
	other := open(t, dir)
	other.Add(began, "by another program")
	want := "first|two|lines|by another program"
	if got := texts(t, c.Read()); got != want {
		t.Errorf("in memory: %s", got)
	}
	carry(t, c)
	carry(t, c)
	early.Add(began, "later")
	if got := texts(t, c.Read()); got != want+"|later" {
		t.Errorf("half carried: %s", got)
	}
	carry(t, c)
	file := filepath.Join(c.To, Name)
	data, err := os.ReadFile(file)
	head := "-- boot " + bootA + ", from byte 0 --\n"
	if err != nil || string(data) != head+"2026-11-26T01:02:03.004Z first\n"+strings.Repeat("2026-11-26T01:02:03.004Z ", 1)+"two\n"+
		"2026-11-26T01:02:03.004Z lines\n2026-11-26T01:02:03.004Z by another program\n2026-11-26T01:02:03.004Z later\n" {
		t.Errorf("on the disk: %s %v", data, err)
	}
	next := carrier(dir, bootB)
	if err := os.Remove(c.From); err != nil { // the power was off
		t.Fatal(err)
	}
	open(t, dir).Add(began, "next boot")
	carry(t, next)
	if got := texts(t, next.Read()); got != "next boot" {
		t.Errorf("the next boot: %s", got)
	}
	if got := texts(t, next.Previous()); got != want+"|later" {
		t.Errorf("the boot before: %s", got)
	}
}

// TestKilledCarrier: no line is lost or doubled, files are rotated meanwhile.
func TestKilledCarrier(t *testing.T) {
	dir := newStage(t)
	j, n := open(t, dir), 0
	kills := 0
	for ; kills < 60 || n < 2*fileMax/180; kills++ {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), asCarrier+"="+dir)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// No more than memory holds, if the carrier has not come to work at all.
		most := n + 1000
		for end := time.Now().Add(time.Duration(rand.IntN(20)) * time.Millisecond); time.Now().Before(end) && n < most; {
			for range 20 {
				j.Add(time.Now(), fmt.Sprintf("line %d %s", n, strings.Repeat("x", 150)))
				n++
			}
			time.Sleep(100 * time.Microsecond)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if state, err := cmd.Process.Wait(); err != nil || state.Exited() {
			t.Fatalf("the carrier ended by itself: %v %v", state, err)
		}
		carry(t, carrier(dir, bootA))
	}
	seen := 0
	for l, err := range carrier(dir, bootA).Read() {
		if err != nil || !strings.HasPrefix(l.Text, fmt.Sprintf("line %d ", seen)) || l.Time.IsZero() {
			t.Fatalf("line %d is %q, %v", seen, l.Text, err)
		}
		seen++
	}
	if seen != n {
		t.Errorf("%d lines of %d", seen, n)
	}
	t.Logf("%d lines, %d kills", n, kills)
	if !rotate.Exists(rotate.Old(filepath.Join(dir, "log", Name), 0)) {
		t.Error("too few lines to rotate")
	}
}

// TestCarriersKilledAfterRenaming: two in a row were killed between the renaming of a file
// that is long enough and the beginning of the next; no line is there twice.
func TestCarriersKilledAfterRenaming(t *testing.T) {
	dir := newStage(t)
	j, c := open(t, dir), carrier(dir, bootA)
	path := filepath.Join(c.To, Name)
	j.Add(time.Now(), "one\n"+strings.Repeat("x", 2*os.Getpagesize())+"\ntwo")
	carry(t, c)
	j.Add(time.Now(), "three")
	for range 2 {
		if err := rotate.Shift(path, filesMax); err != nil {
			t.Fatal(err)
		}
	}
	carry(t, c)
	if got := strings.ReplaceAll(texts(t, c.Read()), "x", ""); got != "one||two|three" {
		t.Errorf("lines %s", got)
	}
}

// Whatever a container that may write there has put in the place of the files on the
// disk, is nothing of ours: it is moved aside, followed nowhere, and waited for by nobody.
func TestFilesOfStrangers(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"fifo": func(path string) error { return unix.Mkfifo(path, 0o600) },
		"link": func(path string) error { return os.Symlink("/dev/null", path) },
		"dir":  func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := newStage(t)
			path := filepath.Join(dir, "log", Name)
			if err := errors.Join(put(path), put(path+".new")); err != nil {
				t.Fatal(err)
			}
			j := open(t, dir)
			j.Add(time.Now(), "one")
			carry(t, carrier(dir, bootA))
			j.Add(time.Now(), "two")
			carry(t, carrier(dir, bootA))
			if got := texts(t, carrier(dir, bootA).Read()); got != "one|two" {
				t.Errorf("lines %q", got)
			}
			if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
				t.Errorf("%v, %v", info, err)
			}
		})
	}
}

func mountTmpfs(t *testing.T, dir, size string) {
	t.Helper()
	skip.UnlessRoot(t, "mounts a small tmpfs")
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
}

// TestMemoryIsBounded: without a disk the last lines are kept, and no more.
func TestMemoryIsBounded(t *testing.T) {
	dir := newStage(t)
	mountTmpfs(t, dir+"/run", "2m")
	j := open(t, dir)
	for i := range 100_000 {
		j.Add(time.Now(), fmt.Sprintf("line %d", i))
	}
	var st unix.Stat_t
	if err := unix.Stat(dir+"/run/journal", &st); err != nil || st.Blocks*512 > memoryMin+memoryMax+8<<10 {
		t.Errorf("it takes %d bytes of memory, %v", st.Blocks*512, err)
	}
	c := carrier(dir, bootA)
	lines := strings.Split(texts(t, c.Read()), "|")
	if !strings.HasPrefix(lines[0], "line ") {
		t.Errorf("it begins with %q", lines[0])
	}
	if n := len(lines); n < 5000 || lines[n-1] != "line 99999" || lines[n-2] != "line 99998" {
		t.Errorf("%d lines, the last is %s", n, lines[n-1])
	}
	carry(t, c)
	if again := strings.Split(texts(t, c.Read()), "|"); len(again) != len(lines) {
		t.Errorf("%d lines on the disk of %d", len(again), len(lines))
	}
	if err := unix.Stat(dir+"/run/journal", &st); err != nil || st.Blocks*512 > 8<<10 {
		t.Errorf("after carrying it takes %d bytes of memory, %v", st.Blocks*512, err)
	}
}

// TestFullMemoryAndFullDisk: nobody waits; a loss is counted; a disk that was
// full gets everything when it has room.
func TestFullMemoryAndFullDisk(t *testing.T) {
	dir := newStage(t)
	mountTmpfs(t, dir+"/run", "64k")
	mountTmpfs(t, dir+"/log", "256k")
	j, c := open(t, dir), carrier(dir, bootA)
	filler := strings.Repeat("x", 300<<10)
	_ = os.WriteFile(dir+"/log/filler", []byte(filler), 0o600) // as far as it goes
	j.Add(time.Now(), "one")
	if err := c.Carry(); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("a full disk: %v", err)
	}
	_ = os.WriteFile(dir+"/run/filler", []byte(filler), 0o600)
	for i := range 1000 { // more than the file's last page holds
		j.Add(time.Now(), fmt.Sprintf("line %d", i))
	}
	if j.lost == 0 || j.lost == 1000 {
		t.Fatalf("%d lines lost", j.lost)
	}
	lost := j.lost
	for _, f := range []string{"/run/filler", "/log/filler"} {
		if err := os.Remove(dir + f); err != nil {
			t.Fatal(err)
		}
	}
	j.Add(time.Now(), "after")
	carry(t, c)
	lines := strings.Split(texts(t, c.Read()), "|")
	n := len(lines)
	if lines[0] != "one" || lines[n-1] != "after" || lines[n-2] != fmt.Sprintf("journal: %d lines were lost", lost) {
		t.Fatalf("%q ... %q", lines[0], lines[n-2:])
	}
	kept := 1000 - lost
	for i, line := range lines[1 : kept+1] {
		if line != fmt.Sprintf("line %d", i) {
			t.Fatalf("line %d is %q", i, line)
		}
	}
	if rest := lines[kept+1 : n-2]; len(rest) > 1 {
		t.Errorf("beside whole lines there are %q", rest)
	}
}
