package run

import (
	"os"
	"path"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/bundle"
	"slipway/pkg/machine"
	"slipway/pkg/service/guest"
	"slipway/pkg/service/probe"
)

// Spec is a container's config.json.
type Spec = specs.Spec

const socketName = "notify"

// NotifyDir is the folder that is bound into a container which says by itself
// when it is ready. A folder and not the socket: a new supervisor has to be
// able to put a new socket in its place.
func NotifyDir(p guest.Paths, name string) string { return p.Own("notify", name) }

// addNotify binds the folder in and names the socket. It goes where the runtime
// can make a mount point even if the container's root is read-only: on the
// tmpfs that containers have at /dev.
func addNotify(p guest.Paths, b *bundle.Bundle, spec *Spec) bool {
	if b.Policy.Ready.Kind != bundle.ProbeNotify {
		return false
	}
	at := machine.Run
	if slices.ContainsFunc(spec.Mounts, func(m specs.Mount) bool { return m.Destination == "/dev" && m.Type == "tmpfs" }) {
		at = "/dev/slipway"
	}
	spec.Mounts = append(spec.Mounts, specs.Mount{
		Destination: at, Type: "bind", Source: NotifyDir(p, b.Name),
		Options: []string{"bind", "ro", "nosuid", "nodev", "noexec"},
	})
	spec.Process.Env = append(spec.Process.Env, "NOTIFY_SOCKET="+path.Join(at, socketName))
	return true
}

// Listen makes the folder and the socket in it, before the container starts.
// Whoever reaches the folder is in the container or is root, so the socket can
// be open to all users of the container.
func Listen(p guest.Paths, name string) (*probe.Notify, error) {
	if err := os.MkdirAll(NotifyDir(p, name), 0o755); err != nil {
		return nil, err
	}
	return probe.ListenNotify(NotifySocket(p, name))
}

// NotifySocket is where that socket is, seen from outside of the container.
func NotifySocket(p guest.Paths, name string) string {
	return path.Join(NotifyDir(p, name), socketName)
}
