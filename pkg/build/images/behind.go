package images

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// behind are the modules of devices that come into being when a driver is loaded,
// by the module that such a driver needs: disks behind controllers, what is plugged
// into USB.
var behind = []struct {
	needs   string
	modules []string
}{
	{"scsi_mod", []string{"sd_mod", "sr_mod"}},
	{"usbcore", []string{"usb_storage", "uas", "usbhid", "hid_generic"}},
}

// transitional are the PCI device numbers of virtio devices, by their virtio number,
// that drivers from before the 1.0 specification know as well (section 4.1.2.1 there).
var transitional = map[uint64]uint64{1: 0x1000, 2: 0x1001, 3: 0x1003, 4: 0x1005, 5: 0x1002, 8: 0x1004, 9: 0x1009}

// modernVirtio is what the other PCI device numbers count from.
const modernVirtio = 0x1040

// withBehind adds to the text of modules.alias: an alias of a device names the
// modules of what will come behind it, too. LinuxKit's init looks at the devices
// once, where its kernels have these drivers built in; with modules alone it would
// find a controller and none of its disks. It has busybox's modprobe, which reads this
// text, and loads every module of an alias. Those of modules.alias.bin are as depmod
// made them.
func withBehind(text string, chosen []string, needs func(module, other string) bool) (string, error) {
	added := ""
	add := func(alias string, modules ...string) {
		for _, m := range modules {
			line := "alias " + alias + " " + m + "\n"
			if slices.Contains(chosen, m) && !strings.Contains(added, line) {
				added += line
			}
		}
	}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) != 3 || words[0] != "alias" {
			continue
		}
		aliases := []string{words[1]}
		if number, ok := strings.CutPrefix(words[1], "virtio:d"); ok {
			id, err := strconv.ParseUint(number[:min(8, len(number))], 16, 32)
			if err != nil {
				return "", fmt.Errorf("modules.alias: %q: %w", words[1], err)
			}
			aliases = virtioPCI(id)
			for _, alias := range aliases {
				add(alias, words[2])
			}
		}
		for _, b := range behind {
			for _, alias := range aliases {
				if strings.HasPrefix(alias, "pci:") && needs(words[2], b.needs) {
					add(alias, b.modules...)
				}
			}
		}
	}
	return text + added, nil
}

// virtioPCI are the aliases of a virtio device on PCI.
func virtioPCI(id uint64) (aliases []string) {
	numbers := []uint64{modernVirtio + id}
	if n, ok := transitional[id]; ok {
		numbers = append(numbers, n)
	}
	for _, n := range numbers {
		aliases = append(aliases, fmt.Sprintf("pci:v00001AF4d%08Xsv*sd*bc*sc*i*", n))
	}
	return aliases
}
