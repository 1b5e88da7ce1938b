package store

// sink is a place that output goes to from memory: files, memlogd, the consoles,
// the kernel's log. None of its methods waits.
type sink interface {
	// write takes data, which ends at an offset of the stream; nil: it tries
	// again what it could not get rid of.
	write(data []byte, end int64)
	// pending is true if it has too much that it could not get rid of and is not
	// given up, so that it is worth waiting before the next write.
	pending() bool
	// giveUp ends the waiting, until something is taken again.
	giveUp()
	// close ends an unfinished line.
	close() error
	// dropped is the number of bytes that did not get through.
	dropped() int64
}
