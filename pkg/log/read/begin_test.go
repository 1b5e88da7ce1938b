package read

import (
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
	"slipway/pkg/log/index"
	"slipway/pkg/log/layout"
	"slipway/pkg/log/spool"
)

// between calls do when an index was read to its end for the first time: at that moment
// somebody else goes on.
type between struct {
	reads int
	at    int
	do    func()
}

func (b *between) Begin() {}

func (b *between) End() {
	if b.reads++; b.reads == b.at {
		b.do()
	}
}

// beginning are the files of a log whose carrier has just begun, and what it does.
type beginning struct {
	t     *testing.T
	at    layout.Places
	spool *spool.Spool
	ix    *index.Index
}

const (
	formerText = "former 1\nformer 2\n"
	spoolText  = "now 1\nnow 2\nnow 3\n"
)

// begin has a spool with text, and files that have what a former boot has left.
func begin(t *testing.T, former bool) *beginning {
	t.Helper()
	dir := t.TempDir()
	b := &beginning{t: t, at: layout.Paths{Run: dir + "/run", Log: dir + "/log"}.Section(bundle.Services, "web")}
	var err error
	if b.spool, err = spool.Open(b.at, true, time.Now); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.check(b.spool.Close()) })
	b.check(b.spool.Run())
	r, w, err := os.Pipe()
	b.check(err)
	_, err = w.WriteString(spoolText)
	b.check(err)
	out := b.spool.Stream(layout.Stdout)
	out.Lock()
	_, err = out.Take(int(r.Fd()))
	out.Unlock()
	b.check(err)
	b.check(r.Close())
	b.check(w.Close())
	b.check(os.MkdirAll(b.at.Dir, 0o755))
	b.check(os.MkdirAll(b.at.Meta, 0o755))
	if former {
		b.check(os.WriteFile(b.at.File(layout.Stdout), []byte(formerText), 0o600))
	}
	return b
}

func (b *beginning) check(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// steps are what a carrier does when it begins, one after the other.
func (b *beginning) steps() []func() {
	put := func(all ...index.Record) func() { return func() { b.check(b.ix.Put(all...)) } }
	var size int64
	return []func(){
		func() {
			var err error
			b.ix, err = index.Open(b.at.Index(), 1<<20)
			b.check(err)
			b.t.Cleanup(func() { b.ix.Close() })
		},
		func() {
			f, err := os.OpenFile(b.at.File(layout.Stdout), os.O_CREATE|os.O_WRONLY, 0o600)
			b.check(err)
			var st unix.Stat_t
			b.check(unix.Fstat(int(f.Fd()), &st))
			b.check(f.Close())
			size = st.Size
			put(index.Record{Kind: index.KindSegment, Stream: layout.Stdout, Length: uint32(st.Ino), Time: time.Now()})()
		},
		func() {
			if size > 0 {
				b.check(b.ix.Extend(layout.Stdout, size, time.Now()))
			}
		},
		func() {
			b.ix.ID, b.ix.Origin = b.spool.Number(), [3]int64{b.ix.Run, b.ix.End[layout.Stdout], b.ix.End[layout.Stderr]}
			put(b.ix.Source(time.Now())...)()
		},
		func() {
			f, err := os.OpenFile(b.at.File(layout.Stdout), os.O_APPEND|os.O_WRONLY, 0)
			b.check(err)
			_, err = f.WriteString(spoolText)
			b.check(err)
			b.check(f.Close())
		},
		func() { b.check(b.ix.Extend(layout.Stdout, size+int64(len(spoolText)), time.Now())) },
	}
}

// A log that is read while its files are begun has each line once, whatever of the
// beginning was done when its index had been read, and how far it comes then.
func TestFilesAreBegunMeanwhile(t *testing.T) {
	for _, former := range []bool{false, true} {
		want := spoolText
		if former {
			want = formerText + spoolText
		}
		for before := range 7 {
			for after := before; after < 7; after++ {
				b := begin(t, former)
				steps := b.steps()
				for _, step := range steps[:before] {
					step()
				}
				var got strings.Builder
				r := newReader(t.Context(), b.at, Query{})
				r.yield = func(l Line) bool {
					if l.Lost > 0 {
						t.Errorf("former %t, %d steps before, %d after: %d bytes are lost", former, before, after, l.Lost)
					}
					got.WriteString(l.Show() + "\n")
					return true
				}
				b.check(r.look())
				ix, err := r.openIndex()
				b.check(err)
				meanwhile := &between{at: 1, do: func() {
					for _, step := range steps[before:after] {
						step()
					}
				}}
				// The end of the index is where a read gives nothing. With no index, files are looked for next.
				if info, err := os.Stat(b.at.Index()); err == nil && info.Size() > 0 {
					meanwhile.at = 2
				}
				if r.src.guard = meanwhile; before > 0 {
					ix.Guard = meanwhile
				} else {
					ix.Guard = nil
				}
				b.check(r.disk(ix))
				b.check(r.memory())
				b.check(r.endLines())
				if got.String() != want {
					t.Errorf("former %t, %d steps before, %d after: %q, want %q", former, before, after, got.String(), want)
				}
				ix.Close()
				r.src.close()
			}
		}
	}
}
