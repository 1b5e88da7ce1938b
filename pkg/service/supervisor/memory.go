package supervisor

import (
	"context"
	"errors"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/container/cgroup"
	"slipway/pkg/container/quota"
	"slipway/pkg/service/memory"
	"slipway/pkg/service/status"
)

// checkLayers warns when writable layers whose sizes are given may take more
// than there is for all: then the limit of their containers' memory is what
// holds, and files that do not fit are a reason to be killed.
func (s *Supervisor) checkLayers() {
	q, _, err := quota.Open(s.Host.Paths.Own())
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
		s.Host.Say("services: warning: slipway.upper gives writable layers %s of memory together; on this machine %s are meant for all of them",
			status.Size(sum), status.Size(q.Layers))
	}
}

// memories is what was told of the memory that all containers share.
type memories struct {
	told   string // who held the most when it was told last, or ""
	when   time.Time
	victim string
}

// tellEvery bounds how often it is told while others take turns.
const tellEvery = 10 * time.Second

// watchMemory tells when memory runs short, before the kernel kills, and sees
// to it that the kernel then kills who has taken the most: by itself it looks at
// processes, and misses those whose memory lies in files.
func (s *Supervisor) watchMemory() {
	missing := func(what string) { s.Host.Journal.Add(time.Now(), "memory: "+what) }
	err := memory.Watch(missing, func() (short bool) {
		u, err := memory.Look()
		if err != nil {
			s.log.Warn("memory", "err", err)
			return true // rather not slow them down
		}
		// The next look waits for this one.
		s.report(s.Do(context.Background(), func() { s.memoryIs(u) }))
		return u.Short()
	})
	s.report(err)
}

// memoryIs takes note of how memory is used.
func (s *Supervisor) memoryIs(u memory.Use) {
	m := &s.memory
	if !u.Short() {
		m.told = ""
		return
	}
	most := u.Most()
	s.sacrifice(most)
	if m.told != "" && (m.told == most || time.Since(m.when) < tellEvery) {
		return
	}
	m.told, m.when = most, time.Now()
	if most == "" {
		m.told = "nobody"
	}
	s.Host.Say("memory: %s", u)
}

// victimScore makes a process the first that the kernel kills for want of memory.
const victimScore = 1000

// sacrifice makes a container the one that the kernel kills from, and the one
// before like any other again. One whose YAML gives a score keeps it.
func (s *Supervisor) sacrifice(name string) {
	m := &s.memory
	if m.victim != name && m.victim != "" {
		s.report(s.score(m.victim, 0))
	}
	if m.victim = name; name != "" {
		s.report(s.score(name, victimScore))
	}
}

func (s *Supervisor) score(name string, score int) error {
	b := s.bundles[name]
	groups, err := cgroup.Members()
	g, there := groups[name]
	if err != nil || !there || b == nil || b.Spec.Process.OOMScoreAdj != nil {
		return err
	}
	pids, err := g.Pids()
	for _, pid := range pids {
		file := "/proc/" + strconv.Itoa(pid) + "/oom_score_adj"
		if e := os.WriteFile(file, []byte(strconv.Itoa(score)), 0); e != nil && !errors.Is(e, os.ErrNotExist) && !errors.Is(e, unix.ESRCH) {
			err = e
		}
	}
	return err
}
