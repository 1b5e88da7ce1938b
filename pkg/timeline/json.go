package timeline

import "encoding/json"

// The JSON of all views has times in seconds since power-on, under names that say
// so. Those without a unit are nanoseconds, as programs of the last version read them.

// MarshalJSON adds begin_seconds and end_seconds.
func (s Span) MarshalJSON() ([]byte, error) {
	type plain Span
	return json.Marshal(struct {
		plain
		BeginSeconds float64 `json:"begin_seconds"`
		EndSeconds   float64 `json:"end_seconds"`
	}{plain(s), s.Begin.Seconds(), s.End.Seconds()})
}

// MarshalJSON adds begin_seconds and ready_seconds.
func (u Unit) MarshalJSON() ([]byte, error) {
	type plain Unit
	return json.Marshal(struct {
		plain
		BeginSeconds float64 `json:"begin_seconds"`
		ReadySeconds float64 `json:"ready_seconds"`
	}{plain(u), u.Begin.Seconds(), u.Ready.Seconds()})
}

// MarshalJSON adds begin_seconds and end_seconds.
func (p PhaseTime) MarshalJSON() ([]byte, error) {
	type plain PhaseTime
	return json.Marshal(struct {
		plain
		BeginSeconds float64 `json:"begin_seconds"`
		EndSeconds   float64 `json:"end_seconds"`
	}{plain(p), p.Begin.Seconds(), p.End.Seconds()})
}
