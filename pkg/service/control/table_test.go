package control

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"slipway/pkg/service/state"
)

func many(n int) List {
	l := List{LastBoot: "reboot, because service database-of-everything failed: " + strings.Repeat("a long tale ", 12),
		Steps: []Step{{Section: "onboot", Name: "000-" + strings.Repeat("n", 60), State: "failed",
			Result: strings.Repeat("mount overlay on /containers/onboot: invalid argument; ", 3), Took: 90 * time.Second}}}
	states := state.All()
	for i := range n {
		s := Service{Name: fmt.Sprintf("service-%03d-%s", i, strings.Repeat("x", i%50)), State: states[i%len(states)],
			Cause: strings.Repeat("because of this and that, ", i%9), WaitsFor: "db, which is running", Restarts: 7 << (i % 25)}
		if s.State.Up() {
			s.Pid, s.Uptime, s.Memory, s.CPU = 4194304, 1e8, math.MaxUint64, 1e7
		}
		s.LastExit = []*state.Exit{nil, {Cause: "exit status 143", Code: 143}, {Cause: "killed by SIGKILL", Signal: "SIGKILL"},
			{OOM: true, Signal: "SIGKILL"}, {Cause: strings.Repeat("exit status was not recorded", 2)}}[i%5]
		l.Services = append(l.Services, s)
	}
	return l
}

func TestTableFits(t *testing.T) {
	for _, width := range []int{0, 80, 132} {
		table := Table(many(200), width)
		for line := range strings.Lines(table) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > max(width, 80) {
				t.Errorf("width %d: a line of %d: %s", width, n, line)
			}
		}
	}
}

func TestTable(t *testing.T) {
	got := Table(List{
		Steps: []Step{{Name: "000-dhcp", State: "done", Took: 783 * time.Millisecond, Result: "exit status 0"}},
		Services: []Service{
			{Name: "web", State: state.Ready, Pid: 179, Ready: 0.085, Uptime: 75, Restarts: 2, Memory: 184 << 10, CPU: 0.077,
				LastExit: &state.Exit{Code: 143, Cause: "exit status 143"}},
			{Name: "db", State: state.Running, Pid: 17, Uptime: 1},
			{Name: "a-name-that-is-much-too-long", State: state.Failed, Cause: "start: open /etc/x:\nno such file\x1b[31m or directory, and what is more it is not there either"},
			{Name: "api", State: state.Waiting, WaitsFor: "db, which is running"},
		},
	}, 80)
	want := `STEP                     STATE      TOOK  RESULT
000-dhcp                 done      783ms  exit status 0
SERVICE              STATE     READY     PID    UP  RST LAST EXIT      MEM   CPU
web                  ready      85ms     179   75s    2 exit 143      184K  77ms
db                   running      no      17  1.0s    0 -               0B    0s
a-name-that-is-much… failed        -       -     -    0 -                -     -
api                  waiting       -       -     -    0 -                -     -
a-name-that-is-much-too-long: start: open /etc/x: no such file?[31m or
    directory, and what is more it is not there either
api: waits for db, which is running
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestDuration(t *testing.T) {
	for d := time.Duration(1); d < 9999*24*time.Hour; d = d*11/10 + 1 {
		if s := Duration(d); len(s) > 5 {
			t.Errorf("%d: %s", d, s)
		}
	}
}
