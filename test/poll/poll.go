// Package poll is how tests wait: for a state, never for a time. How long that takes
// is the machine's affair, so the bound here only ends what never comes.
package poll

import (
	"testing"
	"time"
)

// Longest is what anything may take, on however busy a machine.
const Longest = 3 * time.Minute

// pause is between two looks.
const pause = time.Millisecond

// Until waits for a state, and fails the test if it never comes, with what it is told
// then.
func Until(t testing.TB, what string, is func() bool, told ...func() string) {
	t.Helper()
	for end := time.Now().Add(Longest); !is(); time.Sleep(pause) {
		if time.Now().After(end) {
			for _, more := range told {
				what += "\n" + more()
			}
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// For waits for what comes on a channel, or for its end, and fails the test if
// neither comes.
func For[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	late := time.NewTimer(Longest)
	defer late.Stop()
	select {
	case v := <-c:
		return v
	case <-late.C:
		t.Fatalf("waited in vain: %s", what)
		panic("a test goes on that has failed")
	}
}
