package look

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"slipway/test/poll"
)

func TestDiff(t *testing.T) {
	got := strings.Join(Diff([]string{"a", "b", "b"}, []string{"b", "c"}), "; ")
	if got != "gone: a; gone: b; left: c" {
		t.Errorf("%s", got)
	}
}

// What is new is seen, and that it has gone.
func TestLook(t *testing.T) {
	dir := t.TempDir()
	// Others come and go on this machine.
	l := Look{Dirs: []string{dir}, Files: map[string]int{"me": os.Getpid()}}
	mine := func(lines []string) (own []string) {
		for _, line := range lines {
			if strings.Contains(line, dir) || strings.Contains(line, "descriptors") || strings.Contains(line, "/bin/sleep 98765") {
				own = append(own, line)
			}
		}
		return own
	}
	take := func() []string {
		t.Helper()
		all, err := l.Take()
		if err != nil {
			t.Fatal(err)
		}
		return mine(all)
	}
	before := take()
	f, err := os.Create(dir + "/new")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sleep", "98765")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// A program has its arguments a moment after Start, which returns at exec.
	wanted := []string{"left: file " + dir + "/new", "gone: descriptors of me", "left: process /bin/sleep 98765"}
	poll.Until(t, "what is new is seen", func() bool {
		got := strings.Join(Diff(before, take()), "; ")
		return !slices.ContainsFunc(wanted, func(want string) bool { return !strings.Contains(got, want) })
	})
	f.Close()
	os.Remove(dir + "/new")
	cmd.Process.Kill()
	cmd.Wait()
	poll.Until(t, "all is as before", func() bool { return len(Diff(before, take())) == 0 })
}
