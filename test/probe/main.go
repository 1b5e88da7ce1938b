// Probe tries what a process in a container could do to its machine, and says
// of each attack how it ended. Tests run it in containers of several kinds and
// compare; docs/security.md has the table.
//
//	probe run COLUMN    try all, say READY=1 to $NOTIFY_SOCKET, wait for a signal
//	probe once COLUMN   try all, and end
//	probe bystander     be the container that others must not reach
//	probe try NAME      one attack, in this process: prints its outcome
//	probe step NAME     what an attack does in another process
//
// It prints a line for each attack: COLUMN, name and outcome with tabs between
// them. What was found stands on standard error.
package main

import (
	"fmt"
	"net"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"slipway/test/probe/attack"
)

func main() {
	verb, name := "", ""
	if len(os.Args) > 1 {
		verb = os.Args[1]
	}
	if len(os.Args) > 2 {
		name = os.Args[2]
	}
	os.Exit(do(verb, name))
}

func do(verb, name string) int {
	switch verb {
	case "try":
		return try(name)
	case "step":
		return attack.DoStep(name)
	case "run":
		tryAll(name)
		return stay()
	case "once":
		tryAll(name)
		return 0
	case "bystander":
		if err := attack.Bystander(); err != nil {
			attack.Detail("bystander: %v", err)
			return 1
		}
		return stay()
	}
	attack.Detail("want run, once, bystander, try or step")
	return 2
}

// try carries out one attack in this process.
func try(name string) int {
	a, known := attack.Find(name)
	if !known {
		attack.Detail("no attack is named %q", name)
		return 2
	}
	// When memory is short because of it, this process is the one to go.
	if err := os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0); err != nil {
		attack.Detail("%v", err)
	}
	err := a.Try()
	if err != nil {
		attack.Detail("%s: %v", name, err)
	}
	fmt.Print(attack.Outcome(err))
	return 0
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
