package qemu

const (
	trialPort  = 0x501
	trialValue = 0x2a
)

// trialFirmware is a whole PC firmware: 64 KiB that end at 4 GiB, where the CPU
// begins 16 bytes below the end. It loads a value into memory and back, so that
// the guest's RAM is touched, writes it to the debug-exit port, and halts.
func trialFirmware() []byte {
	code := []byte{
		0xbb, 0x00, 0x10, // mov bx, 0x1000
		0xc6, 0x07, trialValue, // mov byte [bx], value
		0x8a, 0x07, // mov al, [bx]
		0xba, trialPort & 0xff, trialPort >> 8, // mov dx, port
		0xee,       // out dx, al
		0xf4,       // hlt
		0xeb, 0xfd, // jmp back to hlt
	}
	const size, entry = 64 << 10, 16
	rom := make([]byte, size)
	start := size - entry - len(code)
	copy(rom[start:], code)
	// jmp rel16 from the reset vector back to the code, in the same segment.
	rel := uint16(0x10000 - len(code) - 3)
	copy(rom[size-entry:], []byte{0xe9, byte(rel), byte(rel >> 8)})
	return rom
}
