package timeline

import (
	"encoding/json"
	"testing"
	"time"
)

// Every time in the JSON of every view is there in seconds, and under its old name
// in nanoseconds.
func TestSecondsInJSON(t *testing.T) {
	span := Span{Name: "run", Phase: PhaseOnboot, Container: "000-dhcp", Begin: 1500 * time.Millisecond, End: 2 * time.Second}
	const spanText = `{"name":"run","phase":"onboot","container":"000-dhcp","begin":1500000000,"end":2000000000,"begin_seconds":1.5,"end_seconds":2}`
	for _, c := range []struct {
		value any
		want  string
	}{
		{[]Span{span}, "[" + spanText + "]"},
		{Unit{Name: "000-dhcp", Phase: PhaseOnboot, Begin: span.Begin, Ready: span.End, Steps: []Span{span}},
			`{"name":"000-dhcp","phase":"onboot","begin":1500000000,"ready":2000000000,"steps":[` + spanText + `],"begin_seconds":1.5,"ready_seconds":2}`},
		{PhaseTime{Phase: PhaseOnboot, Begin: span.Begin, End: span.End},
			`{"phase":"onboot","begin":1500000000,"end":2000000000,"begin_seconds":1.5,"end_seconds":2}`},
	} {
		got, err := json.Marshal(c.value)
		if err != nil || string(got) != c.want {
			t.Errorf("%s, %v; want\n%s", got, err, c.want)
		}
	}
}
