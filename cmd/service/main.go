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

// beside has what can run do so on a machine of one processor too, while one thread of Go's waits in a
// system call and another, that looks for work, sleeps: there Go finds out at one of the next
// ticks of the clock, which are 4 ms apart where timers are no finer.
func beside() {
	if runtime.GOMAXPROCS(0) == 1 {
		runtime.GOMAXPROCS(3)
	}
}
