package container

import (
	"context"
	"fmt"
	"os"
	"path"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/bundle"
	"slipway/pkg/container/runtime"
	"slipway/pkg/reap"
)

// hooksOf lists the programs that a bundle has the runtime run around its own.
func hooksOf(b *bundle.Bundle) (list []runtime.Hook) {
	if b.Spec == nil || b.Spec.Hooks == nil {
		return nil
	}
	h := b.Spec.Hooks
	for _, kind := range []struct {
		name  string
		hooks []specs.Hook
	}{
		{"prestart", h.Prestart}, //nolint:staticcheck // deprecated, and in the field
		{"createRuntime", h.CreateRuntime},
		{"createContainer", h.CreateContainer}, {"startContainer", h.StartContainer},
		{"poststart", h.Poststart}, {"poststop", h.Poststop},
	} {
		for _, hook := range kind.hooks {
			list = append(list, runtime.Hook{Kind: kind.name, Path: hook.Path})
		}
	}
	return list
}

// awaitProgram waits until the program of a container has taken the place of the
// runtime's own, which runs the startContainer hooks when the runtime itself has
// long returned.
func awaitProgram(ctx context.Context, oci *runtime.Runtime, b *bundle.Bundle, id reap.Ident) error {
	if b.Spec == nil || b.Spec.Hooks == nil || len(b.Spec.Hooks.StartContainer) == 0 {
		return nil
	}
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		if !oci.InHook(b.Name, id.Pid) {
			return nil // it runs, or has ended
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("startContainer hook %s: %w, killed", b.Spec.Hooks.StartContainer[0].Path, context.Cause(ctx))
		case <-time.After(pause):
		}
	}
}

// poststopTimeout is how long the hooks of a container's end may take.
const poststopTimeout = 10 * time.Second

// poststop lets the runtime run hooks that only it can run. LinuxKit's builder
// writes none, so this costs nothing but for bundles made otherwise. One that
// fails is told, and no failure of the container: so OCI's specification has it.
func (e *Engine) poststop(b *bundle.Bundle, oci *runtime.Runtime) {
	if b.Spec == nil || b.Spec.Hooks == nil || len(b.Spec.Hooks.Poststop) == 0 {
		return
	}
	if _, err := os.Lstat(oci.StateDir(b.Name)); err != nil {
		return
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), poststopTimeout, runtime.Late(poststopTimeout))
	defer cancel()
	err := oci.Delete(ctx, runtime.Call{ID: b.Name, Log: path.Join(e.dir(b), "runc.log"), Hooks: hooksOf(b)})
	if err != nil {
		e.logger(b).Warn("poststop hooks", "err", err)
	}
}
