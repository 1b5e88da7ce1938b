package store

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
	k.stuck = k.stuck && k.log.spool.done(k.id) == k.had
}

func (k *fileSink) pending() bool {
	return !k.stuck && k.log.spool.behind(k.id) > spoolCrowd && k.log.carry.lane.takes(k.log.carry)
}

func (k *fileSink) giveUp()        { k.stuck, k.had = k.pending(), k.log.spool.done(k.id) }
func (k *fileSink) close() error   { return nil }
func (k *fileSink) dropped() int64 { return 0 }
