package qemu

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"slipway/pkg/port"
	"slipway/test/heap"
)

// The fake QEMUs below speak on the descriptors that the real one inherits:
// console on 3, QMP on 4.
const greet = `echo '{"QMP":{}}' >&4; read x <&4; `

func start(t *testing.T, script string, w Watch) (*VM, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	vm, err := Start(Config{Binary: fakeQEMU(t, script), Boot: Boot{Disk: "d"}}, w, Console{Output: &out, Plain: true})
	if err != nil {
		t.Fatal(err)
	}
	return vm, &out
}

func TestRun(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, script string
		watch        Watch
		ending       Ending
		status       int
		output       string
	}{
		{"power-off", greet + `printf 'hi\r\n\033[1mbold\033[0m' >&3; echo '{"event":"SHUTDOWN","data":{"guest":true,"reason":"guest-shutdown"}}' >&4`, Watch{}, PoweredOff, 0, "hi\nbold"},
		{"QEMU refuses", `echo 'no such machine' >&2; exit 1`, Watch{}, Died, 6, ""},
		{"killed from outside", greet + `kill -KILL $$`, Watch{}, Died, 6, ""},
		{"garbage on QMP", `echo garbage >&4; printf x >&3; exec sleep 60`, Watch{Timeout: time.Second}, TimedOut, 5, "x"},
		{"timeout", greet + `exec sleep 60`, Watch{Timeout: 300 * time.Millisecond}, TimedOut, 5, ""},
		{"silence", greet + `echo x >&3; exec sleep 60`, Watch{Idle: time.Second}, Hung, 5, "x\n"},
		{"panic", greet + `echo 'Kernel panic - not syncing: x' >&3; echo '{"event":"GUEST_PANICKED"}' >&4; echo '---[ end Kernel panic' >&3; exec sleep 60`, Watch{}, Panicked, 3, "Kernel panic - not syncing: x\n---[ end Kernel panic\n"},
		{"what is typed arrives", greet + `read x <&3; echo "got $x" >&3; echo '{"event":"SHUTDOWN","data":{"reason":"guest-shutdown"}}' >&4`, Watch{}, PoweredOff, 0, "got typed\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			vm, out := start(t, tt.script, tt.watch)
			if _, err := vm.Write([]byte("typed\n")); err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
			res := vm.Wait()
			// A bound on time may end the program before it has said anything.
			said := out.String() == tt.output || (tt.watch.Timeout+tt.watch.Idle > 0 && strings.HasPrefix(tt.output, out.String()))
			if res.Ending != tt.ending || res.Status() != tt.status || !said {
				t.Errorf("%s (status %d), output %q; want %s (%d), %q", res, res.Status(), out, tt.ending, tt.status, tt.output)
			}
			if err := syscall.Kill(vm.Pid(), 0); !errors.Is(err, syscall.ESRCH) {
				t.Errorf("QEMU is still there: %v", err)
			}
		})
	}
}

func TestPowerOffTwiceKills(t *testing.T) {
	vm, _ := start(t, greet+`while read x; do :; done <&4`, Watch{})
	vm.PowerOff()
	vm.PowerOff()
	if res := vm.Wait(); res.Ending != Stopped || res.Status() != StatusFailed {
		t.Errorf("%s (status %d)", res, res.Status())
	}
	vm.PowerOff() // of a machine that is gone: nothing happens
}

// A guest that hears the button only at the third press powers off all the same.
func TestPowerOffIsPressedAgain(t *testing.T) {
	t.Parallel()
	vm, _ := start(t, greet+`n=0; while [ $n -lt 3 ]; do read x <&4; case $x in *system_powerdown*) n=$((n+1));; esac; done; echo '{"event":"SHUTDOWN","data":{"reason":"guest-shutdown"}}' >&4`, Watch{})
	vm.PowerOff()
	if res := vm.Wait(); res.Ending != PoweredOff || res.Killed {
		t.Errorf("%s", res)
	}
}

func TestCauseIsInTheResult(t *testing.T) {
	vm, _ := start(t, `echo 'qemu: could not set up host forwarding rule' >&2; exit 1`, Watch{})
	if s := vm.Wait().String(); !strings.Contains(s, "could not set up host forwarding rule") {
		t.Errorf("result %q", s)
	}
}

