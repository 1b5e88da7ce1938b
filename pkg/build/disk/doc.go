// Package disk makes what a machine boots by itself, with no -kernel option:
// EFI disks, EFI discs, and the container images that KubeVirt runs as virtual
// machines. It comes last in a build: pkg/build/output has written kernel,
// initrd and command line, this package puts them on a medium.
//
// Kernel, initrd and command line travel as one file, a unified kernel image
// (uki.go): systemd's EFI stub with the three appended as PE sections. Firmware
// starts it from \EFI\BOOT on any medium without being told anything, so there
// is no boot loader, no configuration and no firmware variable. The kernel has
// an EFI entry of its own, but nothing that would hand it a command line.
//
//   - raw-efi: GPT, one EFI system partition (esp.go, raw.go)
//   - iso-efi: the same file system as the El Torito boot image of a disc (iso.go)
//   - qcow2-efi: the raw disk, converted (qcow2.go)
//   - containerdisk: the qcow2 in an OCI image (container.go, layout.go)
//
// The same inputs give the same bytes: identifiers come from a hash of the
// content, times are tree.Epoch. Nothing is held in memory whole. An output
// appears under its name when it is complete (atomic.go), or not at all.
package disk
