package store

import "slipway/pkg/log/spool"

// fileSink has files carried.
type fileSink struct {
	carry *carrying
	spool *spool.Stream
	stuck bool
	had   int64 // what the files had when it was given up
}

func (k *fileSink) String() string { return "files" }

func (k *fileSink) Write(data []byte, _ int64) {
	if len(data) > 0 {
		k.carry.lane.add(k.carry)
	}
	k.stuck = k.stuck && k.spool.Done() == k.had
}

func (k *fileSink) Pending() bool {
	return !k.stuck && k.spool.Behind() > spool.HighWater && k.carry.lane.takes(k.carry)
}

func (k *fileSink) GiveUp()        { k.stuck, k.had = k.Pending(), k.spool.Done() }
func (k *fileSink) Close() error   { return nil }
func (k *fileSink) Dropped() int64 { return 0 }
