package boot

import (
	"runtime"
	"sync"

	"slipway/pkg/fdclose"
)

// PID 1 must not depend on making a thread once it is up: when no more processes
// can be made, Go's answer is to exit, and the kernel's to that is a panic. A call
// that blocks takes a thread of its own, so as many are made at the beginning as
// can be blocked at a time, and Go keeps those that are idle. What is bounded by
// diskThreads is all that may block for long.
const (
	diskThreads  = 12 // on the way down: sync, swapoff, unmount, thaw
	closeThreads = fdclose.Threads
	otherThreads = 12 // signals, timers, events of devices, consoles, journal, reboot(2)
	processors   = 2  // how much of PID 1 runs at a time, on a machine of one too
)

// reserveThreads makes them. It takes the locked goroutines to be on threads of
// their own, all at a time; unlocked, these are idle.
func reserveThreads() {
	runtime.GOMAXPROCS(processors)
	var all, over sync.WaitGroup
	release := make(chan struct{})
	for range diskThreads + closeThreads + otherThreads {
		all.Add(1)
		over.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			all.Done()
			<-release
		})
	}
	all.Wait()
	close(release)
	over.Wait()
}
