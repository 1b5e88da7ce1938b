// Package network wires a container that has been created but not started:
// interfaces are made in its network namespace or moved there, and its
// namespaces are bound to files, where they outlive it. Nothing is brought up
// and no address is given; that is for a program in the container.
package network

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/container/step"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Plan lists what runtime.json asks for, in LinuxKit's order. Namespaces that an
// earlier run of the container left bound are let go first: as long as they
// live, so do the interfaces in them and the peers of those out here.
func Plan(r bundle.Runtime) []step.Step {
	var plan []step.Step
	if len(r.Interfaces) > 0 {
		for _, p := range r.BindNS.Paths() {
			plan = append(plan, Unbind{p})
		}
	}
	for _, i := range r.Interfaces {
		switch {
		case i.Add == "" && i.Peer != "":
			i.Add = "veth"
		case i.Add != "veth":
			i.Peer = "" // only a veth has one; LinuxKit passes it over as well
		}
		plan = append(plan, Link{i})
	}
	for _, p := range r.BindNS.Paths() {
		plan = append(plan, Bind{p})
	}
	return plan
}

// Link makes or moves one interface.
//
//   - With no Add it is moved from our namespace.
//   - A veth with a Peer, or CreateInRoot, is made by our namespace and put
//     into the container's in the same call: the peer, or wireguard's socket,
//     stays with us, and its name need not be free here.
//   - Any other is made in the container's namespace.
type Link struct{ bundle.Interface }

func (l Link) String() string {
	switch {
	case l.Add == "":
		return fmt.Sprintf("ip link set %s netns $PID", l.Name)
	case l.Peer != "":
		return fmt.Sprintf("ip link add %s netns $PID type %s peer name %s", l.Name, l.Add, l.Peer)
	case l.CreateInRoot:
		return fmt.Sprintf("ip link add %s netns $PID type %s", l.Name, l.Add)
	}
	return fmt.Sprintf("nsenter -t $PID -n ip link add %s type %s", l.Name, l.Add)
}

// Lasting is true: the interface lives as long as its namespace, which may be
// bound to a file.
func (l Link) Lasting() bool { return true }

// settle is how long a name may be taken, or an interface be missing, because
// the namespace of the container's last run is still being taken down: the
// kernel does that some time after the last process has gone.
const settle = 2 * time.Second

// Apply makes or moves the interface. One of that name which the container's
// namespace has already, when it is one that lasts, is taken as it is.
func (l Link) Apply(ctx context.Context, pid int) (func() error, error) {
	if l.Name == "" {
		return nil, errors.New("interface: no name")
	}
	if l.Add == "veth" && l.Peer == "" {
		return nil, fmt.Errorf("interface %s: a veth needs a peer", l.Name)
	}
	deadline := time.Now().Add(settle)
	for {
		err := l.try(pid)
		if err == nil {
			return func() error { return l.undo(pid) }, nil
		}
		if !errors.Is(err, unix.EEXIST) && !errors.Is(err, unix.ENODEV) {
			return nil, l.explain(err)
		}
		if there, lookErr := l.there(pid); lookErr == nil && there {
			return func() error { return nil }, nil
		}
		if time.Now().After(deadline) {
			return nil, l.explain(err)
		}
		select {
		case <-ctx.Done():
			return nil, l.explain(err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (l Link) try(pid int) error {
	if l.Add != "" && l.Peer == "" && !l.CreateInRoot {
		c, err := dialIn(pid)
		if err != nil {
			return err
		}
		defer c.Close()
		return c.add(l.Name, l.Add, "", netns.None())
	}
	c, err := dial(netns.None())
	if err != nil {
		return err
	}
	defer c.Close()
	ns, err := netns.GetFromPid(pid)
	if err != nil {
		return fmt.Errorf("network namespace of process %d: %w", pid, err)
	}
	if l.Add == "" {
		err = c.move(l.Name, ns)
	} else {
		err = c.add(l.Name, l.Add, l.Peer, ns)
	}
	return errors.Join(err, ns.Close())
}

// there tells whether the container's namespace has the interface and is not
// our own.
func (l Link) there(pid int) (bool, error) {
	own, err := netns.Get()
	if err != nil {
		return false, fmt.Errorf("our own network namespace: %w", err)
	}
	its, err := netns.GetFromPid(pid)
	if err != nil {
		return false, errors.Join(err, own.Close())
	}
	same := own.Equal(its)
	if err := errors.Join(own.Close(), its.Close()); err != nil || same {
		return false, err
	}
	c, err := dialIn(pid)
	if err != nil {
		return false, err
	}
	defer c.Close()
	_, err = c.find(l.Name)
	return err == nil, nil
}

// undo moves the interface back, or deletes it, as long as the container's
// process is there; with it goes a namespace that nothing else keeps.
func (l Link) undo(pid int) error {
	c, err := dialIn(pid)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer c.Close()
	if err := l.giveBack(c); err != nil {
		return fmt.Errorf("give interface %s back: %w", l.Name, err)
	}
	return nil
}

func (l Link) giveBack(c conn) error {
	if l.Add != "" {
		return c.remove(l.Name)
	}
	own, err := netns.Get()
	if err != nil {
		return fmt.Errorf("our own network namespace: %w", err)
	}
	return errors.Join(c.move(l.Name, own), own.Close())
}

func (l Link) explain(err error) error {
	switch {
	case errors.Is(err, unix.ENODEV) && l.Add == "":
		return fmt.Errorf("move interface %s: there is none of that name: %w", l.Name, err)
	case l.Add == "":
		return fmt.Errorf("move interface %s: %w", l.Name, err)
	case errors.Is(err, unix.EOPNOTSUPP):
		return fmt.Errorf("add interface %s: the kernel has no interfaces of type %s: %w", l.Name, l.Add, err)
	}
	return fmt.Errorf("add interface %s of type %s: %w", l.Name, l.Add, err)
}
