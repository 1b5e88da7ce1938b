package store

import (
	"errors"
	"os"
	"strings"
	"testing"

	"slipway/pkg/bundle"
	"slipway/pkg/log/layout"
	"slipway/pkg/log/read"
)

// cutPower takes away what memory has, and changes what the disk has.
func cutPower(t *testing.T, p layout.Paths, change ...func() error) {
	t.Helper()
	errs := []error{os.RemoveAll(p.Run), os.Mkdir(p.Run, 0o755)}
	for _, f := range change {
		errs = append(errs, f())
	}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// add writes behind the end of a file.
func add(path, text string) func() error {
	return func() error {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteString(text)
		return errors.Join(err, f.Close())
	}
}

// shorten takes the last bytes of a file away.
func shorten(path string, n int64) func() error {
	return func() error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		return os.Truncate(path, info.Size()-n)
	}
}

// TestAfterAPowerCut: whatever the cut has left of file and index, what is there
// is read, and what is missing is told.
func TestAfterAPowerCut(t *testing.T) {
	zeros := strings.Repeat("\x00", 4096)
	for name, c := range map[string]struct {
		cut  func(file, index string) []func() error
		want string
	}{
		"nothing is missing": {func(_, _ string) []func() error { return nil }, "one|two"},
		"zeros at the end":   {func(f, _ string) []func() error { return []func() error{add(f, zeros)} }, "one|two|hole 4096"},
		"zeros that the index knows": {func(f, _ string) []func() error {
			return []func() error{shorten(f, 2), add(f, "\x00\x00"+zeros[:100]+"\nmore\n")}
		}, "one|tw|hole 102||more"},
		"few zeros are text":  {func(f, _ string) []func() error { return []func() error{add(f, "a\x00b\n")} }, "one|two|a\x00b"},
		"the file is shorter": {func(f, _ string) []func() error { return []func() error{shorten(f, 3)} }, "one|hole 3|t"},
		"a torn record":       {func(_, ix string) []func() error { return []func() error{shorten(ix, 7)} }, "one|two"},
		"zeros for records": {func(_, ix string) []func() error {
			return []func() error{shorten(ix, 24), add(ix, zeros[:30])}
		}, "one|two"},
		"no index": {func(_, ix string) []func() error {
			return []func() error{func() error { return os.Remove(ix) }}
		}, "one|two"},
		"no index, and zeros": {func(f, ix string) []func() error {
			return []func() error{add(f, zeros), func() error { return os.Remove(ix) }}
		}, "one|two|hole 4096"},
		"the index is empty": {func(_, ix string) []func() error {
			return []func() error{func() error { return os.Truncate(ix, 0) }}
		}, "one|two"},
	} {
		t.Run(name, func(t *testing.T) {
			p := testPaths(t)
			b := testBundle(bundle.Services, "foo")
			run(t, b, testOptions(t, p), "one\ntwo\n", "")
			cutPower(t, p, c.cut(p.Log+"/foo.out.log", p.Log+"/slipway/foo.idx")...)
			check := func(when, want string) {
				t.Helper()
				got := strings.ReplaceAll(strings.Join(texts(t, p, b, read.Query{}), "|"), "stdout ", "")
				// Where in the line a hole begins, its text shows.
				if got != want && !(strings.Contains(c.want, "hole 3") && got == strings.Replace(want, "hole 3|t", "hole 3", 1)) {
					t.Errorf("%s: %q, want %q", when, got, want)
				}
			}
			check("as it is", c.want)
			run(t, b, testOptions(t, p), "next\n", "")
			check("after the next run", c.want+"|next")
			run(t, b, testOptions(t, p), "last\n", "")
			check("after the last run", c.want+"|next|last")
		})
	}
}

// TestZerosOfThisBoot are what the container wrote.
func TestZerosOfThisBoot(t *testing.T) {
	p := testPaths(t)
	b := testBundle(bundle.Services, "foo")
	text := "a" + strings.Repeat("\x00", 100) + "b"
	run(t, b, testOptions(t, p), text+"\n", "")
	equal(t, "lines", texts(t, p, b, read.Query{}), []string{"stdout " + text})
}

// TestSomethingElseInPlaceOfAFile: the container runs, what it says is in
// memory, and nothing of what is there is touched.
func TestSomethingElseInPlaceOfAFile(t *testing.T) {
	for name, c := range map[string]func(path string) error{
		"a directory": func(path string) error { return os.MkdirAll(path+"/kept", 0o755) },
		"a link":      func(path string) error { return os.Symlink("/etc/hostname", path) },
		"a pipe":      func(path string) error { return makeFifo(path) },
	} {
		for _, file := range []string{"/foo.out.log", "/slipway/foo.idx"} {
			t.Run(name+" for "+file[1:], func(t *testing.T) {
				p := testPaths(t)
				if err := errors.Join(os.Mkdir(p.Log+"/slipway", 0o755), c(p.Log+file)); err != nil {
					t.Fatal(err)
				}
				before, err := os.Lstat(p.Log + file)
				if err != nil {
					t.Fatal(err)
				}
				b := testBundle(bundle.Services, "foo")
				run(t, b, testOptions(t, p), "a line\n", "")
				equal(t, "last lines", tail(t, p, b), []string{"stdout a line"})
				if after, err := os.Lstat(p.Log + file); err != nil || !os.SameFile(before, after) {
					t.Errorf("it was replaced: %v", err)
				}
				var got []string
				var fault error
				for l, err := range read.Read(t.Context(), p, b.Section, b.Name, read.Query{}) {
					if fault = errors.Join(fault, err); err == nil {
						got = append(got, show(l))
					}
				}
				equal(t, "lines", got, []string{"stdout a line"})
				if (fault != nil) != (file == "/slipway/foo.idx") {
					t.Errorf("the reader says %v", fault)
				}
			})
		}
	}
}
