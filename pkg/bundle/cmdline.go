package bundle

import "fmt"

// MaxCmdline is the longest kernel command line, in bytes, on amd64 and on arm64:
// COMMAND_LINE_SIZE (arch/x86/include/asm/setup.h, arch/arm64/include/uapi/asm/setup.h)
// without the zero byte at its end. With more x86 does not say a word, and arm64
// loses the rest.
const MaxCmdline = 2047

// CheckCmdline tells whether a kernel takes a command line. The architecture is
// named as Go or as QEMU names it; of others nothing is known.
func CheckCmdline(arch, text string) error {
	switch arch {
	case "amd64", "x86_64", "arm64", "aarch64":
		if len(text) > MaxCmdline {
			return fmt.Errorf("a kernel command line of %d bytes, and the kernel takes %d", len(text), MaxCmdline)
		}
	}
	return nil
}
