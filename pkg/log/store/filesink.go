package store

import (
	"slipway/pkg/log/layout"
	"slipway/pkg/log/spool"
)

// fileSink has files carried.
type fileSink struct {
	log   *log
	id    layout.Stream
	stuck bool
	had   int64 // what the files had when it was given up
}

func (k *fileSink) String() string { return "files" }

func (k *fileSink) Write(data []byte, _ int64) {
	if len(data) > 0 {
		k.log.carry.lane.add(k.log.carry)
	}
	k.stuck = k.stuck && k.log.spool.Done(k.id) == k.had
}

func (k *fileSink) Pending() bool {
	return !k.stuck && k.log.spool.Behind(k.id) > spool.Crowd && k.log.carry.lane.takes(k.log.carry)
}

func (k *fileSink) GiveUp()        { k.stuck, k.had = k.Pending(), k.log.spool.Done(k.id) }
func (k *fileSink) Close() error   { return nil }
func (k *fileSink) Dropped() int64 { return 0 }
