package qemu

import (
	"slices"
	"strings"
	"testing"

	"slipway/pkg/bundle"
)

func TestArgs(t *testing.T) {
	kernel := Boot{Kernel: "k", Initrd: "i", Cmdline: "console=ttyS0 a=b"}
	tests := []struct {
		name   string
		config Config
		want   []string // each has to be there, in this order
		not    []string
	}{
		{"kernel", Config{Boot: kernel}, []string{"-machine q35", "-smp 1", "-m 1024", "-accel tcg,", "-kernel k", "-initrd i", "-append console=ttyS0 a=b"}, []string{"reboot=shutdown", "kvm", "i6300esb"}},
		{"append", Config{Boot: kernel, Append: "c=d"}, []string{"-append console=ttyS0 a=b no_timer_check cryptomgr.notests slipway.modules=unsigned c=d"}, nil},
		{"console is added", Config{Boot: Boot{Kernel: "k", Initrd: "i"}}, []string{"-append console=ttyS0"}, nil},
		{"console of append is kept", Config{Boot: Boot{Kernel: "k", Initrd: "i"}, Append: "console=tty0"}, []string{"-append no_timer_check cryptomgr.notests slipway.modules=unsigned console=tty0"}, []string{"ttyS0"}},
		{"kvm", Config{Boot: kernel, Accel: "kvm"}, []string{"-accel kvm -cpu host"}, []string{"tcg", "notests", "unsigned"}},
		{"no reboot", Config{Boot: kernel, NoReboot: true}, []string{"-action reboot=shutdown"}, nil},
		{"watchdog", Config{Boot: kernel, Watchdog: true}, []string{"-device i6300esb"}, nil},
		{"squashfs is the first disk", Config{Boot: Boot{Kernel: "k", Squashfs: "s"}, Disks: []Disk{{File: "d", Format: "raw", Bus: "virtio"}}}, []string{"file=s", "root=/dev/vda", "file=d"}, []string{"-initrd"}},
		{"iso", Config{Boot: Boot{ISO: "x.iso"}}, []string{"virtio-scsi-pci", "media=cdrom", "file=x.iso", "scsi-cd,drive=iso,bootindex=0"}, []string{"-kernel"}},
		{"disk with a comma", Config{Boot: Boot{Disk: "a,b.qcow2"}}, []string{"format=qcow2", "file=a,,b.qcow2", "virtio-blk-pci"}, nil},
		{"two scsi disks, one controller", Config{Boot: kernel, Disks: []Disk{{File: "a", Format: "raw", Bus: "scsi"}, {File: "b", Format: "raw", Bus: "scsi"}}}, []string{"virtio-scsi-pci", "scsi-hd,drive=disk0", "scsi-hd,drive=disk1"}, nil},
		{"NVMe and USB", Config{Boot: kernel, Disks: []Disk{{File: "a", Format: "raw", Bus: "nvme"}, {File: "b", Format: "raw", Bus: "usb"}, {File: "c", Format: "raw", Bus: "usb"}}},
			[]string{"qemu-xhci,p2=15,p3=15", "nvme,drive=disk0,serial=disk0", "usb-storage,drive=disk1", "usb-storage,drive=disk2"}, []string{"ahci"}},
		{"serial numbers", Config{Boot: kernel, Disks: []Disk{{File: "a", Format: "raw", Bus: "virtio", Serial: "data"}, {File: "b", Format: "raw", Bus: "nvme", Serial: "fast"}, {File: "c", Format: "raw", Bus: "ide", Serial: "old"}}},
			[]string{"virtio-blk-pci,drive=disk0,serial=data", "nvme,drive=disk1,serial=fast", "ide-hd,drive=disk2,bus=sata0.0,serial=old"}, nil},
		{"seven disks on AHCI", Config{Boot: kernel, Disks: slices.Repeat([]Disk{{File: "a", Format: "raw", Bus: "ide"}}, 7)},
			[]string{"-device ahci,id=sata1", "-device ahci,id=sata0", "ide-hd,drive=disk0,bus=sata0.0", "ide-hd,drive=disk5,bus=sata0.5", "ide-hd,drive=disk6,bus=sata1.0"}, nil},
		{"metadata", Config{Boot: kernel, Metadata: "m.iso"}, []string{"virtio-scsi-pci", "media=cdrom,readonly=on", "file=m.iso"}, []string{"bootindex"}},
		{"ports", Config{Boot: kernel, Publish: []Publish{{Host: 8080, Guest: 80}, {Addr: "127.0.0.1", Host: 53, Guest: 53, UDP: true}}}, []string{"user,id=net0,hostfwd=tcp::8080-:80,hostfwd=udp:127.0.0.1:53-:53"}, nil},
		{"more serial ports", Config{Boot: kernel, Serials: []string{"file,path=a", "pipe,path=b"}}, []string{"-serial chardev:console", "file,id=serial1,path=a", "-serial chardev:serial1", "pipe,id=serial2,path=b", "-serial chardev:serial2"}, nil},
		{"no network", Config{Boot: kernel, NoNetwork: true}, []string{"-nic none"}, []string{"virtio-net"}},
		{"port", Config{Boot: kernel}, []string{"-chardev socket,id=port,fd=5 -device virtio-serial-pci,max_ports=2 -device virtserialport,chardev=port,name=slipway.0"}, nil},
		{"arm", Config{Boot: Boot{Kernel: "k", Initrd: "i"}, Arch: "aarch64"}, []string{"-machine virt", "cortex-a57", "console=ttyAMA0"}, []string{"pvpanic"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args, err := Args(tt.config)
			if err != nil {
				t.Fatal(err)
			}
			rest := strings.Join(args, " ")
			for _, w := range tt.want {
				i := strings.Index(rest, w)
				if i < 0 {
					t.Fatalf("no %q (in this order) in %q", w, args)
				}
				rest = rest[i+len(w):]
			}
			for _, n := range tt.not {
				if strings.Contains(strings.Join(args, " "), n) {
					t.Errorf("%q in %q", n, args)
				}
			}
			if n := strings.Count(strings.Join(args, " "), "virtio-scsi-pci"); n > 1 {
				t.Errorf("%d scsi controllers", n)
			}
		})
	}
}

