package supervisor

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
	"slipway/pkg/container/cgroup"
	"slipway/pkg/container/memory"
	"slipway/pkg/container/quota"
)

// checkLayers warns when writable layers whose sizes are given may take more
// than there is for all: then the limit of their containers' memory is what
// holds, and files that do not fit are a reason to be killed.
func (s *Supervisor) checkLayers() {
	q, _, err := quota.Open(s.Guest.Paths.RunDir(), s.Guest.Paths.Count(bundle.Onshutdown) > 0)
	if err != nil || q.Memory == 0 {
		return
	}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return
	}
	var sum uint64
	for _, b := range s.bundles {
		if !b.Spec.Root.Readonly {
			sum += b.Policy.Upper.Bytes(uint64(info.Totalram) * uint64(info.Unit))
		}
	}
	if sum > q.Layers {
		s.Guest.Say("services: warning: slipway.upper gives writable layers %s of memory together; on this machine %s are meant for all of them",
			memory.Size(sum), memory.Size(q.Layers))
	}
}

// memoryReports is what was told of the memory that all containers share.
type memoryReports struct {
	reported string // who held the most when it was reported last, or ""
	when     time.Time
}

// tellEvery bounds how often it is told while others take turns.
const tellEvery = 10 * time.Second

// watchMemory tells when memory runs short, before the kernel kills, and sees
// to it that the kernel then kills who has taken the most: by itself it looks at
// processes, and misses those whose memory lies in files.
func (s *Supervisor) watchMemory() {
	missing := func(what string) { s.Guest.Journal.Add(s.Clock.Now(), "memory: "+what) }
	scored := map[string]int{}
	err := memory.Watch(missing, func() (short bool) {
		u, err := memory.Look(nil)
		if err != nil {
			s.log.Warn("memory", "err", err)
			return true // rather not slow them down
		}
		want := scores(u)
		// The next look waits for this one.
		s.report(s.Do(context.Background(), func() {
			s.memoryIs(u)
			for name := range want {
				if b := s.bundles[name]; b == nil || b.Spec.Process.OOMScoreAdj != nil {
					delete(want, name)
				}
			}
		}))
		s.report(setScores(scored, want))
		return u.Short()
	})
	s.report(err)
}

// watchMachine ends the container behind which the kernel has taken memory that it
// counts for nobody, when that is what the machine lacks. The kernel itself would
// kill others first: the processes that have caused it are small.
func (s *Supervisor) watchMachine() {
	if !cgroup.Top().Exists() {
		return
	}
	failed := map[string]bool{} // whom it could not end
	memory.WatchMachine(quota.Floor, func() {
		groups, pids := s.groups(), map[string][]int{}
		for name, g := range groups {
			if all, err := g.Pids(); err == nil { // or it has ended
				pids[name] = all
			}
		}
		for _, name := range memory.LookBehind(pids, quota.Floor, killWait).Over(quota.Floor) {
			if result := end(groups[name]); result == nil || !failed[name] {
				failed[name] = result != nil
				s.sayKilled(name, result)
			}
		}
	}, s.report)
}

func end(g cgroup.Group) error {
	ctx, cancel := context.WithTimeout(context.Background(), killWait)
	defer cancel()
	return g.Kill(ctx)
}

func (s *Supervisor) sayKilled(name string, result error) {
	what := "killed"
	switch {
	case errors.Is(result, context.DeadlineExceeded):
		what = "killed, and has not ended yet" // the kernel takes back what it has
	case result != nil:
		what = "it cannot be killed: " + result.Error()
	}
	s.report(s.Do(context.Background(), func() {
		s.Guest.Say("memory: the machine has less than %s left, and %s has taken more than that with netlink sockets or locks of files, which no limit counts: %s",
			memory.Size(quota.Floor), name, what)
	}))
}

// killWait is for processes that end, and for a look at what they have open; others
// wait to be looked at.
const killWait = 2 * time.Second

// groups are those of all containers: those in the common one by their ids, and
// services that YAML has put elsewhere.
func (s *Supervisor) groups() map[string]cgroup.Group {
	all, err := cgroup.Members()
	s.report(err)
	if all == nil {
		all = map[string]cgroup.Group{}
	}
	common := cgroup.Top().File("") + "/"
	s.report(s.Do(context.Background(), func() {
		for name, l := range s.lives {
			if l.container == nil {
				continue
			}
			if g := l.container.Group(); g.Exists() && !strings.HasPrefix(g.File(""), common) {
				all[name] = g
			}
		}
	}))
	return all
}

// memoryIs takes note of how memory is used.
func (s *Supervisor) memoryIs(u memory.Use) {
	m := &s.memory
	if !u.Short() {
		m.reported = ""
		return
	}
	most := u.Most()
	if m.reported != "" && (m.reported == most || s.Clock.Now().Sub(m.when) < tellEvery) {
		return
	}
	m.reported, m.when = most, s.Clock.Now()
	if most == "" {
		m.reported = "nobody"
	}
	s.Guest.Say("memory: %s", u)
}

// scores are oom_score_adj of processes by their containers, as long as memory is
// short: thousandths of the common limit, which the kernel adds to what a process
// has by itself. It then kills where the most is held, files included, and next
// where the second most is: it does not wait for the memory of one that it has
// killed (a process is skipped once its threads end, Linux 6.1). Who holds little
// is like any other.
func scores(u memory.Use) map[string]int {
	all := map[string]int{}
	if !u.Short() {
		return all
	}
	for _, h := range u.Holders {
		if h.Held >= u.Limit/32 {
			all[h.Name] = int(min(h.Held*1000/u.Limit, 1000))
		}
	}
	return all
}

// setScores gives containers the scores that are wanted, and those that had one
// before, as scored says, none. New processes of theirs have to be found each time.
func setScores(scored, want map[string]int) error {
	if len(scored) == 0 && len(want) == 0 {
		return nil
	}
	groups, err := cgroup.Members()
	for name := range scored {
		if _, still := want[name]; !still {
			delete(scored, name)
			err = errors.Join(err, setScore(groups[name], 0))
		}
	}
	for name, score := range want {
		scored[name] = score
		err = errors.Join(err, setScore(groups[name], score))
	}
	return err
}

// setScore does so for the processes of a group, which may be gone.
func setScore(g cgroup.Group, score int) error {
	pids, err := g.Pids()
	for _, pid := range pids {
		file := "/proc/" + strconv.Itoa(pid) + "/oom_score_adj"
		if e := os.WriteFile(file, []byte(strconv.Itoa(score)), 0); e != nil && !errors.Is(e, os.ErrNotExist) && !errors.Is(e, unix.ESRCH) {
			err = e
		}
	}
	return err
}
