// Package skip is the only way for tests of this project to leave something out, so
// that it does not go unseen: with CI=true in the environment, as CI systems and
// .ci/run have it, a test fails that would be skipped, unless its reason is among
// the few that may be one there.
package skip

import (
	"fmt"
	"io"
	"os"
	"testing"
)

// Reason is why a test cannot be run, or is not to be.
type Reason string

// The reasons there are.
const (
	Short      Reason = "-short leaves out what takes minutes"
	Root       Reason = "needs root"
	Program    Reason = "needs a program that make setup installs"
	Terminal   Reason = "needs a pseudo terminal"
	HangUp     Reason = "needs the right to hang a terminal up"
	LoopDevice Reason = "needs a loop device"
	Pids       Reason = "needs the pids controller"
	Tmpfs      Reason = "needs a tmpfs at /dev/shm"
)

// allowed are the reasons that CI takes, and why.
var allowed = map[Reason]string{
	Short: "it is asked for by name on the command line; .ci/run does not",
}

// Test skips a test, or fails it where all are to be run. Details are told beside
// the reason, as Sprint has them.
func Test(t testing.TB, why Reason, details ...any) {
	t.Helper()
	text := told(why, details)
	if !may(why) {
		t.Fatalf("%s; in CI no test is skipped for that", text)
	}
	t.Skip(text)
}

// Package is Test for the TestMain of a package that can run none of its tests. It
// tells why on w, and returns the exit status.
func Package(w io.Writer, why Reason, details ...any) int {
	text := told(why, details)
	if !may(why) {
		fmt.Fprintf(w, "FAIL: %s; in CI no test is skipped for that\n", text)
		return 1
	}
	fmt.Fprintf(w, "SKIP: %s\n", text)
	return 0
}

func may(why Reason) bool {
	_, is := allowed[why]
	return is || os.Getenv("CI") != "true"
}

func told(why Reason, details []any) string {
	if len(details) == 0 {
		return string(why)
	}
	return string(why) + ": " + fmt.Sprint(details...)
}

// UnlessRoot skips a test that only root can run.
func UnlessRoot(t testing.TB, what string) {
	t.Helper()
	if os.Getuid() != 0 {
		Test(t, Root, what)
	}
}

// IfShort skips a test that takes minutes if -short was given.
func IfShort(t testing.TB) {
	t.Helper()
	if testing.Short() {
		Test(t, Short)
	}
}