func TestArgsFaults(t *testing.T) {
	for want, c := range map[string]Config{
		"machine m: nothing to boot":          {Name: "m"},
		`architecture "vax" is not supported`: {Arch: "vax", Boot: Boot{Disk: "d"}},
	} {
		if args, err := Args(c); err == nil || err.Error() != want {
			t.Errorf("%q, %v; want %s", args, err, want)
		}
	}
}

// TestArgsLongCmdline counts the words that are added to the image's own.
func TestArgsLongCmdline(t *testing.T) {
	for _, arch := range []string{"x86_64", "aarch64"} {
		for _, c := range []Config{
			{Boot: Boot{Kernel: "k", Initrd: "i", Cmdline: "a=b"}},
			{Boot: Boot{Kernel: "k", Initrd: "i", Cmdline: "console=ttyS0"}, Append: "c=d"},
			{Boot: Boot{Kernel: "k", Squashfs: "s"}, Accel: AccelKVM},
		} {
			c.Arch, c.Name = arch, "m"
			args, err := Args(c)
			if err != nil {
				t.Fatal(err)
			}
			room := bundle.MaxCmdline - len(args[slices.Index(args, "-append")+1])
			word := " " + strings.Repeat("x", room-1)
			whole, over := c, c
			whole.Boot.Cmdline += word
			over.Boot.Cmdline += word + "y"
			if _, err := Args(whole); err != nil {
				t.Errorf("%s: %v", arch, err)
			}
			if _, err := Args(over); err == nil || !strings.Contains(err.Error(), "2048 bytes, and the kernel takes 2047") {
				t.Errorf("%s: got %v", arch, err)
			}
		}
	}
}

func TestMACIsStableAndLocal(t *testing.T) {
	a := Config{Name: "x", Boot: Boot{Kernel: "k"}}
	again := Config{Name: "x", Boot: Boot{Kernel: "k"}, MemMB: 2048}
	if mac(a) != mac(again) {
		t.Error("the same machine has two addresses")
	}
	b := Config{Name: "x", Boot: Boot{Kernel: "other"}}
	if mac(a) == mac(b) {
		t.Error("two images have the same address")
	}
	// Unicast and locally administered: the second hex digit is 2, 6, a or e.
	if !slices.Contains([]byte("26ae"), mac(a)[1]) {
		t.Errorf("address %s", mac(a))
	}
}
