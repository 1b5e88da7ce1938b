// Init is both programs of an image in one file: PID 1, with what the kernel and
// people call on such a machine (modprobe, mdev, poweroff, reboot, halt), and by any
// other name the service program, as in cmd/service. So their pages lie in memory once.
package main

import (
	"os"

	"slipway/pkg/boot"
	"slipway/pkg/service/cli"
)

func main() {
	if boot.Called(os.Args) {
		os.Exit(boot.Call(os.Args))
	}
	os.Exit(cli.Main(os.Args))
}
