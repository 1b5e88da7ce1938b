// Package sink has the places that a container's output goes to while it runs:
// the consoles, the kernel's log, LinuxKit's memlogd. What is to be read later is
// the business of package store.
package sink

// Sink is a place that output goes to from memory: files, memlogd, the consoles,
// the kernel's log. None of its methods waits.
type Sink interface {
	// Write takes data, which ends at an offset of the stream; nil: it tries
	// again what it could not get rid of.
	Write(data []byte, end int64)
	// Pending is true if it has too much that it could not get rid of and is not
	// given up, so that it is worth waiting before the next write.
	Pending() bool
	// GiveUp ends the waiting, until something is taken again.
	GiveUp()
	// Close ends an unfinished line.
	Close() error
	// Dropped is the number of bytes that did not get through.
	Dropped() int64
}
