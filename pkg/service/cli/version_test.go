package cli

import (
	"net"
	"os"
	"testing"

	"slipway/pkg/service/control"
	"slipway/pkg/service/guest"
)

// A supervisor that runs the same file is not summed up once more, any other is.
func TestSupervisorProgram(t *testing.T) {
	path := t.TempDir() + "/s"
	l, err := net.Listen("unix", path) // this process is the supervisor
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	own, err := guest.BuildOf("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	for known, want := range map[string]string{"": own, "known": "known"} {
		p, err := supervisorProgram(control.Client{Path: path}, program{Build: known})
		if err != nil || p.Build != want || p.Pid != os.Getpid() {
			t.Errorf("%q: %+v %v, want build %s", known, p, err, want)
		}
	}
	if sameFile("/proc/self/exe", "/proc/1/exe") || sameFile("/nonesuch", "/nonesuch") || !sameFile("/proc/self/exe", "/proc/self/exe") {
		t.Error("which files are the same")
	}
}
