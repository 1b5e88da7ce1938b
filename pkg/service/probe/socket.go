package probe

import (
	"fmt"
	"os"
	"path"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/bundle"
	"slipway/pkg/machine"
)

const socketName = "notify"

// notifyDir is the directory that is bound into a container which says by itself
// when it is ready. A directory and not the socket: a new supervisor has to be
// able to put a new socket in its place.
func notifyDir(own, name string) string { return path.Join(own, socketName, name) }

// AddNotify binds the directory in and names the socket. It goes where the runtime
// can make a mount point even if the container's root is read-only: on the
// tmpfs that containers have at /dev.
func AddNotify(own string, b *bundle.Bundle, spec *specs.Spec) {
	if b.Policy.Ready.Kind != bundle.ProbeNotify {
		return
	}
	at := machine.Run
	if slices.ContainsFunc(spec.Mounts, func(m specs.Mount) bool { return m.Destination == "/dev" && m.Type == "tmpfs" }) {
		at = "/dev/slipway"
	}
	spec.Mounts = append(spec.Mounts, specs.Mount{
		Destination: at, Type: "bind", Source: notifyDir(own, b.Name),
		Options: []string{"bind", "ro", "nosuid", "nodev", "noexec"},
	})
	spec.Process.Env = append(spec.Process.Env, "NOTIFY_SOCKET="+path.Join(at, socketName))
}

// OpenNotify makes the directory and the socket in it, before the container starts.
// Whoever reaches the directory is in the container or is root, so the socket can
// be open to all users of the container.
func OpenNotify(own, name string) (*Notify, error) {
	if err := os.MkdirAll(notifyDir(own, name), 0o755); err != nil {
		return nil, fmt.Errorf("make notify socket: %w", err)
	}
	return ListenNotify(NotifySocket(own, name))
}

// NotifySocket is where that socket is, seen from outside of the container.
func NotifySocket(own, name string) string {
	return path.Join(notifyDir(own, name), socketName)
}
