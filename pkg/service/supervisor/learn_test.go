package supervisor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/pkg/service/control"
	"slipway/pkg/service/state"
)

// A service can be added to a machine that runs, changed, and is known to the
// next supervisor.
func TestServicesAreAddedAndChanged(t *testing.T) {
	m := boot(t, "", "web run")
	m.awaitReady()
	r := remote{m.sup}
	ask := func(name, path string) error {
		return r.Ask(t.Context(), "start", name, control.Options{Path: path})
	}
	if err := ask("late", ""); err == nil || !strings.Contains(err.Error(), `no service "late"`) {
		t.Errorf("a service that is not there yet: %v", err)
	}
	m.add("late run requires=web")
	if err := ask("late", ""); err != nil {
		t.Fatal(err)
	}
	m.await("late", state.Ready)

	elsewhere := filepath.Join(m.dir, "elsewhere")
	m.add("other run after=late")
	if err := os.Rename(m.dir+"/containers/services", elsewhere); err != nil {
		t.Fatal(err)
	}
	if err := ask("web", elsewhere); err == nil || !strings.Contains(err.Error(), "web runs from "+m.dir) {
		t.Errorf("another directory for one that runs: %v", err)
	}
	if err := ask("none", elsewhere); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), elsewhere+"/none") {
		t.Errorf("no such directory: %v", err)
	}
	if err := ask("other", elsewhere); err != nil {
		t.Fatal(err)
	}
	m.await("other", state.Ready)
	if l, err := r.List(t.Context()); err != nil || len(l.Services) != 3 || l.Supervisor.Memory == 0 {
		t.Errorf("%+v, %v", l, err)
	}
	if dirs, err := m.sup.directories(); err != nil || dirs["other"] != elsewhere+"/other" {
		t.Errorf("the next supervisor finds %v, %v", dirs, err)
	}
}

func TestChangedBundleIsReadAgain(t *testing.T) {
	m := boot(t, "", "web exit 3 restart=no")
	m.await("web", state.Failed)
	m.add("web run")
	if err := (remote{m.sup}).Ask(t.Context(), "start", "web", control.Options{}); err != nil {
		t.Fatal(err)
	}
	m.await("web", state.Ready)
	m.add("web run after=nobody")
	if err := (remote{m.sup}).Ask(t.Context(), "restart", "web", control.Options{}); err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("a fault that is new: %v", err)
	}
	m.await("web", state.Ready) // it is not taken down for what cannot come up
}

func TestStartsAreCounted(t *testing.T) {
	m := boot(t, "", "web run")
	m.await("web", state.Ready)
	if err := (remote{m.sup}).Ask(t.Context(), "restart", "web", control.Options{}); err != nil {
		t.Fatal(err)
	}
	for count := 0; count != 2; {
		v, err := (remote{m.sup}).One(t.Context(), "web")
		if err != nil {
			t.Fatal(err)
		}
		count = 0
		for _, n := range v.Starts.Counts {
			count += n
		}
	}
	saw(t, m.states("web"), "^waiting starting running ready stopping cleaning waiting starting running ready$")
}

// Who asks while the loop has no time is told so, and neither that the name is unknown nor that
// the request is refused.
func TestNoTimeForRequests(t *testing.T) {
	m := boot(t, "", "web run")
	entered, release, left := make(chan bool), make(chan bool), make(chan error, 1)
	go func() { left <- m.sup.Do(context.Background(), func() { close(entered); <-release }) }()
	<-entered
	cause := errors.New("no time")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	r := remote{m.sup}
	_, list := r.List(ctx)
	_, one := r.One(ctx, "web")
	_, begun := r.Exec(ctx, "web", control.Program{})
	for what, err := range map[string]error{
		"list": list, "status": one, "exec": begun,
		"start": r.Ask(ctx, "start", "web", control.Options{}), "stop": r.Ask(ctx, "stop", "web", control.Options{}),
	} {
		if !errors.As(err, new(control.Unheard)) || !errors.Is(err, cause) {
			t.Errorf("%s: %v", what, err)
		}
	}
	close(release)
	if err := <-left; err != nil {
		t.Error(err)
	}
}
