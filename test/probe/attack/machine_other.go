//go:build !amd64

package attack

// machineOfArch are calls that x86 alone has.
var machineOfArch []Attack
