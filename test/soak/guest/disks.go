package main

import (
	"fmt"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"
)

// fifreeze is FIFREEZE of <linux/fs.h>: _IOWR('X', 119, int).
const fifreeze = 0xc0045877

// disks asks the machine again and again, while its disk fails: what does not
// touch the disk has to go on. The host ends it. With the word "freeze" the file
// system is frozen as soon as all runs; with "freeze-off" right before power-off.
func disks(words []string) error {
	if err := until("the services", func() error { return allReady("rec", "chat", "healthy") }); err != nil {
		return err
	}
	say("UP")
	if words[0] != "none" {
		if words[0] == "freeze-off" {
			time.Sleep(2 * time.Second)
		}
		if err := freeze("/var"); err != nil {
			return err
		}
		say("FROZEN")
		if words[0] == "freeze-off" {
			return nil
		}
	}
	for n := 1; ; n++ {
		began := time.Now()
		if _, err := services(); err != nil {
			say("FAULT list: %v", err)
		}
		listed := time.Since(began)
		out, err := exec.Command("/usr/bin/service", "restart", "healthy").CombinedOutput()
		if err != nil {
			say("FAULT restart of a service that has no part in the disk: %v: %.200s", err, out)
		}
		say("ALIVE %d: list %d ms, restart %d ms", n, listed.Milliseconds(), time.Since(began).Milliseconds())
		time.Sleep(300 * time.Millisecond)
	}
}

func freeze(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, d.Fd(), fifreeze, 0); errno != 0 {
		return fmt.Errorf("freeze %s: %w", dir, errno)
	}
	return nil
}
