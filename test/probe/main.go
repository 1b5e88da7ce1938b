// Probe tries what a process in a container could do to its machine, and says
// of each attack how it ended. Tests run it in containers of several kinds and
// compare; docs/security.md has the table.
//
//	probe run COLUMN          try all, say READY=1 to $NOTIFY_SOCKET, wait for a signal
//	probe once COLUMN [NAME]  try all or one, and end
//	probe bystander           be the container that others must not reach
//	probe try NAME...         attacks, in this process
//	probe step NAME           what an attack does in another process
//
// It prints a line for each attack: COLUMN, name and outcome with tabs between
// them. What was found stands on standard error.
package main

import (
	"net"
	"os"
	"os/signal"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"

	"slipway/test/probe/attack"
)

func main() {
	spareThreads()
	os.Exit(do(os.Args[1:]))
}

// spareThreads makes threads that lie idle from then on. Go makes another one
// whenever a system call takes long, and ends the program where it cannot: an
// attack leaves no room for any.
func spareThreads() {
	const spare = 8
	var made, left sync.WaitGroup
	release := make(chan struct{})
	made.Add(spare)
	for range spare {
		left.Go(func() {
			runtime.LockOSThread() // so that each has one to itself
			defer runtime.UnlockOSThread()
			made.Done()
			<-release
		})
	}
	made.Wait()
	close(release)
	left.Wait()
}

func do(args []string) int {
	switch {
	case len(args) > 1 && args[0] == "try":
		return try(args[1:])
	case len(args) == 2 && args[0] == "step":
		return attack.DoStep(args[1])
	case len(args) == 2 && args[0] == "run":
		tryAll(args[1])
		return stay()
	case len(args) == 2 && args[0] == "once":
		tryAll(args[1])
		return 0
	case len(args) == 3 && args[0] == "once":
		tryOutside(args[1], args[2:])
		return 0
	case len(args) == 1 && args[0] == "bystander":
		if err := attack.Bystander(); err != nil {
			attack.Detail("bystander: %v", err)
			return 1
		}
		return stay()
	}
	attack.Detail("want run, once, bystander, try or step")
	return 2
}

// stay says that all is done, and waits to be stopped.
func stay() int {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, unix.SIGTERM)
	if socket := os.Getenv("NOTIFY_SOCKET"); socket != "" {
		conn, err := net.Dial("unixgram", socket)
		if err == nil {
			_, err = conn.Write([]byte("READY=1"))
		}
		if err != nil {
			attack.Detail("say that it is ready: %v", err)
			return 1
		}
	}
	<-stop
	return 0
}
