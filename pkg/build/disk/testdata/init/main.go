// Init is the first process of the machines that the boot test starts: it says
// with which command line it was started and powers off.
package main

import (
	"fmt"
	"os"
	"syscall"
)

func main() {
	if err := os.Mkdir("/proc", 0o755); err != nil {
		fmt.Println("disk-test: make /proc:", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		fmt.Println("disk-test: mount /proc:", err)
	}
	line, err := os.ReadFile("/proc/cmdline")
	fmt.Printf("disk-test: cmdline %s %v\n", line, err)
	fmt.Println("disk-test: power off:", syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF))
}
