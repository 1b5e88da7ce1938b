package cli

// commands are all parts of the program, in the order in which help lists them.
var commands []command

// The list is filled late because help, one of the commands, reads it.
func init() {
	commands = []command{
		{name: "list", about: "show all containers", options: jsonFlag, do: runList},
		{name: "status", args: "[NAME]", about: "show one container in full", options: jsonFlag, do: runStatus},
		{name: "start", args: "NAME...", about: "start services, with what they require", options: startFlags, do: runStart},
		{name: "stop", args: "NAME...", about: "stop services, after what requires them", options: startFlags, do: runStop},
		{name: "restart", args: "NAME...", about: "stop and start services", options: startFlags, do: runRestart},
		{name: "logs", args: "[NAME]", about: "show a container's output, or what the machine said", options: logsFlags, do: runLogs},
		{name: "events", args: "[NAME...]", about: "show what happened to services", options: eventsFlags, do: runEvents},
		{name: "exec", args: "NAME -- COMMAND", about: "run a program in a container", own: 1, options: execFlags, do: runExec},
		{name: "analyze", args: "[blame|critical-chain|plot]", about: "show what the boot took, by phase or in a view", options: analyzeFlags, do: runView},
		{name: "blame", about: "show what the boot took, by container and step of PID 1", options: analyzeFlags, do: runView},
		{name: "critical-chain", about: "show what the end of the boot waited for", options: analyzeFlags, do: runView},
		{name: "plot", about: "draw the boot as SVG", options: analyzeFlags, do: runView},
		{name: "onboot", machine: true, about: "run the onboot containers, one after another", do: runOnboot},
		{name: "onshutdown", machine: true, about: "run the onshutdown containers, then stop the services", do: runOnshutdown},
		{name: "volumes", machine: true, about: "make the volumes ready", do: runVolumes},
		{name: "services", machine: true, about: "start the services and leave a supervisor behind", do: runServices},
		{name: "system-init", machine: true, about: "the same, as LinuxKit calls it", do: runServices},
		{name: "supervise", machine: true, about: "be the supervisor, in the foreground", do: runSupervise},
		{name: "get", args: "PATH", about: "show what the control socket has, as at /v1/services", do: runGet},
		{name: "metrics", about: "show the metrics, as OpenMetrics text", do: runMetrics},
		{name: "upgrade", args: "[FILE]", about: "have a new supervisor take over", options: upgradeFlags, do: runUpgrade},
		{name: "version", about: "show which programs these are", options: jsonFlag, do: runVersion},
		{name: "completion", args: "[bash]", about: "print the completion for bash", do: runCompletion},
		{name: "try", hidden: true, do: runTry},
		{name: "names", hidden: true, options: namesFlags, do: runNames},
		{name: "keep", hidden: true, machine: true, do: runKeep},
		{name: "carry", args: "SECTION", machine: true, hidden: true, do: runCarry},
		{name: "ctr", hidden: true, do: runCtr},
		{name: "help", args: "[COMMAND|flags]", about: "show this, or the flags of a command", do: runHelp},
	}
}

// runCtr stands for containerd's client, which packages bind-mount.
func runCtr(*call) error {
	return usageError{"ctr: there is no containerd on this machine; service list shows its containers"}
}
