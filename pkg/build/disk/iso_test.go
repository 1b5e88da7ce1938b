package disk

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// TestISO finds the program as firmware does: boot record, boot catalog, boot
// image.
func TestISO(t *testing.T) {
	b := testBoot(t, "amd64")
	out := makeMedium(t, "iso-efi", b)
	data := read(t, out)
	if len(data)%isoBlock != 0 {
		t.Errorf("%d bytes are no whole blocks", len(data))
	}
	primary, boot := data[16*isoBlock:17*isoBlock], data[17*isoBlock:18*isoBlock]
	if string(primary[:6]) != "\x01CD001" || string(primary[40:47]) != "SLIPWAY" {
		t.Errorf("primary volume descriptor begins % x, volume %q", primary[:6], primary[40:72])
	}
	if string(boot[:6]) != "\x00CD001" || string(boot[7:30]) != "EL TORITO SPECIFICATION" {
		t.Fatalf("boot record begins %q", boot[:40])
	}
	catalog := data[binary.LittleEndian.Uint32(boot[71:])*isoBlock:]
	if catalog[0] != 1 || catalog[1] != 0xef || catalog[30] != 0x55 || catalog[31] != 0xaa {
		t.Errorf("boot catalog begins % x: want a validation entry for EFI", catalog[:32])
	}
	var sum uint16
	for i := 0; i < 32; i += 2 {
		sum += binary.LittleEndian.Uint16(catalog[i:])
	}
	if sum != 0 {
		t.Errorf("the validation entry's words add up to %#x, want 0", sum)
	}
	entry := catalog[32:]
	count, at := binary.LittleEndian.Uint16(entry[6:]), int64(binary.LittleEndian.Uint32(entry[8:]))*isoBlock
	if entry[0] != 0x88 || entry[1] != 0 || count != 0 {
		t.Errorf("boot entry % x: want bootable, no emulation, up to the end of the disc", entry[:12])
	}
	if volume := int64(binary.LittleEndian.Uint32(primary[80:])) * isoBlock; volume < at+minESP {
		t.Errorf("the volume ends at %d, the boot image at %d", volume, at+minESP)
	}
	got := readESP(t, out, at, minESP, "BOOTX64.EFI")
	if !bytes.Equal(got, image(t, b)) {
		t.Errorf("BOOTX64.EFI on the disc has %d bytes and is not the image", len(got))
	}
}
