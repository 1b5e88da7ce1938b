package qemu

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// BinaryEnv names the variable that tells where QEMU is.
const BinaryEnv = "SLIPWAY_QEMU"

// packages says what to install for each architecture, by distribution.
var packages = map[string][]string{
	"x86_64": {
		"Debian, Ubuntu: apt-get install qemu-system-x86",
		"Fedora: dnf install qemu-system-x86-core",
		"Alpine: apk add qemu-system-x86_64",
		"Arch: pacman -S qemu-system-x86",
	},
	"aarch64": {
		"Debian, Ubuntu: apt-get install qemu-system-arm",
		"Fedora: dnf install qemu-system-aarch64-core",
		"Alpine: apk add qemu-system-aarch64",
		"Arch: pacman -S qemu-system-aarch64",
	},
}

// FindBinary finds QEMU for an architecture: the one asked for, else the one
// that $SLIPWAY_QEMU names, else the one in PATH.
func FindBinary(asked, arch string) (string, error) {
	name, from := "qemu-system-"+arch, "PATH"
	if asked != "" {
		name, from = asked, "--qemu"
	} else if env := os.Getenv(BinaryEnv); env != "" {
		name, from = env, "$"+BinaryEnv
	}
	found, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("find QEMU (%s): %w; install it with one of\n  %s\nor name it with --qemu or $%s",
			from, err, strings.Join(packages[arch], "\n  "), BinaryEnv)
	}
	return found, nil
}

// ovmf lists where distributions put the UEFI firmware: code, then the
// template of its variables.
var ovmf = map[string][][2]string{
	"x86_64": {
		{"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"},
		{"/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"},
		{"/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"},
	},
	"aarch64": {{"/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"}},
}

// firmwareArgs plugs in the UEFI firmware. Its variables are written to a
// snapshot that QEMU unlinks at once, so they last for one run.
func firmwareArgs(arch string) ([]string, error) {
	for _, pair := range ovmf[arch] {
		if isFile(pair[0]) && isFile(pair[1]) {
			return []string{
				"-drive", "if=pflash,unit=0,format=raw,readonly=on,file=" + pair[0],
				"-drive", "if=pflash,unit=1,format=raw,snapshot=on,file=" + pair[1],
			}, nil
		}
	}
	return nil, fmt.Errorf("find UEFI firmware: none of the usual places has it; install ovmf, or qemu-efi-aarch64 for arm64 (Debian, Ubuntu), or edk2-ovmf, edk2-aarch64 (Fedora, Arch)")
}
