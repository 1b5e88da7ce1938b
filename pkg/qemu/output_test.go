package qemu

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/pkg/port"
)

func collecting(t *testing.T, most int64) (*collector, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "out")
	c, err := collect(Output{Dir: dir, Most: most})
	if err != nil {
		t.Fatal(err)
	}
	return c, dir
}

func piece(name string, size, at int64, data string) *port.File {
	return &port.File{Name: name, Size: size, At: at, Data: []byte(data)}
}

// tree is what lies in a directory: "name mode: content".
func tree(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(name)
		rel, _ := filepath.Rel(dir, name)
		all = append(all, fmt.Sprintf("%s %s: %s", rel, info.Mode(), data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestCollect(t *testing.T) {
	c, dir := collecting(t, 100)
	for _, f := range []*port.File{
		piece("a", 3, 0, "one"), piece("sub/b", 6, 0, "thr"), piece("sub/b", 6, 3, "ee!"), piece("empty", 0, 0, ""),
		piece("again", 5, 0, "be"), piece("again", 3, 0, "new"), // a program that was killed, and its next
		piece("a", 3, 0, "two"),
	} {
		c.take(f)
	}
	c.end(&port.Files{Number: 4, Left: []string{"x: a symbolic \x1blink"}})
	got := c.result("the guest powered off")
	if got.Fault != "" || got.Number != 4 || got.Bytes != 12 || got.String() != "4 files in "+dir+"; left out: x: a symbolic  link" {
		t.Errorf("%+v: %s", got, got)
	}
	want := []string{"a -rw-r--r--: two", "again -rw-r--r--: new", "empty -rw-r--r--: ", "sub/b -rw-r--r--: three!"}
	if all := tree(t, dir); !slices.Equal(all, want) {
		t.Errorf("%q", all)
	}
}

// Whatever a guest sends, nothing leaves the directory, no file is there that is not
// whole, and what was whole stays.
func TestCollectHostile(t *testing.T) {
	for _, tt := range []struct {
		fault string
		sent  []*port.File
	}{
		{"no path in a directory", []*port.File{piece("../x", 1, 0, "x")}},
		{"no path in a directory", []*port.File{piece("/etc/x", 1, 0, "x")}},
		{"no path in a directory", []*port.File{piece("good/../../x", 1, 0, "x")}},
		{"cannot be shown", []*port.File{piece("a\nb", 1, 0, "x")}},
		{"the name is taken", []*port.File{piece(partial, 1, 0, "x")}},
		{"the name is taken", []*port.File{piece(partial+"/x", 1, 0, "x")}},
		{"out of place", []*port.File{piece("x", 5, 0, "x"), piece("x", 5, 3, "x")}},
		{"out of place", []*port.File{piece("x", 5, 0, "x"), piece("y", 5, 1, "x")}},
		{"out of place", []*port.File{piece("x", 5, 0, "x"), piece("x", 6, 1, "x")}},
		{"out of place", []*port.File{piece("x", 5, -1, "x")}},
		{"out of place", []*port.File{piece("x", 1, 0, "x"), piece("x", 1, 1, "")}},
		{"more came than its 1", []*port.File{piece("x", 1, 0, "xyz")}},
		{"more than 100 bytes", []*port.File{piece("x", 1<<62, 0, "x")}},
		{"more than 100 bytes", []*port.File{piece("x", -1, 0, "x")}},
		{"more than 100 bytes", []*port.File{piece("x", 60, 0, strings.Repeat("x", 60)), piece("y", 60, 0, strings.Repeat("y", 60))}},
		{"good", []*port.File{piece("good/x", 1, 0, "x")}},                 // below a file
		{"", []*port.File{piece("d/x", 1, 0, "x"), piece("d", 1, 0, "x")}}, // over a directory
	} {
		c, dir := collecting(t, 100)
		c.take(piece("good", 4, 0, "good"))
		for _, f := range tt.sent {
			c.take(f)
		}
		c.take(piece("late", 4, 0, "late"))
		c.end(&port.Files{})
		got := c.result("")
		if got.Fault == "" || !strings.Contains(got.Fault, tt.fault) {
			t.Errorf("%q: %q", tt.fault, got.Fault)
		}
		all := tree(t, dir)
		if !slices.Contains(all, "good -rw-r--r--: good") || slices.ContainsFunc(all, func(s string) bool { return strings.Contains(s, "partial") || strings.Contains(s, "late") }) {
			t.Errorf("%q: %q", tt.fault, all)
		}
		if beside, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(beside) != 1 {
			t.Errorf("%q: beside it lie %v, %v", tt.fault, beside, err)
		}
	}
}

// A file that is handed out again counts once, and one that is begun behind the last is
// not left lying there. What comes when the result is known changes nothing.
func TestCollectAgain(t *testing.T) {
	c, dir := collecting(t, 10)
	for range 3 {
		c.take(piece("a", 6, 0, "abcdef"))
		c.take(piece("b", 9, 0, "xxx"))
	}
	c.take(piece("b", 4, 0, "four"))
	c.take(piece("begun", 3, 0, "")) // and left out
	c.end(&port.Files{Number: 2})
	if all := tree(t, dir); len(all) != 2 {
		t.Errorf("%q", all)
	}
	c.take(piece("c", 10, 0, ""))
	res := c.result("the guest powered off")
	c.take(piece("d", 1, 0, "d"))
	c.end(&port.Files{Fault: "late"})
	if res.Number != 2 || res.Bytes != 10 || res.Fault != "c came in part: the guest powered off" {
		t.Errorf("%+v", res)
	}
	if all := tree(t, dir); !slices.Equal(all, []string{"a -rw-r--r--: abcdef", "b -rw-r--r--: four"}) {
		t.Errorf("%q", all)
	}
}

func TestCollectMany(t *testing.T) {
	c, dir := collecting(t, 1<<20)
	for i := range port.MaxFiles {
		c.take(piece(fmt.Sprintf("d%d/x", i), 0, 0, ""))
	}
	c.end(&port.Files{})
	if got := c.result(""); !strings.Contains(got.Fault, "more than 4096 files") || got.Number != port.MaxFiles/2 || len(tree(t, dir)) != got.Number {
		t.Errorf("%+v", got)
	}
}

// A disk that is full costs the files that are not whole, and the run its status.
func TestCollectFullDisk(t *testing.T) {
	c, dir := collecting(t, 100)
	c.take(piece("a", 1, 0, "a"))
	c.take(piece("b", 2, 0, "b"))
	if err := c.file.Close(); err != nil { // writing fails from now on
		t.Fatal(err)
	}
	c.take(piece("b", 2, 1, "b"))
	c.end(&port.Files{Number: 2})
	got := c.result("")
	if got.Number != 1 || !strings.HasPrefix(got.String(), "a file in "+dir+", and not all: write b: file already closed") {
		t.Errorf("%s", got)
	}
	if all := tree(t, dir); !slices.Equal(all, []string{"a -rw-r--r--: a"}) {
		t.Errorf("%q", all)
	}
}

// A guest that ends before it was asked has handed out what came whole.
func TestCollectCutShort(t *testing.T) {
	c, dir := collecting(t, 100)
	c.take(piece("a", 1, 0, "a"))
	c.take(piece("b", 2, 0, "b"))
	if got := c.result("kernel panic").String(); got != "a file in "+dir+", and not all: the guest did not hand out what it had: kernel panic" {
		t.Error(got)
	}
	if all := tree(t, dir); !slices.Equal(all, []string{"a -rw-r--r--: a"}) {
		t.Errorf("%q", all)
	}
	c, _ = collecting(t, 100)
	c.end(&port.Files{Number: 2})
	if got := c.result("").String(); got != "none: 0 of 2 came" {
		t.Error(got)
	}
	c, _ = collecting(t, 100)
	c.end(&port.Files{})
	if got := c.result("").String(); got != "no files" {
		t.Error(got)
	}
}

func TestCollectDir(t *testing.T) {
	dir := t.TempDir()
	if c, err := collect(Output{Dir: dir, Most: 1}); err != nil || c.refuse() != nil {
		t.Errorf("an empty directory: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for taken, want := range map[string]string{dir: "is not empty", filepath.Join(dir, "x"): "not a directory", filepath.Join(dir, "none/out"): "no such file"} {
		if _, err := collect(Output{Dir: taken, Most: 1}); err == nil || !strings.Contains(err.Error(), taken) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", taken, err, want)
		}
	}
	made := filepath.Join(dir, "made")
	c, err := collect(Output{Dir: made, Most: 1})
	if err != nil || c.refuse() != nil {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(made); !os.IsNotExist(err) {
		t.Errorf("a machine that was not started leaves its directory: %v", err)
	}
}

// The judge waits for files that come, and no longer.
func TestHandOut(t *testing.T) {
	const fileMsg, filesMsg = `port:{"file":{"name":"a","size":1}}`, `port:{"files":{"number":1}}`
	w := Watch{Output: Output{Dir: "out", Most: 1}}
	for _, tt := range []struct {
		name   string
		watch  func(*Watch)
		script script
		did    string
	}{
		{"power-off", func(*Watch) {}, script{hello, "user: off", "+20s", going, "+25s", fileMsg, "+8s", fileMsg, "+8s", filesMsg, off}, "no quit"},
		{"asked twice", func(*Watch) {}, script{hello, going, fileMsg, "user: off", "user: off", fileMsg, "+1s"}, "quit@0s"},
		{"timeout", func(w *Watch) { w.Timeout = 60e9 }, script{hello, "+60s", `port:{"report":{}}`, "+8s", fileMsg, "+8s", fileMsg, filesMsg, "+1s"}, "quit@1m16s"},
		{"timeout, no files", func(w *Watch) { w.Timeout = 60e9 }, script{hello, "+60s", `port:{"report":{}}`, "+20s"}, "quit@1m10s"},
		{"a line fails it", func(w *Watch) { w.FailOn = patterns("bad") }, script{hello, "bad", "+4s", fileMsg, filesMsg, "+5s"}, "ask@0s quit@5s"},
		{"a line fails it, no files", func(w *Watch) { w.FailOn = patterns("bad") }, script{hello, "bad", "+20s"}, "ask@0s quit@10s"},
		{"pieces without end", func(w *Watch) { w.Timeout = 60e9 }, append(script{hello, "+60s"}, slices.Repeat(script{fileMsg, "+5s"}, 40)...), "quit@3m10s"},
		{"pieces that nobody asked for", func(w *Watch) { w.Timeout, w.Output = 60e9, Output{} }, append(script{hello, "+60s"}, slices.Repeat(script{fileMsg, "+5s"}, 4)...), "quit@1m10s"},
		{"a line fails it on the way down", func(w *Watch) { w.FailOn = patterns("bad") }, script{hello, going, "bad", "+8s", fileMsg, "+8s", filesMsg, "+5s"}, "quit@17s"},
		{"timeout on the way down", func(w *Watch) { w.Timeout = 60e9 }, script{hello, going, "+60s", fileMsg, "+8s", filesMsg, "+5s"}, "quit@1m10s"},
		{"a line fails it, no guest", func(w *Watch) { w.FailOn = patterns("bad") }, script{"bad", "+5s"}, "quit@1s"},
	} {
		w := w
		tt.watch(&w)
		_, did := play(t, w, tt.script)
		text := strings.Join(slices.DeleteFunc(did, func(s string) bool { return strings.HasPrefix(s, "power@") || strings.HasPrefix(s, "reset@") }), " ")
		if tt.did == "no quit" && strings.Contains(text, "quit") || tt.did != "no quit" && !strings.HasSuffix(text, tt.did) {
			t.Errorf("%s: %q, want %q", tt.name, text, tt.did)
		}
	}
}
