// Package journal keeps what the machine's own programs say: PID 1, the onboot
// sequence, the supervisor and its keeper. Consoles show it, and may be nobody's.
//
// From the first moment it lies in memory: in PID 1 until /run is there, then in
// one file that all append to. When /var turns out to be one that stays, Carry
// brings it to /var/log/boot.log, and goes on doing so. How long that file is
// says how much has been carried, so a carrier that is killed at any moment
// neither loses nor doubles a line. Writers never wait for a disk.
package journal
