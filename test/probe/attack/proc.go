package attack

import (
	"strings"
	"unicode"

	"golang.org/x/sys/unix"
)

var procFiles = []Attack{
	{Name: "sysrq-trigger", What: "`/proc/sysrq-trigger`: crash or reboot at once (opened only)", Try: writable("/proc/sysrq-trigger")},
	{Name: "kcore", What: "read the kernel's memory in `/proc/kcore`", Try: reads("/proc/kcore")},
	{Name: "kmsg", What: "take the kernel's log from `/proc/kmsg`", Try: opens("/proc/kmsg", unix.O_RDONLY)},
	{Name: "kallsyms", What: "addresses of the kernel in `/proc/kallsyms`", Try: says("/proc/kallsyms", hasAddress)},
	{Name: "iomem", What: "physical addresses in `/proc/iomem`", Try: says("/proc/iomem", hasAddress)},
	{Name: "modules-addresses", What: "addresses of modules in `/proc/modules`", Try: says("/proc/modules", func(s string) bool { return hasAddress(afterLive(s)) })},
	{Name: "kpageflags", What: "pages of all memory in `/proc/kpageflags`", Try: reads("/proc/kpageflags")},
	{Name: "kpagecount", What: "how often each page is mapped, in `/proc/kpagecount`", Try: reads("/proc/kpagecount")},
	{Name: "kpagecgroup", What: "which cgroup each page belongs to, in `/proc/kpagecgroup`", Try: reads("/proc/kpagecgroup")},
	{Name: "pagetypeinfo", What: "how free memory lies: `/proc/pagetypeinfo`", Try: reads("/proc/pagetypeinfo")},
	{Name: "allocinfo", What: "who in the kernel holds memory: `/proc/allocinfo`", Try: reads("/proc/allocinfo")},
	{Name: "vmallocinfo", What: "`/proc/vmallocinfo`", Try: reads("/proc/vmallocinfo")},
	{Name: "slabinfo", What: "`/proc/slabinfo`", Try: reads("/proc/slabinfo")},
	{Name: "proc-keys", What: "keys of others in `/proc/keys`", Try: reads("/proc/keys")},
	{Name: "timer-list", What: "timers and addresses in `/proc/timer_list`", Try: reads("/proc/timer_list")},
	{Name: "interrupts", What: "the rhythm of others in `/proc/interrupts`", Try: reads("/proc/interrupts")},
	{Name: "latency-stats", What: "`/proc/latency_stats`", Try: reads("/proc/latency_stats")},
	{Name: "irq-affinity", What: "move all interrupts: `/proc/irq/default_smp_affinity`", Try: rewrites("/proc/irq/default_smp_affinity")},
	{Name: "proc-pci", What: "configuration of a PCI device in `/proc/bus/pci` (opened only)", Try: first("/proc/bus/pci/[0-9]*/[0-9]*", writable)},
	{Name: "mtrr", What: "memory types: `/proc/mtrr` (opened only)", Try: writable("/proc/mtrr")},
	{Name: "acpi-wakeup", What: "`/proc/acpi/wakeup` (opened only)", Try: writable("/proc/acpi/wakeup")},
	{Name: "proc-scsi", What: "remove disks by `/proc/scsi/scsi` (opened only)", Try: writable("/proc/scsi/scsi")},
	{Name: "proc-fs", What: "any file of `/proc/fs` that opens for writing", Try: anyWritable("/proc/fs", nowhere)},
	{Name: "pressure", What: "a trigger in `/proc/pressure/memory`", Try: pressure},
	{Name: "dynamic-debug", What: "have the kernel say more than the console takes: `/proc/dynamic_debug/control` (opened only)", Try: writable("/proc/dynamic_debug/control")},
	{Name: "proc-any", What: "any other file of `/proc` that opens for writing, those of processes and `/proc/sys` left out", Try: anyWritable("/proc", procOthers)},
	{Name: "proc-remount", What: "make what is read-only in `/proc` writable by a remount", Try: remounts("/proc/sysrq-trigger")},
	{Name: "proc-uncover", What: "unmount the mask of `/proc/kcore`", Try: uncovers("/proc/kcore")},
}

// procOthers are directories of /proc that other attacks look at, or that hold what
// is the process's own.
var procOthers = below("/proc", func(name string) bool {
	return among("sys", "self", "thread-self", "fs", "pressure", "dynamic_debug")(name) || unicode.IsDigit(rune(name[0]))
})

// hasAddress tells whether a line begins with a number that is not all zeros.
func hasAddress(text string) bool {
	for line := range strings.Lines(text) {
		if digits, _, _ := strings.Cut(strings.TrimLeft(line, " "), " "); strings.Trim(digits, "0-\n") != "" {
			return true
		}
	}
	return false
}

// afterLive are the addresses of /proc/modules: "... Live 0xADDRESS".
func afterLive(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if _, address, ok := strings.Cut(line, " 0x"); ok {
			b.WriteString(address)
		}
	}
	return b.String()
}

// pressure asks to be told of shortage: the kernel then looks every window,
// with a thread that is the machine's.
func pressure() error {
	return writeTo("/proc/pressure/memory", []byte("some 1000000 10000000\x00"))
}