// TestPort has a guest that writes megabytes of nothing on its port, and a report
// behind them, which it makes once it is asked.
func TestPort(t *testing.T) {
	var said, timeline bytes.Buffer
	err := errors.Join(
		port.Write(&said, port.Message{Hello: &port.Hello{From: port.Services}}),
		port.Write(&timeline, port.Message{Timeline: []byte("spans")}),
		port.Write(&timeline, port.Message{Report: &port.Report{Final: true, Faults: []string{"web: x"}}}))
	if err != nil {
		t.Fatal(err)
	}
	script := greet + fmt.Sprintf(`head -c 10000000 /dev/zero >&5; echo '%s' >&5; read x <&5; read x <&5; echo "$x" >&3; echo '%s' >&5; echo '{"event":"SHUTDOWN","data":{"reason":"guest-shutdown"}}' >&4`,
		said.String(), timeline.String())
	got := make(chan string, 1)
	var out bytes.Buffer
	vm, err := Start(Config{Binary: fakeQEMU(t, script), Boot: Boot{Disk: "d"}}, Watch{Report: true},
		Console{Output: &out, Timeline: func(data []byte) { got <- string(data) }})
	if err != nil {
		t.Fatal(err)
	}
	if res := vm.Wait(); res.Ending != PoweredOff || len(res.Warnings) > 0 || res.Report != "failed: web: x" || res.Status() != StatusFailed {
		t.Errorf("%s %q", res, res.Warnings)
	}
	if s := <-got; s != "spans" {
		t.Errorf("the timeline is %q", s)
	}
	if !strings.Contains(out.String(), `{"wishes":{"report":true,"timeline":true}}`) {
		t.Errorf("the guest was told %q", out.String())
	}
}

// busy is a port that takes no more than a byte the first time.
type busy struct {
	net.Conn
	times int
	took  bytes.Buffer
}

func (b *busy) SetWriteDeadline(time.Time) error { return nil }

func (b *busy) Write(p []byte) (int, error) {
	if b.times++; b.times == 1 {
		b.took.Write(p[:1])
		return 1, os.ErrDeadlineExceeded
	}
	return b.took.Write(p)
}

// What a guest does not take at once is said again, the newest request alone.
func TestSaidAgain(t *testing.T) {
	conn := &busy{}
	vm := &VM{judge: newJudge(Watch{Report: true}, time.Time{}), port: conn}
	vm.judge.message(port.Message{Hello: &port.Hello{From: port.Onboot}}, time.Time{})
	vm.speak()
	vm.judge.tell(port.Message{Ping: 7})
	vm.judge.askOff(time.Unix(1, 0))
	vm.speak()
	vm.speak()
	var heard []port.Message
	for r := port.NewReader(&conn.took); ; {
		m, err := r.Next()
		if err != nil {
			break
		}
		heard = append(heard, m)
	}
	if len(heard) != 2 || heard[0].Ping != 7 || heard[1].Request == nil || !heard[1].Request.Report || !heard[1].Request.Poweroff {
		t.Errorf("heard %+v", heard)
	}
}

func TestMissingBinary(t *testing.T) {
	if vm, err := Start(Config{Binary: "/nonexistent/qemu", Boot: Boot{Disk: "d"}}, Watch{}, Console{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v, %v", vm, err)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	// 64 MiB in one line, and 4 Mi short ones, of which each would be 16 bytes at least.
	script := greet + `head -c 67108864 /dev/zero | tr '\0' x >&3; yes '' | head -c 4194304 >&3; echo '{"event":"SHUTDOWN","data":{"reason":"guest-shutdown"}}' >&4`
	var res Result
	grown := heap.Growth(func() {
		vm, err := Start(Config{Binary: fakeQEMU(t, script), Boot: Boot{Disk: "d"}}, Watch{FailOn: patterns("y$")}, Console{Output: io.Discard})
		if err != nil {
			t.Fatal(err)
		}
		res = vm.Wait()
	})
	if res.Ending != PoweredOff {
		t.Error(res)
	}
	if grown > 32<<20 {
		t.Errorf("memory grew by %d bytes", grown)
	}
}

// A machine is up when QEMU answers, and a taken port is found before that.
func TestUp(t *testing.T) {
	vm, _ := start(t, greet+`echo '{"return":{}}' >&4; echo '{"return":{}}' >&4; exec sleep 60`, Watch{})
	if !vm.AwaitUp() {
		t.Error("a machine that runs is not up")
	}
	vm.Kill()
	vm.Wait()
	if vm, _ := start(t, greet+`exit 1`, Watch{}); vm.AwaitUp() {
		t.Error("a machine that never ran is up")
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := Publish{Addr: "127.0.0.1", Host: l.Addr().(*net.TCPAddr).Port, Guest: 80}
	_, err = Start(Config{Binary: fakeQEMU(t, "exit 1"), Boot: Boot{Disk: "d"}, Publish: []Publish{taken}}, Watch{}, Console{})
	if want := fmt.Sprintf("publish port %d of this host: ", taken.Host); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("a port that is taken: %v, want %s", err, want)
	}
	taken.UDP = true // is another port
	if err := taken.check(); err != nil {
		t.Error(err)
	}
}
