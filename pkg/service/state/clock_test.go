package state

import (
	"encoding/json"
	"testing"
	"time"
)

// TestRecordOutlivesJump keeps a record and reads it again, each time after the wall
// clock was set: what has passed stays what it was.
func TestRecordOutlivesJump(t *testing.T) {
	begin := time.Now()
	const year = 365 * 24 * time.Hour
	for _, jump := range []time.Duration{0, 49 * year, -49 * year, time.Hour} {
		r := Record{Since: begin.Add(16 * time.Second), StartedAt: begin.Add(10 * time.Second), ReadyAt: begin.Add(16 * time.Second),
			Resume: begin.Add(40 * time.Second), Recent: []time.Time{begin}}
		// Between reading begin and keeping, 20 s pass; then the clock jumps, and 5 s pass.
		r.Stamp(Clock{Wall: begin.Add(20 * time.Second), Boot: 50 * time.Second})
		data, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var got Record
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		now := begin.Round(0).Add(25*time.Second + jump)
		got.Rebase(Clock{Wall: now, Boot: 55 * time.Second})
		for name, v := range map[string]struct{ got, want time.Duration }{
			"since": {now.Sub(got.Since), 9 * time.Second}, "started": {now.Sub(got.StartedAt), 15 * time.Second},
			"resume": {got.Resume.Sub(now), 15 * time.Second}, "recent": {now.Sub(got.Recent[0]), 25 * time.Second},
			"ready after": {got.ReadyAt.Sub(got.StartedAt), 6 * time.Second},
		} {
			if v.got != v.want {
				t.Errorf("jump by %s: %s: %s, want %s", jump, name, v.got, v.want)
			}
		}
	}
	old := Record{Since: begin}
	old.Rebase(Clock{Wall: begin.Add(time.Hour), Boot: time.Hour})
	if !old.Since.Equal(begin) || !old.StartedAt.IsZero() {
		t.Errorf("a record without a stamp became %+v", old)
	}
}
