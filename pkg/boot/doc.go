// Package boot is what PID 1 does: get to the real root, mount, load modules, set
// the machine up, run /etc/init.d, keep the supervisor running, reap, and in the
// end shut everything down and call reboot(2).
//
// steps.go has the order of the boot, shutdown.go that of the way down. Nothing
// here knows of containers: that is /usr/bin/service, which PID 1 runs as a child
// and which may die without harm.
package boot
