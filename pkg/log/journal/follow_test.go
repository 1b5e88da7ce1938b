package journal

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"slipway/test/poll"
)

// TestKeep: what is said reaches the disk by itself, the last words too.
func TestKeep(t *testing.T) {
	dir := newStage(t)
	j, c := open(t, dir), carrier(dir, bootA)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan bool)
	go func() {
		c.Keep(ctx, func(err error) { t.Error(err) })
		close(done)
	}()
	for i := range 3 {
		want := fmt.Sprintf("line %d", i)
		j.Add(time.Now(), want)
		poll.Until(t, want+" on the disk", func() bool {
			data, err := os.ReadFile(c.To + "/" + Name)
			return err == nil && strings.Contains(string(data), want)
		})
	}
	j.Add(time.Now(), "last")
	cancel()
	<-done
	if data, err := os.ReadFile(c.To + "/" + Name); err != nil || !strings.HasSuffix(string(data), " last\n") {
		t.Errorf("on the disk: %s %v", data, err)
	}
}

// TestFollow: lines from before, from now on, and from a journal that is being
// carried away meanwhile, each once.
func TestFollow(t *testing.T) {
	dir := newStage(t)
	j, c := open(t, dir), carrier(dir, bootA)
	j.Add(time.Now(), "line 0")
	carry(t, c)
	j.Add(time.Now(), "line 1")
	ctx, cancel := context.WithTimeout(t.Context(), poll.Longest)
	defer cancel()
	n := 0
	c.Follow(ctx, func(l Line, err error) bool {
		if want := fmt.Sprintf("line %d", n); err != nil || l.Text != want {
			t.Errorf("%q %v, want %s", l.Text, err, want)
		}
		n++
		if n > 1 && n < 200 {
			j.Add(time.Now(), fmt.Sprintf("line %d", n))
		}
		if n%7 == 0 {
			carry(t, c)
		}
		return n < 200
	})
	if n != 200 {
		t.Errorf("%d lines", n)
	}
}
