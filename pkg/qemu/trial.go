package qemu

import "encoding/binary"

const (
	trialPort  = 0x501
	trialValue = 0x2a
	// trialLoops take a processor 10 ms, QEMU's emulation ten times as long, and what interprets one
	// instruction after the other longer than trialTime.
	trialLoops = 1 << 24
)

// Where the parts of the firmware lie, from its beginning.
const (
	romSize = 64 << 10
	gdtr    = 0x0f0
	gdt     = 0x100
	code32  = 0x200
	code64  = 0x300
	code16  = 0x400
	resetAt = romSize - 16
)

// romBase is where it lies in the guest: its end is that of the first 4 GiB.
const romBase = 1<<32 - romSize

// trialFirmware is a whole PC firmware: 64 KiB that end at 4 GiB, where the CPU
// begins 16 bytes below the end. It goes the way of a kernel, from 16 bits over 32
// to 64 with page tables in the guest's RAM, as some hosts stop at one of
// these steps. It computes for a moment, loads a value into memory and
// back, writes it to the debug-exit port, and halts.
func trialFirmware() []byte {
	rom := make([]byte, romSize)
	put := func(at int, parts ...any) {
		for _, part := range parts {
			n, err := binary.Encode(rom[at:], binary.LittleEndian, part)
			if err != nil {
				panic(err) // a part that has no fixed size
			}
			at += n
		}
	}
	// Segments of 4 GiB: none, code of 32 bits, data, code of 64 bits (Intel's manual, 3A, 3.4.5).
	put(gdtr, uint16(4*8-1), uint32(romBase+gdt))
	put(gdt, uint64(0), uint64(0x00cf9a000000ffff), uint64(0x00cf92000000ffff), uint64(0x00af9a000000ffff))
	put(resetAt, byte(0xe9), uint16(code16-resetAt-3+romSize)) // jmp code16
	put(code16, []byte{
		0x2e, 0x66, 0x0f, 0x01, 0x16, gdtr, 0, // lgdt cs:[gdtr]
		0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0, // cr0 |= PE
		0x66, 0xea, // jmp 8:code32
	}, uint32(romBase+code32), uint16(1*8))
	store := []byte{0xc7, 0x05}                           // mov dword [address], value
	put(code32, []byte{0x66, 0xb8, 2 * 8, 0, 0x8e, 0xd8}, // ds = data
		// Pages of 2 MiB, where they are: the first of RAM, and that of this firmware.
		store, uint32(0x1000), uint32(0x2003),
		store, uint32(0x2000), uint32(0x3003), store, uint32(0x2018), uint32(0x4003),
		store, uint32(0x3000), uint32(0x83), store, uint32(0x4ff8), uint32(0xffe00083),
		[]byte{
			0xb8, 0, 0x10, 0, 0, 0x0f, 0x22, 0xd8, // cr3 = 0x1000
			0x0f, 0x20, 0xe0, 0x0c, 0x20, 0x0f, 0x22, 0xe0, // cr4 |= PAE
			0xb9, 0x80, 0, 0, 0xc0, 0x0f, 0x32, 0x80, 0xcc, 0x01, 0x0f, 0x30, // EFER |= LME
			0x0f, 0x20, 0xc0, 0x0d, 0, 0, 0, 0x80, 0x0f, 0x22, 0xc0, // cr0 |= PG
			0xea, // jmp 0x18:code64
		}, uint32(romBase+code64), uint16(3*8))
	put(code64, byte(0xb9), uint32(trialLoops), []byte{
		0xff, 0xc9, 0x75, 0xfc, // until --ecx == 0
		0xc6, 0x04, 0x25, 0, 0x50, 0, 0, trialValue, // mov byte [0x5000], value
		0x8a, 0x04, 0x25, 0, 0x50, 0, 0, // mov al, [0x5000]
		0x66, 0xba, trialPort & 0xff, trialPort >> 8, // mov dx, port
		0xee,       // out dx, al
		0xf4,       // hlt
		0xeb, 0xfd, // jmp back to hlt
	})
	return rom
}
