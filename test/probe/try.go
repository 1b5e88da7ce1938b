package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"slipway/test/probe/attack"
)

// What an attack gets, and a process with all attacks of a group. None waits for
// anything, and most take milliseconds; an emulated machine on a busy host is slow.
const (
	tryTime   = time.Minute
	groupTime = 5 * time.Minute
)

// tryAll carries out every attack outside of this process, so that one that
// crashes or hangs stops nobody.
func tryAll(column string) {
	for _, g := range attack.Groups() {
		var names []string
		for _, a := range g.Attacks {
			if g.Alone {
				tryOutside(column, []string{a.Name})
			} else {
				names = append(names, a.Name)
			}
		}
		tryOutside(column, names)
	}
}

// tryOutside prints the outcomes of some attacks. Where a process ends before all
// have been tried, another one goes on after the attack that ended it.
func tryOutside(column string, names []string) {
	for len(names) > 0 {
		lines, why := runTry(names)
		for _, line := range lines {
			fmt.Printf("%s\t%s\n", column, line)
		}
		if names = names[len(lines):]; len(names) > 0 {
			fmt.Printf("%s\t%s\t%s\n", column, names[0], why)
			names = names[1:]
		}
	}
}

// runTry has another process try attacks: returned is a line for each that it
// came to, and how it ended.
func runTry(names []string) (lines []string, why string) {
	ctx, cancel := context.WithTimeout(context.Background(), groupTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, attack.Program, append([]string{"try"}, names...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	scan := bufio.NewScanner(bytes.NewReader(out))
	for scan.Scan() {
		lines = append(lines, scan.Text())
	}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return lines, attack.Hangs
	case errors.As(err, &exit):
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return lines, strings.ToLower(status.Signal().String())
		}
	}
	return lines, attack.Crashed
}

// try carries out attacks in this process, and prints NAME and outcome of each.
func try(names []string) int {
	// When memory is short because of it, this process is the one to go.
	if err := os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0); err != nil {
		attack.Detail("%v", err)
	}
	for _, name := range names {
		a, known := attack.Find(name)
		if !known {
			attack.Detail("no attack is named %q", name)
			return 2
		}
		fmt.Printf("%s\t%s\n", name, tryOne(a))
	}
	return 0
}

// tryOne gives up an attack that hangs. It has a thread of its own, which ends
// with it: a thread that has left a namespace can make no others.
func tryOne(a attack.Attack) string {
	done := make(chan error, 1)
	begin := time.Now()
	go func() {
		runtime.LockOSThread()
		done <- a.Try()
	}()
	select {
	case err := <-done:
		attack.Detail("%s: %v (%s)", a.Name, err, time.Since(begin))
		return attack.Outcome(err)
	case <-time.After(tryTime):
		return attack.Hangs
	}
}
