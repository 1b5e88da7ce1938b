package supervisor

import (
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"slipway/pkg/container/memory"
)

// Short memory is told once, again when another holds the most, but not over and
// over while two take turns.
func TestMemoryIsTold(t *testing.T) {
	m := boot(t, "", "web run")
	m.awaitReady()
	use := func(name string, held uint64) memory.Use {
		return memory.Use{Limit: 100, Held: held, Holders: []memory.Holder{{Name: name, Held: 60}}}
	}
	count := func() int {
		m.guest.Terminal.Flush(time.Minute)
		return strings.Count(m.console(), "memory: containers hold")
	}
	for i, tt := range []struct {
		use  memory.Use
		wait time.Duration
		want int
	}{
		{use("web", 50), 0, 0},
		{use("web", 95), 0, 1},
		{use("web", 96), 0, 1},
		{use("db", 96), 0, 1},
		{use("db", 96), tellEvery, 2},
		{use("db", 97), tellEvery, 2},
		{use("db", 50), 0, 2},
		{use("db", 95), 0, 3},
		{memory.Use{Limit: 100, Held: 99}, tellEvery, 4},
	} {
		err := m.sup.Do(t.Context(), func() {
			m.sup.memory.when = m.sup.memory.when.Add(-tt.wait)
			m.sup.memoryIs(tt.use)
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := count(); got != tt.want {
			t.Errorf("%d: told %d times, want %d\n%s", i, got, tt.want, m.console())
		}
	}
}

// The kernel is to kill where the most is held, then where the second most is, and
// not at all where there is little.
func TestScores(t *testing.T) {
	holders := []memory.Holder{{Name: "var", Held: 43}, {Name: "hog", Held: 40}, {Name: "tmp", Held: 4}, {Name: "web", Held: 3}}
	if got := scores(memory.Use{Limit: 100, Held: 90, Holders: holders}); !maps.Equal(got, map[string]int{"var": 430, "hog": 400, "tmp": 40, "web": 30}) {
		t.Errorf("short: %v", got)
	}
	if got := scores(memory.Use{Limit: 200, Held: 190, Holders: holders}); !maps.Equal(got, map[string]int{"var": 215, "hog": 200}) {
		t.Errorf("who holds little: %v", got)
	}
	if got := scores(memory.Use{Limit: 200, Held: 90, Holders: holders}); len(got) > 0 {
		t.Errorf("room is left: %v", got)
	}
}

// A container has a score as long as it is to have one; it may have ended.
func TestSetScores(t *testing.T) {
	scored := map[string]int{}
	for _, want := range []map[string]int{{"gone": 430}, {}, {}} {
		if err := setScores(scored, want); err != nil || !maps.Equal(scored, want) {
			t.Errorf("%v: %v, %v", want, scored, err)
		}
	}
}

func TestLargeLayersAreWarnedOf(t *testing.T) {
	for size, want := range map[string]bool{"1M": false, "100%": true} {
		m := prepare(t, "", "one run upper=tmpfs:"+size, "two run")
		if err := os.WriteFile(m.guest.Paths.RunDir("quota"), []byte("1073741824 7000\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		m.start()
		m.awaitReady()
		m.guest.Terminal.Flush(time.Minute)
		if got := strings.Contains(m.console(), "warning: slipway.upper gives writable layers"); got != want {
			t.Errorf("%s: warned %v, want %v\n%s", size, got, want, m.console())
		}
	}
}
