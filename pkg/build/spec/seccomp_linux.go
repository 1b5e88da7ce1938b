package spec

import "github.com/moby/profiles/seccomp"

// Lacking is what this system cannot do of all that is here; "" for nothing.
const Lacking = ""

func dockersProfile() *seccomp.Seccomp { return seccomp.DefaultProfile() }
