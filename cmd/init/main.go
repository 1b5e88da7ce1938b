// Init is both programs of an image in one file: PID 1, with what the kernel and
// people call on such a machine (modprobe, mdev, poweroff, reboot, halt), and by any
// other name the service program, as in cmd/service. So their pages lie in memory once.
package main

import (
	"fmt"
	"os"

	"slipway/pkg/boot"
	"slipway/pkg/service/cli"
)

func main() {
	if boot.Called(os.Args) {
		os.Exit(boot.Call(os.Args))
	}
	if err := boot.TakeName(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "service: take name:", err)
	}
	os.Exit(cli.Main(os.Args))
}
