package cli

import "os"

// commands are all parts of the program, in the order in which help lists them.
var commands []command

// The list is filled late because help, one of the commands, reads it.
func init() {
	commands = []command{
		{name: "onboot", about: "run the onboot containers, one after another", do: runOnboot},
		{name: "onshutdown", about: "run the onshutdown containers, then stop the services", do: runOnshutdown},
		{name: "volumes", about: "make the volumes ready", do: runVolumes},
		{name: "services", about: "start the services and leave a supervisor behind", do: runServices},
		{name: "system-init", about: "the same, as LinuxKit calls it", do: runServices},
		{name: "supervise", about: "be the supervisor, in the foreground", do: runSupervise},
		{name: "keep", hidden: true, do: runKeep},
		{name: "ctr", hidden: true, do: runCtr},
		{name: "help", about: "show this", do: func(*call) error { printUsage(os.Stdout); return nil }},
	}
}

// runCtr stands for containerd's client, which packages bind-mount.
func runCtr(*call) error {
	return usageError{"ctr: there is no containerd on this machine; service list shows its containers"}
}
