package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestToolButton asks a machine to power off at many moments of its boot, from the
// kernel's first line on: it always does, and never has to be killed.
func TestToolButton(t *testing.T) {
	tl := makeTool(t)
	for _, when := range []string{"Linux version", "Run /init", "Power Button", "Slipway: a LinuxKit", "onboot 000-dhcp: from", "onboot 001-devices: exited", "services web: started"} {
		log := filepath.Join(tl.dir, "log")
		if err := os.RemoveAll(log); err != nil {
			t.Fatal(err)
		}
		cmd := tl.command("run", "--no-reboot", "--log", log, tl.image())
		said := &strings.Builder{}
		cmd.Stderr = said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		await(t, log, when)
		began := time.Now()
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		err := cmd.Wait()
		t.Logf("at %q: %s", when, fmt.Sprint(strings.TrimSpace(said.String()), ", ", time.Since(began).Round(100*time.Millisecond)))
		if err != nil || !strings.Contains(said.String(), "the guest powered off") {
			data, _ := os.ReadFile(log)
			t.Errorf("at %q: %v\n%s\n%s", when, err, said, data)
		}
		if data, err := os.ReadFile(log); err != nil || strings.Count(string(data), "poweroff requested") > 1 || strings.Contains(string(data), "going down beside it") {
			t.Errorf("pressed again it is heard again: %v\n%s", err, data)
		}
	}
	tl.wantNoMachine(t, "power-offs")
}
