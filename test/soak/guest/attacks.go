package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"slipway/test/soak/look"
)

// harms are what one container does to the machine, each by a service of its name.
var harms = map[string]func(){
	"processes": func() {
		for {
			if cmd := exec.Command("/bin/soak", "idle"); cmd.Start() != nil {
				time.Sleep(time.Millisecond)
			}
		}
	},
	"memory": func() {
		var all [][]byte
		for {
			page := make([]byte, 1<<20)
			for i := 0; i < len(page); i += 4096 {
				page[i] = 1
			}
			all = append(all, page)
			_ = all
		}
	},
	"descriptors": func() {
		_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1 << 20, Max: 1 << 20})
		for range 100 {
			_ = exec.Command("/bin/soak", "attack", "open").Start()
		}
		select {}
	},
	"open": func() {
		for {
			var p [2]int
			if unix.Pipe(p[:]) != nil {
				time.Sleep(10 * time.Millisecond)
			}
		}
	},
	"layer": func() {
		for n := 0; ; n++ {
			if os.WriteFile(fmt.Sprintf("/full%d", n), make([]byte, 1<<20), 0o600) != nil {
				time.Sleep(10 * time.Millisecond)
			}
		}
	},
	"inodes": func() {
		for n := 0; ; n++ {
			if os.WriteFile("/tmp/"+strconv.Itoa(n), nil, 0o600) != nil {
				time.Sleep(10 * time.Millisecond)
			}
		}
	},
	"logs": func() {
		line := make([]byte, 8191)
		for i := range line {
			line[i] = 'x'
		}
		for {
			fmt.Println(string(line))
		}
	},
}

// attack does a harm, if somebody wants it by now: at boot nobody does.
func attack(words []string) error {
	if _, err := os.Stat("/wanted/" + words[0]); err != nil && words[0] != "open" {
		return nil
	}
	harms[words[0]]()
	return nil
}

// attacks starts one harmful service after the other, and wants those beside it
// to run on and the machine to answer, and everything as before when it is over.
func attacks([]string) error {
	calm := []string{"calm", "quiet"}
	if err := until("the services", func() error { return allReady(calm...) }); err != nil {
		return err
	}
	l := look.Look{Dirs: []string{"/run/runc", "/run/slipway/containers"}, Files: map[string]int{"PID 1": 1}}
	before, err := l.Take()
	if err != nil {
		return err
	}
	free, err := look.Available()
	if err != nil {
		return err
	}
	pids := map[string]int{}
	for _, name := range calm {
		s, err := service(name)
		if err != nil {
			return err
		}
		pids[name] = s.Pid
	}
	for harm := range harms {
		if harm == "open" {
			continue
		}
		say("TRY %s", harm)
		if err := endure(harm, pids); err != nil {
			say("FAULT %s: %v", harm, err)
		}
		if err := l.Same(before, 2*time.Minute); err != nil {
			say("FAULT after %s: %v", harm, err)
		}
	}
	now, err := look.Available()
	say("MEMORY before %d kB, after %d kB", free>>10, now>>10)
	return err
}

// endure has a harm done for a while.
func endure(harm string, pids map[string]int) error {
	supervisor, err := services()
	if err != nil {
		return err
	}
	if err := os.WriteFile("/run/soak/"+harm, nil, 0o600); err != nil {
		return err
	}
	if err := until("its rest", func() error { return down(harm) }); err != nil {
		return err
	}
	if err := ask("start", harm); err != nil {
		return err
	}
	var longest time.Duration
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		began := time.Now()
		if _, err := services(); err != nil {
			return fmt.Errorf("nobody answers: %w", err)
		}
		longest = max(longest, time.Since(began))
	}
	out, operatorErr := exec.Command("/usr/bin/service", "stop", harm).CombinedOutput()
	if operatorErr != nil {
		say("FAULT %s: an operator cannot stop it: %v: %.200s", harm, operatorErr, out)
		if err := ask("stop", harm); err != nil {
			return err
		}
	}
	if err := until("its end", func() error { return down(harm) }); err != nil {
		return err
	}
	say("ENDURED %s, the longest answer took %d ms", harm, longest.Milliseconds())
	for name, pid := range pids {
		if s, err := service(name); err != nil || s.Pid != pid {
			say("FAULT %s: %s had pid %d, has %d: %s %v", harm, name, pid, s.Pid, s.Cause, err)
			pids[name] = s.Pid
		}
	}
	after, err := services()
	if err == nil && after.Supervisor.Pid != supervisor.Supervisor.Pid {
		err = fmt.Errorf("the supervisor is another one")
	}
	return err
}

func down(name string) error {
	s, err := service(name)
	if err == nil && !s.State.Final() {
		err = fmt.Errorf("%s is %s", name, s.State)
	}
	return err
}
