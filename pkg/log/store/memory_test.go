package store

import (
	"fmt"
	"runtime"
	"testing"

	"slipway/pkg/bundle"
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
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
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
	runtime.GC()
	runtime.GC() // buffers are kept over one
	runtime.ReadMemStats(&after)
	heap := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("ten services: %d bytes, %d goroutines", heap, runtime.NumGoroutine()-threads)
	if heap > 256<<10 || runtime.NumGoroutine() > threads {
		t.Errorf("ten services take %d bytes and %d goroutines", heap, runtime.NumGoroutine()-threads)
	}
	for _, w := range all {
		mustClose(t, w)
	}
	if err := pump.Close(); err != nil {
		t.Error(err)
	}
}
