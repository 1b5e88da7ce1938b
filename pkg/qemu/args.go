package qemu

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"slipway/pkg/bundle"
	"slipway/pkg/machine"
	"slipway/pkg/port"
)

// emulated is what differs between the architectures.
type emulated struct {
	model   string
	tcgCPU  string
	console string // the kernel's name of the serial port
}

// Under TCG every feature of a CPU costs when it is used. Nehalem is the oldest
// model that has all of x86-64-v2, which today's distributions build for and
// qemu64 has not. As an Intel CPU the kernel would isolate its page tables
// (Meltdown), which makes system calls under TCG slow: 300 forks take 1.04 s,
// and 0.60 s when the vendor is AMD; max takes 0.75 s.
var machines = map[string]emulated{
	"x86_64":  {model: "q35", tcgCPU: "Nehalem,vendor=AuthenticAMD", console: "ttyS0"},
	"aarch64": {model: "virt", tcgCPU: "cortex-a57", console: "ttyAMA0"},
}

// The descriptors that QEMU inherits: the other ends of our socket pairs.
const (
	consoleFD = 3
	qmpFD     = 4
	portFD    = 5
)

// Args is the command line for QEMU, without the program itself.
func Args(c Config) ([]string, error) {
	c = c.withDefaults()
	m, ok := machines[c.Arch]
	if !ok {
		return nil, fmt.Errorf("architecture %q is not supported", c.Arch)
	}
	a := []string{"-name", escape(c.Name), "-nodefaults", "-no-user-config", "-display", "none"}
	a = append(a, "-machine", m.model, "-smp", strconv.Itoa(c.CPUs), "-m", strconv.Itoa(c.MemMB))
	a = append(a, accelArgs(c.Accel, m)...)
	a = append(a, "-rtc", "base=utc")
	a = append(a, "-chardev", fmt.Sprintf("socket,id=console,fd=%d", consoleFD), "-serial", "chardev:console")
	for i, backend := range c.Serials {
		kind, rest, _ := strings.Cut(backend, ",")
		a = append(a, "-chardev", fmt.Sprintf("%s,id=serial%d,%s", kind, i+1, rest), "-serial", fmt.Sprintf("chardev:serial%d", i+1))
	}
	a = append(a, "-chardev", fmt.Sprintf("socket,id=qmp,fd=%d", qmpFD), "-mon", "chardev=qmp,mode=control")
	a = append(a, "-object", "rng-random,id=rng0,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=rng0")
	if c.Arch == "x86_64" {
		a = append(a, "-device", "pvpanic-pci")
	}
	// The judge ends the run after a panic, when the kernel has said it all.
	a = append(a, "-action", "panic=none")
	if c.NoReboot {
		a = append(a, "-action", "reboot=shutdown")
	}
	if c.Watchdog {
		a = append(a, "-device", "i6300esb", "-action", "watchdog=reset")
	}
	a = append(a, "-chardev", fmt.Sprintf("socket,id=port,fd=%d", portFD), "-device", "virtio-serial-pci,max_ports=2",
		"-device", "virtserialport,chardev=port,name="+port.Name)
	a = append(append(a, networkArgs(c)...), scsiArgs(c)...)
	boot, err := bootArgs(c, m)
	return append(append(a, boot...), diskArgs(c)...), err
}

func accelArgs(accel string, m emulated) []string {
	if accel == AccelKVM {
		return []string{"-accel", "kvm", "-cpu", "host"}
	}
	// One host thread for each guest CPU; 256 MiB holds the translated code
	// of a boot, where the default takes up to a GiB of the host.
	return []string{"-accel", "tcg,thread=multi,tb-size=256", "-cpu", m.tcgCPU}
}

func networkArgs(c Config) []string {
	if c.NoNetwork {
		return []string{"-nic", "none"}
	}
	user := []string{"user", "id=net0"}
	for _, p := range c.Publish {
		user = append(user, p.rule())
	}
	// No option ROM: nothing boots from this network, and SeaBIOS would try.
	return []string{"-netdev", strings.Join(user, ","), "-device", "virtio-net-pci,netdev=net0,romfile=,mac=" + mac(c)}
}

// mac is the same for each run of the same image, so that what the guest keeps
// on a disk by its address stays valid.
func mac(c Config) string {
	sum := sha256.Sum256([]byte(c.Name + "\x00" + c.Boot.Kernel + c.Boot.ISO + c.Boot.Disk))
	hw := net.HardwareAddr(sum[:6])
	hw[0] = hw[0]&^1 | 2 // unicast, locally administered
	return hw.String()
}

