package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"slipway/test/soak/record"
)

// recordUntilTheEnd writes records into a directory: whose they are, and where.
// After a power cut it is another one, as somebody reads what is in the first.
func recordUntilTheEnd(words []string) error {
	dir := words[1]
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return err
	}
	if strings.Contains(string(line), "soak=check") {
		dir += ".again"
	}
	return record.Write(dir, func(kind string, n int) error {
		say("said %s %s %d", words[0], kind, n)
		return nil
	})
}

// chat fills the logs.
func chat([]string) error {
	for n := 1; ; n++ {
		fmt.Println("chat line", n)
		time.Sleep(10 * time.Millisecond)
	}
}

// check tells what is there after a power cut.
func check([]string) error {
	for who, dir := range map[string]string{"disk": "/var/data/rec", "layer": "/var/upper/layer/upper/rec"} {
		found, err := record.Read(dir)
		if err != nil {
			return err
		}
		for kind, n := range found {
			say("found %s %s %d", who, kind, n)
		}
	}
	if err := until("the services", func() error { return allReady("rec", "layer", "chat") }); err != nil {
		return err
	}
	for _, args := range [][]string{{"logs", "chat"}, {"logs", "--previous", "chat"}, {"logs", "--previous"}} {
		out, err := exec.Command("/usr/bin/service", args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("service %s: %w: %.500s", strings.Join(args, " "), err, out)
		}
		say("service %s: %d lines", strings.Join(args, " "), strings.Count(string(out), "\n"))
	}
	return nil
}
