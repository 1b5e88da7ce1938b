package timeline

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write the golden files anew")

const ms = time.Millisecond

// boot is a timeline as a small machine makes it.
func boot(t *testing.T, path string) []Span {
	t.Helper()
	r := Open(path)
	span := func(name string, from, took int, attrs ...Attr) {
		r.Span(name, time.Duration(from)*ms, time.Duration(from+took)*ms, nil, attrs...)
	}
	for i, name := range []string{"mount", "cgroups", "coldplug modules", "clock"} {
		span(name, 1450+40*i, 38, Phase(PhaseInit))
	}
	at := 1620
	for i, name := range []string{"000-sysctl", "001-dhcpcd", "002-<format>"} {
		c := []Attr{Phase(PhaseOnboot), Container(name)}
		span(StepPrepare, at, 8, c...)
		span(StepCreate, at+8, 90, c...)
		span(StepStart, at+98, 12, c...)
		span(StepRun, at+110, 30+150*i, c...)
		at += 145 + 150*i
	}
	for i, name := range []string{"sshd", "getty", "db", "web"} {
		c := []Attr{Phase(PhaseServices), Container(name)}
		from := at + 5*i
		if name == "web" {
			c = append(c, After("db"))
			from = at + 620
		}
		span(StepPrepare, from, 10, c...)
		span(StepCreate, from+10, 110, c...)
		span(StepStart, from+120, 15, c...)
		span(StepReady, from+135, 40+150*i, c...)
		r.write(line{ID: name, Name: StepRun, At: (time.Duration(from+135) * ms).Microseconds()}, c)
	}
	r.now = func() time.Duration { return 2600 * ms }
	end := r.Begin(StepCreate, Phase(PhaseServices), Container("broken"))
	r.now = func() time.Duration { return 4200 * ms }
	r.Event("mark", Phase(PhaseInit))
	r.now = func() time.Duration { return 2650 * ms }
	end(errors.New("no runc"))
	if err := errors.Join(r.Err(), r.Close()); err != nil {
		t.Fatal(err)
	}
	spans, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return spans
}

func TestGolden(t *testing.T) {
	spans := boot(t, filepath.Join(t.TempDir(), "timeline.jsonl"))
	for name, write := range map[string]func(io.Writer, []Span) error{
		"analyze.txt":        WriteAnalyze,
		"blame.txt":          WriteBlame,
		"critical-chain.txt": WriteCriticalChain,
		"plot.svg":           func(w io.Writer, s []Span) error { return Plot(w, "a machine & its boot", s) },
	} {
		var got bytes.Buffer
		if err := write(&got, spans); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s differs (go test -update writes it anew):\n%s", name, got.String())
		}
		if !strings.HasSuffix(name, ".txt") {
			continue
		}
		for line := range strings.Lines(got.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("%s has a line of %d columns: %q", name, n, line)
			}
		}
	}
}

func TestCriticalChainFollowsWhatIsNamed(t *testing.T) {
	chain := CriticalChain(boot(t, filepath.Join(t.TempDir(), "t")))
	var names []string
	for _, u := range chain {
		names = append(names, u.Name)
	}
	want := "web db 002-<format> 001-dhcpcd 000-sysctl clock coldplug modules cgroups mount"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("chain is %q, want %q", got, want)
	}
}

// TestSeveralProcesses: lines of one are not torn by those of another.
func TestSeveralProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "timeline.jsonl")
	if os.Getenv("SLIPWAY_TEST_TIMELINE") != "" {
		path = os.Getenv("SLIPWAY_TEST_TIMELINE")
	}
	record := func() {
		r := Open(path)
		for i := range 200 {
			r.Begin(fmt.Sprintf("step %d", i), Phase(PhaseInit))(nil)
		}
		if err := errors.Join(r.Err(), r.Close()); err != nil {
			t.Error(err)
		}
	}
	if os.Getenv("SLIPWAY_TEST_TIMELINE") != "" {
		record()
		return
	}
	cmd := exec.Command("/proc/self/exe", "-test.run", "^TestSeveralProcesses$")
	cmd.Env = append(os.Environ(), "SLIPWAY_TEST_TIMELINE="+path)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	record()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	spans, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range spans {
		if s.Open {
			t.Errorf("%s has no end", s.Name)
		}
	}
	if len(spans) != 400 {
		t.Errorf("%d spans of 400", len(spans))
	}
}

func TestFileIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "timeline.jsonl")
	r := Open(path)
	for range 3 * maxFile / 100 {
		r.Event(strings.Repeat("x", 1000))
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() > maxFile || r.Err() == nil {
		t.Errorf("%d bytes, %v, %v", info.Size(), err, r.Err())
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestNothingToShow(t *testing.T) {
	var none *Recorder
	none.Event("x")
	none.Begin("x")(nil)
	for _, write := range []func(io.Writer, []Span) error{WriteAnalyze, WriteBlame, WriteCriticalChain,
		func(w io.Writer, s []Span) error { return Plot(w, "", s) }} {
		if err := write(io.Discard, nil); err != nil {
			t.Error(err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"id":"1-1","at":5,"name":"a","phase":"onboot","container":"x","after":["y"]}` + "\n" + `{"id":"1-1","at":3,"end":true,"err":"e"}`))
	f.Add([]byte("{}\n\x00{\"at\":-1}\n{\"at\":1125899906842624,\"name\":\"<\\u0000>\",\"phase\":\"pid1\"}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		spans, err := Read(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range spans {
			if s.Took() < 0 {
				t.Fatalf("%v takes less than nothing", s)
			}
		}
		var svg bytes.Buffer
		if err := errors.Join(WriteBlame(&svg, spans), WriteAnalyze(&svg, spans), WriteCriticalChain(&svg, spans)); err != nil {
			t.Fatal(err)
		}
		svg.Reset()
		if err := Plot(&svg, "fuzz", spans); err != nil {
			t.Fatal(err)
		}
		for d := xml.NewDecoder(&svg); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("the picture is no XML: %v", err)
			}
		}
	})
}
