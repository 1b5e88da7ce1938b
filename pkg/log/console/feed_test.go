package console

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"slipway/test/poll"

	"golang.org/x/sys/unix"
)

// asFeeder makes the test binary, run again, a process that shows the numbers
// from where the one before it was killed: "DIR TERMINAL...".
const asFeeder = "SLIPWAY_TEST_CONSOLE_FEEDER"

func TestMain(m *testing.M) {
	if words := strings.Fields(os.Getenv(asFeeder)); len(words) > 0 {
		if err := feedNumbers(words[0], words[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

func feedNumbers(dir string, terminals []string) error {
	c := New()
	if err := c.Attach("/dev/pts", terminals, "none"); err != nil {
		return err
	}
	if err := c.Keep(dir, nil); err != nil {
		return err
	}
	p, at, err := OpenPosition(filepath.Join(dir, "shown"), 0)
	for ; err == nil; at += 10 {
		var batch []byte
		for n := at; n < at+10; n++ {
			batch = fmt.Appendf(batch, "line %d\n", n)
		}
		err = c.Feed(batch, p, at+10)
		for err == nil && c.Congested() {
			time.Sleep(time.Millisecond)
		}
	}
	return err
}

// TestKilledFeeder kills the process that shows a stream, at random moments:
// every terminal gets each line once, in order.
func TestKilledFeeder(t *testing.T) {
	dir := t.TempDir()
	var masters []*os.File
	words := []string{dir}
	for range 2 {
		m, name := terminal(t)
		masters, words = append(masters, m), append(words, name)
		// As the keeper does: what is in the pipe lives on.
		path := filepath.Join(dir, "console-"+name+".fifo")
		if err := unix.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		held, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer held.Close()
		// Without a slave that is open, a master ends.
		slave, err := os.OpenFile("/dev/pts/"+name, os.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer slave.Close()
	}
	var shown [2]atomic.Int64
	var readers sync.WaitGroup
	t.Cleanup(readers.Wait) // they end with the terminals, which the test closes before
	for i, m := range masters {
		readers.Go(func() { checkNumbers(t, m, &shown[i]) })
	}
	const kills = 200
	for range kills {
		before := shown[0].Load()
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), asFeeder+"="+strings.Join(words, " "))
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		poll.Until(t, "it shows something", func() bool { return shown[0].Load() > before })
		time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Errorf("it ended by itself: %v", err)
		}
		if _, err := cmd.Process.Wait(); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d kills, %d and %d lines", kills, shown[0].Load(), shown[1].Load())
	if shown[0].Load() < 10*kills || shown[1].Load() < kills {
		t.Error("too few lines")
	}
}

// checkNumbers reads a terminal and counts its lines.
func checkNumbers(t *testing.T, m *os.File, n *atomic.Int64) {
	for lines := bufio.NewScanner(m); lines.Scan(); n.Add(1) {
		if want := fmt.Sprintf("line %d", n.Load()); lines.Text() != want {
			if !strings.HasPrefix(want, lines.Text()) { // the last one is cut
				t.Errorf("%q, want %q", lines.Text(), want)
			}
			return
		}
	}
}

// What was dropped and not told when a process was killed is told by the next.
func TestLossIsKept(t *testing.T) {
	dir := t.TempDir()
	m, name := terminal(t)
	path := filepath.Join(dir, "console-"+name+".fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	held, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	first := attach(t, name)
	if err := first.Keep(dir, nil); err != nil {
		t.Fatal(err)
	}
	first.mu.Lock()
	first.lines[0].setDropped(1234)
	first.mu.Unlock()
	if err := first.replace(nil); err != nil { // as a kill would leave it
		t.Fatal(err)
	}
	second := attach(t, name)
	if err := second.Keep(dir, nil); err != nil {
		t.Fatal(err)
	}
	if got := read(m, len("\r\nslipway: console: 1234 bytes dropped\r\n")); !strings.Contains(got, "1234 bytes dropped") {
		t.Errorf("%q", got)
	}
	first.kept = nil
}
