package skip

import (
	"io"
	"runtime"
	"strings"
	"testing"
)

// fake is a test that notes how it ended.
type fake struct {
	testing.TB
	failed bool
	text   string
}

func (f *fake) Helper() {}

func (f *fake) Fatalf(format string, args ...any) {
	f.failed, f.text = true, format
	runtime.Goexit()
}

func (f *fake) Skip(args ...any) {
	f.text = args[0].(string)
	runtime.Goexit()
}

func TestCI(t *testing.T) {
	for _, tt := range []struct {
		ci     string
		why    Reason
		failed bool
	}{
		{"", Root, false}, {"false", Root, false}, {"true", Root, true}, {"true", Program, true}, {"true", "something new", true},
		{"true", Short, false},
	} {
		t.Setenv("CI", tt.ci)
		f := &fake{}
		over := make(chan struct{})
		go func() {
			defer close(over)
			Test(f, tt.why, "mounts ", 2)
			f.text = "neither"
		}()
		<-over
		want := string(tt.why) + ": mounts 2"
		if tt.failed {
			want = "%s; in CI"
		}
		if (Package(io.Discard, tt.why) != 0) != tt.failed {
			t.Errorf("CI=%s, %s: a whole package is treated in another way", tt.ci, tt.why)
		}
		if f.failed != tt.failed || !strings.HasPrefix(f.text, want) {
			t.Errorf("CI=%s, %s: failed %v, %q", tt.ci, tt.why, f.failed, f.text)
		}
	}
}
