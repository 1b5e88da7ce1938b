package stepper

import (
	"testing"

	"golang.org/x/sys/unix"
)

// A program is killed at every one of its stops, and at none behind the last.
func TestRun(t *testing.T) {
	argv := []string{"/bin/sh", "-c", "(true); exit 3"}
	all, status, err := Run(argv, 0, false)
	if err != nil || status.ExitStatus() != 3 || all < 20 {
		t.Fatalf("%d stops, %v, %v", all, status, err)
	}
	killed := 0
	for at := 1; at <= all; at++ {
		stops, status, err := Run(argv, at, false)
		if err != nil || stops < at-1 {
			t.Fatalf("at %d: %d stops, %v", at, stops, err)
		}
		if status.Signaled() && status.Signal() == unix.SIGKILL {
			killed++
		}
	}
	if killed < 10 { // at the others it was the child that was killed
		t.Errorf("the program itself was killed at %d of %d stops", killed, all)
	}
	if _, status, err := Run(argv, all+1000, false); err != nil || status.ExitStatus() != 3 {
		t.Errorf("behind the last: %v, %v", status, err)
	}
}
