// Service runs the containers of an image: by its name or its first argument
// the onboot sequence, the supervisor of the services, or the command line that
// speaks with it.
package main

import (
	"os"
	"runtime"

	"slipway/pkg/service/cli"
)

func main() {
	beside()
	os.Exit(cli.Main(os.Args))
}

// beside has what can run do so while a system call waits, on a machine of one processor
// too: there Go finds out at one of the next ticks of the clock, which are 4 ms apart where timers
// are no finer.
func beside() {
	if runtime.GOMAXPROCS(0) == 1 {
		runtime.GOMAXPROCS(2)
	}
}
