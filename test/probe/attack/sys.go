package attack

import "golang.org/x/sys/unix"

var sysFiles = []Attack{
	{Name: "power-state", What: "suspend the machine: `/sys/power/state` (opened only)", Try: writable("/sys/power/state")},
	{Name: "power-disk", What: "hibernation: `/sys/power/disk` (opened only)", Try: writable("/sys/power/disk")},
	{Name: "wake-lock", What: "`/sys/power/wakeup_count` (opened only)", Try: writable("/sys/power/wakeup_count")},
	{Name: "pci-remove", What: "remove a PCI device, such as disk and network card (opened only)", Try: first("/sys/bus/pci/devices/*/remove", writable)},
	{Name: "pci-rescan", What: "look for PCI devices anew (opened only)", Try: writable("/sys/bus/pci/rescan")},
	{Name: "pci-config", What: "write a PCI device's configuration (opened only)", Try: first("/sys/bus/pci/devices/*/config", writable)},
	{Name: "pci-enable", What: "disable a PCI device (opened only)", Try: first("/sys/bus/pci/devices/*/enable", writable)},
	{Name: "pci-reset", What: "reset a PCI device (opened only)", Try: first("/sys/bus/pci/devices/*/reset", writable)},
	{Name: "pci-memory", What: "a PCI device's memory: `resource0` (opened only)", Try: first("/sys/bus/pci/devices/*/resource0", opensBoth)},
	{Name: "pci-unbind", What: "take a driver off its device (opened only)", Try: first("/sys/bus/pci/drivers/virtio-pci/unbind", writable)},
	{Name: "pci-new-id", What: "bind a driver to other devices: `new_id` (opened only)", Try: first("/sys/bus/pci/drivers/virtio-pci/new_id", writable)},
	{Name: "virtio-unbind", What: "take the disk's driver off: virtio's `unbind` (opened only)", Try: writable("/sys/bus/virtio/drivers/virtio_blk/unbind")},
	{Name: "driver-probe", What: "stop all coldplug: `drivers_autoprobe`", Try: rewrites("/sys/bus/pci/drivers_autoprobe")},
	{Name: "disk-settings", What: "settings of a disk: `queue/read_ahead_kb`", Try: first("/sys/block/vd*/queue/read_ahead_kb", rewrites)},
	{Name: "root-disk-settings", What: "settings of the disk that the root lies on", Try: first("/sys/block/loop8/queue/read_ahead_kb", rewrites)},
	{Name: "disk-uevent", What: "forge an event of a disk: `uevent` (opened only)", Try: first("/sys/block/vd*/uevent", writable)},
	{Name: "net-settings", What: "settings of a network card: `tx_queue_len`", Try: first("/sys/class/net/eth*/tx_queue_len", rewrites)},
	{Name: "cpu-online", What: "switch a processor off (opened only)", Try: writable("/sys/devices/system/cpu/cpu1/online")},
	{Name: "memory-online", What: "take memory away (opened only)", Try: first("/sys/devices/system/memory/memory*/state", writable)},
	{Name: "module-parameter", What: "a parameter of the kernel: `module/printk/parameters`", Try: rewrites("/sys/module/printk/parameters/time")},
	{Name: "module-rcu", What: "`/sys/kernel/rcu_expedited`", Try: rewrites("/sys/kernel/rcu_expedited")},
	{Name: "uevent-helper", What: "`/sys/kernel/uevent_helper`: a program that the kernel starts as root", Try: rewrites("/sys/kernel/uevent_helper")},
	{Name: "huge-pages", What: "huge pages of all programs", Try: rewrites("/sys/kernel/mm/transparent_hugepage/enabled")},
	{Name: "ksm", What: "merge the pages of all programs: `mm/ksm/run`", Try: rewrites("/sys/kernel/mm/ksm/run")},
	{Name: "slab-settings", What: "settings of a cache of the kernel", Try: first("/sys/kernel/slab/*/shrink", writable)},
	{Name: "rtc-wakealarm", What: "wake the machine at a time: `wakealarm` (opened only)", Try: writable("/sys/class/rtc/rtc0/wakealarm")},
	{Name: "console-bind", What: "take the console off: `vtconsole/bind` (opened only)", Try: first("/sys/class/vtconsole/vtcon*/bind", writable)},
	{Name: "debugfs", What: "files of debugfs", Try: first("/sys/kernel/debug/*", reads)},
	{Name: "tracefs", What: "files of tracefs", Try: first("/sys/kernel/tracing/*", reads)},
	{Name: "sys-bpf", What: "pinned programs in `/sys/fs/bpf`", Try: first("/sys/fs/bpf/*", reads)},
	{Name: "sys-pstore", What: "the kernel's last words in `/sys/fs/pstore`", Try: first("/sys/fs/pstore/*", reads)},
	{Name: "firmware-acpi", What: "read the firmware's ACPI tables", Try: first("/sys/firmware/acpi/tables/*", reads)},
	{Name: "firmware-dmi", What: "read serial numbers of the machine", Try: first("/sys/firmware/dmi/tables/*", reads)},
	{Name: "dmi-serial", What: "read the machine's UUID in `/sys/class/dmi`", Try: reads("/sys/class/dmi/id/product_uuid")},
	{Name: "qemu-fw-cfg", What: "read what the host hands to the firmware", Try: first("/sys/firmware/qemu_fw_cfg/by_name/*", reads)},
	{Name: "efi-variables", What: "variables of the firmware", Try: first("/sys/firmware/efi/efivars/*", writable)},
	{Name: "powercap", What: "power meters, which tell secrets of others", Try: first("/sys/devices/virtual/powercap/*", reads)},
	{Name: "vmcoreinfo", What: "where the kernel lies: `vmcoreinfo`", Try: reads("/sys/kernel/vmcoreinfo"),
		Why: "A physical address, of use to those alone who read physical memory."},
	{Name: "kernel-notes", What: "the kernel's build id: `notes`", Try: reads("/sys/kernel/notes"),
		Why: "It names the build of a kernel that is public; addresses are not in it."},
	{Name: "sys-any", What: "any other file of `/sys` that opens for writing", Try: anyWritable("/sys", below("/sys", among("fs/cgroup")))},
	{Name: "sys-remount", What: "make `/sys` writable by a remount", Try: remountsSysfs},
}

func opensBoth(path string) func() error { return opens(path, unix.O_RDWR) }

// remountsSysfs changes the flags of this mount alone.
var remountsSysfs = apart(func() error {
	return unix.Mount("", "/sys", "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
})
