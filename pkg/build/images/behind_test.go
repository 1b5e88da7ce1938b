package images

import (
	"strings"
	"testing"
)

func TestWithBehind(t *testing.T) {
	text := `# Aliases extracted from modules themselves.
alias fs-ext4 ext4
alias pci:v00001AF4d*sv*sd*bc*sc*i* virtio_pci
alias virtio:d00000001v* virtio_net
alias virtio:d00000008v* virtio_scsi
alias virtio:d0000001Av* virtiofs
alias pci:v*d*sv*sd*bc01sc06i01* ahci
alias pci:v*d*sv*sd*bc0Csc03i30* xhci_pci
alias scsi:t-0x00* sd_mod
alias acpi*:X:* ahci
`
	needs := func(module, other string) bool {
		return other == "scsi_mod" && (module == "ahci" || module == "virtio_scsi" || module == "sd_mod") || other == "usbcore" && module == "xhci_pci"
	}
	got, err := withBehind(text, []string{"sd_mod", "usb_storage", "virtio_net", "virtio_scsi", "virtiofs", "ahci", "xhci_pci"}, needs)
	if err != nil {
		t.Fatal(err)
	}
	const want = `alias pci:v00001AF4d00001041sv*sd*bc*sc*i* virtio_net
alias pci:v00001AF4d00001000sv*sd*bc*sc*i* virtio_net
alias pci:v00001AF4d00001048sv*sd*bc*sc*i* virtio_scsi
alias pci:v00001AF4d00001004sv*sd*bc*sc*i* virtio_scsi
alias pci:v00001AF4d00001048sv*sd*bc*sc*i* sd_mod
alias pci:v00001AF4d00001004sv*sd*bc*sc*i* sd_mod
alias pci:v00001AF4d0000105Asv*sd*bc*sc*i* virtiofs
alias pci:v*d*sv*sd*bc01sc06i01* sd_mod
alias pci:v*d*sv*sd*bc0Csc03i30* usb_storage
`
	if added, ok := strings.CutPrefix(got, text); !ok || added != want {
		t.Errorf("added\n%s\nwant\n%s", added, want)
	}
	if _, err := withBehind("alias virtio:dX x\n", nil, needs); err == nil {
		t.Error("no error for a number that is none")
	}
}
