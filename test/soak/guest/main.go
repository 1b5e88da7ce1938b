// Command guest is the program that soak puts into its machines. PID 1 starts it
// as the last of /etc/init.d: there it goes on in the background, in the role
// that soak=ROLE on the kernel's command line names, and says what it sees on
// the second serial port. Containers have it as /bin/soak, to write and to do harm.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// port is where what is said leaves the machine.
const port = "/dev/ttyS1"

const self = "/usr/bin/soak-guest"

// roles are of the machine's own process; words are what follows the role.
var roles = map[string]func(words []string) error{
	"check": check, "commands": commands, "bundles": bundles, "disks": disks, "attacks": attacks,
}

// acts are of processes in containers.
var acts = map[string]func(words []string) error{
	"record": recordUntilTheEnd, "chat": chat, "idle": idle, "attack": attack,
}

func main() {
	if len(os.Args) == 1 {
		background()
		return
	}
	if act := acts[os.Args[1]]; act != nil {
		if err := act(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	role := roles[os.Args[1]]
	if role == nil {
		say("FAULT no role %q", os.Args[1])
		return
	}
	if err := role(os.Args[2:]); err != nil {
		say("FAULT %v", err)
	}
	say("END")
	if err := unix.Kill(1, unix.SIGUSR2); err != nil {
		say("FAULT power off: %v", err)
	}
}

// background starts the role, if there is one, and lets PID 1 go on.
func background() {
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return
	}
	for word := range strings.FieldsSeq(string(line)) {
		if role, is := strings.CutPrefix(word, "soak="); is {
			cmd := exec.Command(self, strings.Split(role, ",")...)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			if err := cmd.Start(); err != nil {
				say("FAULT start %s: %v", role, err)
			}
		}
	}
}

// say writes one line, at once.
func say(format string, args ...any) {
	f, err := os.OpenFile(port, os.O_WRONLY|unix.O_NOCTTY, 0)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	defer f.Close()
	text := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " / ")
	if _, err := f.WriteString(text + "\n"); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// until waits for a state, and says what there was instead if it never comes.
func until(what string, there func() error) error {
	var err error
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); time.Sleep(300 * time.Millisecond) {
		if err = there(); err == nil {
			return nil
		}
	}
	return fmt.Errorf("waited in vain for %s: %w", what, err)
}
