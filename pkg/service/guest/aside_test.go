package guest

import (
	"slices"
	"testing"
	"time"
)

// What is done aside is done in its order, whoever waits for it meanwhile.
func TestAside(t *testing.T) {
	var a Aside
	if !a.Wait(0) {
		t.Error("nothing is to do, and there is something to wait for")
	}
	for range 2 { // also when all was done once
		disk := make(chan struct{})
		var done []int
		a.Do(func() { <-disk; done = append(done, 1) })
		a.Do(func() { done = append(done, 2) })
		if a.Wait(time.Millisecond) {
			t.Error("the disk hangs, and all is done")
		}
		close(disk)
		if !a.Wait(time.Hour) || !slices.Equal(done, []int{1, 2}) {
			t.Errorf("done: %v", done)
		}
	}
}