// bootArgs names what to boot, ahead of all other disks, as the guest counts
// disks in this order.
func bootArgs(c Config, m emulated) ([]string, error) {
	var a []string
	if c.UEFI || c.Boot.EFI {
		firmware, err := firmwareArgs(c.Arch)
		if err != nil {
			return nil, err
		}
		a = firmware
	}
	b := c.Boot
	switch {
	case b.Kernel != "":
		a = append(a, "-kernel", b.Kernel)
		if b.Initrd != "" {
			a = append(a, "-initrd", b.Initrd)
		}
		if b.Squashfs != "" {
			a = append(a, drive("squashfs", Disk{File: b.Squashfs, Format: "raw", Bus: "virtio"}, "readonly=on")...)
		}
		words := cmdline(c, m)
		if err := bundle.CheckCmdline(c.Arch, words); err != nil {
			return nil, fmt.Errorf("machine %s: %w; %d of them are the image's own", c.Name, err, len(b.Cmdline))
		}
		a = append(a, "-append", words)
	case b.ISO != "":
		a = append(a, disc("iso", b.ISO, ",bootindex=0")...)
	case b.Disk != "":
		a = append(a, drive("boot", Disk{File: b.Disk, Format: formatOf(b.Disk), Bus: "virtio"}, "")...)
	default:
		return nil, fmt.Errorf("machine %s: nothing to boot", c.Name)
	}
	return a, nil
}

// cmdline is the image's command line with what the machine adds to it.
func cmdline(c Config, m emulated) string {
	words := []string{c.Boot.Cmdline}
	if !strings.Contains(" "+c.Boot.Cmdline+" "+c.Append, " console=") {
		words = append(words, "console="+m.console)
	}
	if c.Boot.Squashfs != "" {
		words = append(words, "root=/dev/vda")
	}
	if c.Accel == AccelTCG && c.Arch != "aarch64" {
		// A busy host delays the ticks by which the kernel tests its timer, and
		// it panics; the kernel skips that test by itself under KVM.
		words = append(words, "no_timer_check")
	}
	if c.Accel == AccelTCG {
		// Testing its ciphers is half of what a kernel does before /init, and
		// emulated that takes seconds. In FIPS mode it tests them all the same.
		// The check of a module's signature is nine tenths of what it costs.
		words = append(words, "cryptomgr.notests", machine.OptionModules+"=unsigned")
	}
	return strings.TrimSpace(strings.Join(append(words, c.Append), " "))
}

// sataPorts is how many disks one of QEMU's AHCI controllers has.
const sataPorts = 6

func diskArgs(c Config) []string {
	var a []string
	sata := 0
	for i, d := range c.Disks {
		id := "disk" + strconv.Itoa(i)
		a = append(a, drive(id, d, "")...)
		switch d.Bus {
		case "ide":
			// A port takes one disk, and QEMU does not look for a free one.
			a[len(a)-1] += ",bus=sata" + strconv.Itoa(sata/sataPorts) + "." + strconv.Itoa(sata%sataPorts)
			sata++
		case "nvme":
			d.Serial = cmp.Or(d.Serial, id) // QEMU makes no such disk without
		}
		if d.Serial != "" {
			a[len(a)-1] += ",serial=" + escape(d.Serial)
		}
	}
	if slices.ContainsFunc(c.Disks, func(d Disk) bool { return d.Bus == "usb" }) {
		a = append([]string{"-device", "qemu-xhci,p2=15,p3=15"}, a...)
	}
	for i := 0; i*sataPorts < sata; i++ {
		a = append([]string{"-device", "ahci,id=sata" + strconv.Itoa(i)}, a...)
	}
	if c.Metadata != "" {
		a = append(a, disc("metadata", c.Metadata, "")...)
	}
	return a
}

// scsiArgs plugs in the controller of SCSI disks, and of discs: every kernel
// for virtual machines drives it, and not each drives q35's AHCI.
func scsiArgs(c Config) []string {
	isSCSI := func(d Disk) bool { return d.Bus == "scsi" }
	if c.Boot.ISO == "" && c.Metadata == "" && !slices.ContainsFunc(c.Disks, isSCSI) {
		return nil
	}
	return []string{"-device", "virtio-scsi-pci"}
}

func disc(id, file, more string) []string {
	return []string{"-drive", "if=none,id=" + id + ",media=cdrom,readonly=on,format=raw,file=" + escape(file), "-device", "scsi-cd,drive=" + id + more}
}

func drive(id string, d Disk, more string) []string {
	opts := []string{"if=none", "id=" + id, "format=" + d.Format, "discard=unmap"}
	if more != "" {
		opts = append(opts, more)
	}
	device := map[string]string{"virtio": "virtio-blk-pci", "scsi": "scsi-hd", "ide": "ide-hd", "nvme": "nvme", "usb": "usb-storage"}[d.Bus]
	return []string{"-drive", strings.Join(append(opts, "file="+escape(d.File)), ","), "-device", device + ",drive=" + id}
}

func formatOf(file string) string {
	if strings.HasSuffix(file, ".qcow2") {
		return "qcow2"
	}
	return "raw"
}

// escape protects a value in QEMU's comma-separated options.
func escape(s string) string { return strings.ReplaceAll(s, ",", ",,") }
