package store

import "time"

const (
	// patience is how long somebody who takes nothing holds up a container, and
	// only that one, before its output is dropped for him.
	patience = time.Second
	// retry is how often one who took nothing is tried again.
	retry = 20 * time.Millisecond
)

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

// fileSink has files carried.
type fileSink struct {
	log   *log
	id    Stream
	stuck bool
	had   int64 // what the files had when it was given up
}

func (k *fileSink) String() string { return "files" }

func (k *fileSink) write(data []byte, _ int64) {
	if len(data) > 0 {
		k.log.carry.lane.add(k.log.carry)
	}
	k.stuck = k.stuck && k.log.spool.out[k.id].done == k.had
}

func (k *fileSink) pending() bool {
	return !k.stuck && k.log.spool.behind(k.id) > spoolCrowd && k.log.carry.lane.takes(k.log.carry)
}

func (k *fileSink) giveUp()        { k.stuck, k.had = k.pending(), k.log.spool.out[k.id].done }
func (k *fileSink) close() error   { return nil }
func (k *fileSink) dropped() int64 { return 0 }
