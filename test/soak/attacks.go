package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"slipway/pkg/qemu"
)

// attacksYAML has a service for each harm. It ends at once until our program in
// the machine wants it.
func attacksYAML() string {
	yaml := head + "services:\n" + soakService("calm", "") + soakService("quiet", "")
	for _, harm := range []string{"processes", "memory", "descriptors", "layer", "inodes", "logs"} {
		yaml += fmt.Sprintf(`  - name: %s
    image: slipway/busybox:v0.1
    binds: ["/usr/bin/soak-guest:/bin/soak", "/run/soak:/wanted"]
    runtime: {mkdir: [/run/soak]}
    command: ["/bin/soak", "attack", "%s"]
    annotations: {slipway.restart: "no", slipway.stop-timeout: 2s}
`, harm, harm)
	}
	return yaml
}

// attacks has containers take all there is of one thing after the other.
func (s *soak) attacks(t *tally) error {
	image, err := s.image(context.Background(), "attacks", attacksYAML(), nil)
	if err != nil {
		return err
	}
	for run := range t.wanted {
		m, err := s.start(filepath.Join(s.dir, fmt.Sprintf("attacks-%d", run+1)), image, "soak=attacks", qemu.Watch{})
		if err != nil {
			return err
		}
		want := qemu.PoweredOff
		if m.Wait().Ending == qemu.OutOfMemory {
			want = qemu.OutOfMemory // a line of the kernel's that is no surprise here; END comes after it
		}
		lines := m.said()
		for _, line := range lines {
			if rest, is := strings.CutPrefix(line, "ENDURED "); is && run == 0 {
				t.note("%s", rest)
			}
		}
		t.figure("harms", count(lines, "TRY "))
		t.result(fmt.Sprintf("machine %d", run+1), m.finish(want, m.verdict()))
	}
	return nil
}
