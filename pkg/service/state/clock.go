package state

import "time"

// Clock is a reading of the wall clock, which may be set, beside one that never
// jumps: the time since power-on.
type Clock struct {
	Wall time.Time     `json:"wall"`
	Boot time.Duration `json:"boot_ns"`
}

// Stamp makes a record fit to be read by another process. Times that durations are
// counted from are put on the wall clock as it is now, which may have been set since.
func (r *Record) Stamp(now Clock) {
	r.Kept = now
	r.shift(now.Wall, now.Wall)
}

// Rebase puts such times of a record that was read on this process's clock, so that
// durations are right however the wall clock was set meanwhile. The record of a
// version without a stamp stays as it is.
func (r *Record) Rebase(now Clock) {
	if !r.Kept.Wall.IsZero() {
		r.shift(r.Kept.Wall, now.Wall.Add(r.Kept.Boot-now.Boot))
	}
}

// shift moves times by what lies between two readings. What was counted from a
// monotonic reading is so afterwards, if to has one.
func (r *Record) shift(from, to time.Time) {
	times := []*time.Time{&r.Since, &r.Resume, &r.StartedAt, &r.ReadyAt}
	for i := range r.Recent {
		times = append(times, &r.Recent[i])
	}
	for _, t := range times {
		if !t.IsZero() {
			*t = to.Add(t.Sub(from))
		}
	}
}
