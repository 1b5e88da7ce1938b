// Package heap tells tests how much memory is in use. What is reachable counts, and
// no garbage: how much of that lies about is the collector's affair, and a busy
// machine's.
package heap

import (
	"runtime"
	"time"
)

// InUse is how many bytes are reachable.
func InUse() int64 {
	runtime.GC()
	runtime.GC() // buffers that are used again are kept over one
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Growth runs f and gives by how many bytes what is reachable grew meanwhile, at most,
// as looked at again and again, and behind its end: what f leaves alive counts for sure.
func Growth(f func()) int64 {
	before := InUse()
	end, most := make(chan bool), make(chan int64)
	go func() {
		top := before
		for {
			select {
			case <-end:
				most <- top
				return
			case <-time.After(10 * time.Millisecond):
				top = max(top, InUse())
			}
		}
	}()
	f()
	after := InUse()
	close(end)
	return max(<-most, after) - before
}
