package store

import (
	"fmt"
	"runtime"
	"testing"

	"slipway/pkg/bundle"
	"slipway/test/heap"
	"slipway/test/poll"
)

// TestMemoryOfTenServices: no goroutine for each, and little memory.
func TestMemoryOfTenServices(t *testing.T) {
	o := testOptions(t, testPaths(t))
	pump, err := NewPump(o.Log)
	if err != nil {
		t.Fatal(err)
	}
	o.Pump = pump
	before := heap.InUse()
	threads := runtime.NumGoroutine()
	var all []*Writer
	for i := range 10 {
		w, err := Open(testBundle(bundle.Services, fmt.Sprint("service", i)), o)
		if err != nil {
			t.Fatal(err)
		}
		write(t, w.Stdout(), "started\n")
		all = append(all, w)
	}
	poll.Until(t, "nothing is at work", func() bool { return runtime.NumGoroutine() <= threads })
	grown := heap.InUse() - before
	t.Logf("ten services: %d bytes, %d goroutines", grown, runtime.NumGoroutine()-threads)
	if grown > 256<<10 || runtime.NumGoroutine() > threads {
		t.Errorf("ten services take %d bytes and %d goroutines", grown, runtime.NumGoroutine()-threads)
	}
	for _, w := range all {
		mustClose(t, w)
	}
	if err := pump.Close(); err != nil {
		t.Error(err)
	}
}
