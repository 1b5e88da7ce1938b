// Init is PID 1 of an image, and by other names what the kernel and people call
// on such a machine: modprobe, mdev, poweroff, reboot, halt.
package main

import (
	"os"

	"slipway/pkg/boot"
)

func main() {
	os.Exit(boot.Call(os.Args))
}
