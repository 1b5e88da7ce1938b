package port

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func text(t testing.TB, all ...Message) string {
	t.Helper()
	var b bytes.Buffer
	for _, m := range all {
		if err := Write(&b, m); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// read reads all that there is.
func read(t testing.TB, from string) (all []Message) {
	t.Helper()
	for r := NewReader(strings.NewReader(from)); ; {
		m, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
}

var some = []Message{
	{Hello: &Hello{From: Init, Pvpanic: true}},
	{Timeline: bytes.Repeat([]byte("{\"id\":1}\n"), 20_000)},
	{Report: &Report{Final: true, Faults: []string{"web: exit status 1\nand more"}, Containers: []Container{{"services", "web", "failed", "x"}}}},
	{Line: &Line{From: "web", Text: "a line <of> any\x00thing"}},
	{End: &End{Verb: "poweroff"}}, {Failed: []string{"/etc/shutdown.d/x: exit status 1"}}, {Pong: 7}, {Request: &Request{Report: true, Lines: []string{"web"}}}, {Ping: 7},
}

func TestMessages(t *testing.T) {
	if got := read(t, text(t, some...)); !reflect.DeepEqual(got, some) {
		t.Errorf("%+v", got)
	}
}

// The other side may be of another release.
func TestSumIsCRC32C(t *testing.T) {
	for _, text := range []string{"", "a", "123456789", strings.Repeat("\x00\xff", 5000)} {
		if got, want := sum([]byte(text)), crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli)); got != want {
			t.Errorf("%.10q: %08x, want %08x", text, got, want)
		}
	}
}

// What several programs write comes in pieces that lie between each other, and
// one that is killed leaves half a message.
func TestSeveralWriters(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var writers [][][]byte
	for _, m := range some {
		all, err := pieces(m)
		if err != nil {
			t.Fatal(err)
		}
		writers = append(writers, all)
	}
	cut, err := pieces(some[1])
	if err != nil {
		t.Fatal(err)
	}
	writers = append(writers, [][]byte{cut[0], cut[1][:100]})
	var wire []byte
	left := 0
	for _, w := range writers {
		left += len(w)
	}
	for left > 0 {
		if i := rnd.IntN(len(writers)); len(writers[i]) > 0 {
			wire = append(wire, writers[i][0]...)
			writers[i] = writers[i][1:]
			left--
		}
	}
	if got := read(t, string(wire)); len(got) != len(some) {
		t.Errorf("%d messages, want %d", len(got), len(some))
	}
}

func TestWhatIsNone(t *testing.T) {
	good := text(t, Message{Pong: 1})
	for _, from := range []string{
		"", "\n", "slipway: report: ok\n", `{"report":{"final":true}}` + "\n", strings.Replace(good, `"pong":1`, `"pong":2`, 1),
		good[:len(good)-4], "00000000 \n", "00000000 x.\n", strings.Repeat("x", 10*maxLine) + "\n",
	} {
		if got := read(t, from); len(got) > 0 {
			t.Errorf("%.60q is taken for %+v", from, got)
		}
		if got := read(t, from+good); len(got) != 1 || got[0].Pong != 1 {
			t.Errorf("behind %.60q: %+v", from, got)
		}
	}
	if err := Write(io.Discard, Message{Timeline: make([]byte, maxMessage)}); err == nil || !strings.HasSuffix(err.Error(), " bytes is too long") {
		t.Errorf("a message without bound: %v", err)
	}
}

// Unfinished messages cost a bounded amount.
func TestUnfinished(t *testing.T) {
	r := NewReader(nil)
	for i := range 10_000 {
		rest := fmt.Appendf(nil, "%d+%s", i%20, bytes.Repeat([]byte("x"), maxPiece))
		r.take(fmt.Appendf(nil, "%08x %s", sum(rest), rest))
		n := 0
		for _, p := range r.parts {
			n += len(p)
		}
		if n > maxUnfinished*maxMessage || len(r.parts) > maxUnfinished {
			t.Fatalf("%d bytes in %d messages are kept", n, len(r.parts))
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte(text(f, some[0], some[3])))
	f.Fuzz(func(t *testing.T, from []byte) {
		for _, m := range read(t, string(from)) {
			if again := read(t, text(t, m)); len(again) != 1 || !reflect.DeepEqual(again[0], m) {
				t.Errorf("%+v is read again as %+v", m, again)
			}
		}
	})
}

func TestFind(t *testing.T) {
	sys := t.TempDir()
	if _, err := Await(sys, "/dev"); !errors.Is(err, ErrNone) {
		t.Errorf("without a device: %v", err)
	}
	for port, name := range map[string]string{"vport0p1": "org.qemu.guest_agent.0", "vport0p2": Name} {
		dir := filepath.Join(sys, "class/virtio-ports", port)
		if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(dir+"/name", []byte(name+"\n"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := find(sys); got != "vport0p2" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// A port is waited for only while one may come.
func TestPending(t *testing.T) {
	sys := t.TempDir()
	device := filepath.Join(sys, "bus/virtio/drivers/virtio_console/virtio3")
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(device, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		name, text string
		want       bool
	}{
		{"features", "1000000000", false}, // a console alone
		{"features", "1100000000", true},
		{"virtio-ports/vport3p1/dev", "", true},
		{"virtio-ports/vport3p1/name", "org.qemu.guest_agent.0", false},
		{"virtio-ports/vport3p2/dev", "", true},
	} {
		if write(step.name, step.text); pending(sys) != step.want {
			t.Errorf("with %s %q: %v", step.name, step.text, !step.want)
		}
	}
}

const childVar = "SLIPWAY_TEST_PORT_CHILD"

// TestHand gives the port to a child, which speaks and listens on it and whose
// own children do not get it.
func TestHand(t *testing.T) {
	if os.Getenv(childVar) != "" {
		child()
	}
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, host := newPort(ends[0]), newPort(ends[1])
	cmd := exec.Command(os.Args[0], "-test.run=^TestHand$")
	cmd.Env = append(os.Environ(), childVar+"=1")
	ours.Hand(cmd, 1)
	cmd.ExtraFiles = append([]*os.File{os.Stderr}, cmd.ExtraFiles...) // as the keeper does
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if m, err := host.Receive(); err != nil || m.Hello == nil || m.Hello.From != Services {
		t.Errorf("%+v %v", m, err)
	}
	if err := host.Send(Message{Ping: 3}, time.Minute); err != nil {
		t.Error(err)
	}
	if m, err := host.Receive(); err != nil || m.Pong != 3 {
		t.Errorf("%+v %v", m, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	// The parent has it still.
	if err := ours.Send(Message{End: &End{Verb: "halt"}}, time.Minute); err != nil {
		t.Error(err)
	}
	if m, err := host.Receive(); err != nil || m.End == nil {
		t.Errorf("%+v %v", m, err)
	}
	// A host that does not read is not waited for.
	start := time.Now()
	for err = nil; err == nil; {
		err = ours.Send(some[1], 10*time.Millisecond)
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) > time.Minute {
		t.Errorf("%v after %s", err, time.Since(start))
	}
	if err := errors.Join(ours.Close(), host.Close()); err != nil {
		t.Error(err)
	}
}

func child() {
	p := Inherited()
	err := p.Send(Message{Hello: &Hello{From: Services}}, time.Minute)
	m, rerr := p.Receive()
	err = errors.Join(err, rerr, p.Send(Message{Pong: m.Ping}, time.Minute))
	if out, serr := exec.Command("/bin/sh", "-c", "ls -l /proc/self/fd; env").CombinedOutput(); serr != nil || strings.Contains(string(out), "socket:") || strings.Contains(string(out), inherited) {
		err = errors.Join(err, fmt.Errorf("the child's child has %s, %w", out, serr))
	}
	if err != nil || Inherited() != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// slow is a file that takes a byte and no more for so many times, until its deadline or long after it,
// and then takes all at its pace.
type slow struct {
	busy         int
	late, pace   time.Duration
	now, waitFor time.Time
	took         []byte
}

func (s *slow) SetWriteDeadline(t time.Time) error {
	s.waitFor = t
	return nil
}

func (s *slow) Write(p []byte) (int, error) {
	if !s.waitFor.After(s.now) {
		return 0, os.ErrDeadlineExceeded
	}
	if s.busy--; s.busy >= 0 {
		s.now = s.waitFor.Add(s.late)
		s.took = append(s.took, p[0])
		return 1, os.ErrDeadlineExceeded
	}
	s.now = s.now.Add(s.pace)
	s.took = append(s.took, p...)
	return len(p), nil
}

// A deadline that has passed, because nobody could keep it, is a part of the limit and not all; and all
// pieces of a message have one limit.
func TestPatient(t *testing.T) {
	const limit, pieces = time.Minute, 40
	piece := strings.Repeat("piece", 300)
	for _, c := range []struct {
		name  string
		slow  slow
		want  error
		least time.Duration // that it takes
		most  time.Duration
	}{
		{"at once", slow{}, nil, 0, 0},
		{"in the last part", slow{busy: patience - 1}, nil, limit * 9 / 10, limit * 9 / 10},
		{"never", slow{busy: 1000}, os.ErrDeadlineExceeded, limit, limit},
		{"after it stood still for an hour", slow{busy: 1, late: time.Hour}, nil, time.Hour, time.Hour + limit},
		{"each piece nearly too late", slow{pace: limit/patience - time.Second}, os.ErrDeadlineExceeded, limit - limit/patience, limit},
	} {
		s := &c.slow
		begin := s.now
		p := &patient{file: s, part: limit / patience, left: limit, now: func() time.Time { return s.now }}
		var err error
		wrote := 0
		for range pieces {
			var n int
			n, err = p.Write([]byte(piece))
			if wrote += n; err != nil {
				break
			}
		}
		took := s.now.Sub(begin)
		if !errors.Is(err, c.want) || wrote != len(s.took) || c.want == nil && string(s.took) != strings.Repeat(piece, pieces) {
			t.Errorf("%s: %d of %d, %v", c.name, wrote, len(s.took), err)
		}
		if took < c.least || took > c.most {
			t.Errorf("%s: took %s, want %s to %s", c.name, took, c.least, c.most)
		}
	}
}

// A machine without a port says nothing and hears nothing.
func TestNoPort(t *testing.T) {
	var p *Port
	p.Hand(&exec.Cmd{}, 0)
	if err := errors.Join(p.Send(Message{Pong: 1}, 0), p.Close()); err != nil {
		t.Error(err)
	}
}

func TestOOMLine(t *testing.T) {
	const kill = "Out of memory: Killed process 77 (sshd) total-vm:1kB"
	for log, want := range map[string]string{
		"": "",
		"<6>[    1.0] usb\n<3>[    9.1] " + kill + "\n<3>[    9.2] " + strings.Replace(kill, "77", "78", 1) + "\n": kill,
		"<3>" + kill + "\n":                      kill,
		"<3>[    9.1][  T77] " + kill + "\n":     kill,
		"<11>[    9.1] " + kill + "\n":           "", // a program's
		"<12>[    9.1] x\n<12>[    9.1] " + kill: "",
		kill + "\n":                              "",
		"<3>[    9.1] Memory cgroup out of memory: Killed process 77 (sshd)\n": "",
	} {
		if got := oomLine(log); got != want {
			t.Errorf("%q: %q, want %q", log, got, want)
		}
	}
}
