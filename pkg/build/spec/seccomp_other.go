//go:build !linux

package spec

import (
	"runtime"

	"github.com/moby/profiles/seccomp"
)

// Lacking is what this system cannot do of all that is here; "" for nothing.
const Lacking = "on " + runtime.GOOS + " there is no Docker's seccomp profile to be had: build on Linux, or with --hardening none"

// dockersProfile is not called: ParseHardening refuses before.
func dockersProfile() *seccomp.Seccomp { panic(Lacking) }
