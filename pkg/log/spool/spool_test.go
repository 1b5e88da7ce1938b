package spool

import (
	"bytes"
	"os"
	"sync"
	"testing"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/log/index"
	"slipway/pkg/log/layout"
)

func testSpool(t *testing.T) (layout.Places, *Spool) {
	t.Helper()
	dir := t.TempDir()
	at := layout.Paths{Run: dir + "/run", Log: dir + "/log"}.Section(bundle.Services, "foo")
	p, err := Open(at, true, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return at, p
}

// move puts data into a spool, as a container and the pump do.
func move(t *testing.T, s *Stream, data []byte) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Error(err)
		return
	}
	defer r.Close()
	defer w.Close()
	if _, err := w.Write(data); err != nil {
		t.Error(err)
	}
	s.Lock()
	defer s.Unlock()
	if n, err := s.Take(int(r.Fd())); n != len(data) || err != nil {
		t.Errorf("%d bytes are moved: %v", n, err)
	}
}

// Whoever has one stream locked holds up nobody at the other one.
func TestStreamsHaveLocksOfTheirOwn(t *testing.T) {
	at, p := testSpool(t)
	p.Stream(layout.Stdout).Lock()
	move(t, p.Stream(layout.Stderr), []byte("abc\n"))
	p.Stream(layout.Stderr).Took(4)
	p.Stream(layout.Stdout).Unlock()
	snap, err := Take(at)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := snap.Bytes(layout.Stderr, 0, 4); string(got) != "abc\n" {
		t.Errorf("memory has %q", got)
	}
}

// Both streams and whoever carries them at once: the index they share has each
// byte of each stream once.
func TestBothStreamsAtOnce(t *testing.T) {
	const pieces, size = 60, 8 << 10
	at, p := testSpool(t)
	if err := p.Run(); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for _, s := range layout.Streams {
		all.Go(func() {
			for range pieces {
				move(t, p.Stream(s), bytes.Repeat([]byte{'0' + byte(s)}, size))
			}
		})
		all.Go(func() {
			for n := range int64(pieces) {
				p.Stream(s).Took(n * size / 2)
			}
		})
	}
	all.Wait()
	snap, err := Take(at)
	if err != nil {
		t.Fatal(err)
	}
	var next [3]int64
	for _, r := range snap.Records {
		if r.Kind == index.KindData && r.Offset != next[r.Stream] {
			t.Fatalf("a record of %s begins at %d, not %d", r.Stream, r.Offset, next[r.Stream])
		}
		if r.Kind == index.KindData {
			next[r.Stream] += int64(r.Length)
		}
	}
	for _, s := range layout.Streams {
		tail, _ := snap.Bytes(s, pieces*size-spoolTail, pieces*size)
		if next[s] != pieces*size || len(tail) != spoolTail || len(bytes.Trim(tail, string(rune('0'+s)))) != 0 {
			t.Errorf("%s: %d bytes, of which the last are %.20q", s, next[s], tail)
		}
	}
}
