// Package module loads kernel modules: it resolves names and aliases by the
// lists that depmod writes, and hands files to finit_module(2).
//
// PID 1 uses it in process for coldplug and hotplug, where starting a modprobe
// for each of a hundred devices would cost more than the rest of the boot, and
// /sbin/modprobe, which the kernel calls, is the same code.
package module
