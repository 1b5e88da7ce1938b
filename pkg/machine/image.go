package machine

// Names in what the builder makes and PID 1 finds when it is started: paths from
// the root of the initrd, without the leading slash.
const (
	// PayloadDir holds a squashfs that is the real root, and what it takes to mount it.
	PayloadDir  = "payload"
	PayloadRoot = PayloadDir + "/root.sqfs"
	// PayloadModules lists the kernel's modules for that in the order in which
	// they are loaded, a path with a leading slash a line.
	PayloadModules = PayloadDir + "/modules"
)
