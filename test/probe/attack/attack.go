// Package attack has what a process in a container may try against its machine:
// one small function for each attack, in tables of one kind each.
//
// An attack that succeeds does no harm. It opens for writing and writes nothing,
// writes back what it has just read, asks for what the kernel refuses only after
// it has checked the permission, or undoes at once what it did. So all of them
// can be tried in one machine, one after the other, and what one shows does not
// depend on the others.
package attack

// An Attack is one thing to try.
type Attack struct {
	// Name tells it from the others, in the list of outcomes.
	Name string
	// What is tried, for the table of docs/security.md.
	What string
	// Why it does no harm that a container with no capability can do it: must
	// be there for all that can be done.
	Why string
	// Try returns nil if it could be done; what other errors mean says Outcome.
	Try func() error
}

// A Group is attacks of one kind.
type Group struct {
	Title string
	// Alone are those that change the process that tries them, and not its thread
	// alone, or leave it with less than the next needs: each has a process of its own.
	Alone   bool
	Attacks []Attack
}

// Groups are all attacks, in the order in which they are tried: last are those
// that use up what others need.
func Groups() []Group {
	return []Group{
		{"Kernel settings in /proc/sys", false, sysctls},
		{"Other files of /proc", false, procFiles},
		{"/sys", false, sysFiles},
		{"Devices", false, devices},
		{"Mounts", false, mounts},
		{"Namespaces", false, namespaces},
		{"Ways out of the root file system", false, roots},
		{"Other processes", false, processes},
		{"Privileges, priorities and limits", true, privileges},
		{"Files", false, files},
		{"Machine-wide system calls", false, machine},
		{"Kernel interfaces with a history of faults", false, interfaces},
		{"Network", false, networks},
		{"Network configuration", false, links},
		{"Other containers", false, others},
		{"Slipway's own interfaces", false, own},
		{"Resources", true, resources},
	}
}

// All lists the attacks of all groups.
func All() []Attack {
	var list []Attack
	for _, g := range Groups() {
		list = append(list, g.Attacks...)
	}
	return list
}

// Find returns the attack of a name.
func Find(name string) (Attack, bool) {
	for _, a := range All() {
		if a.Name == name {
			return a, true
		}
	}
	return Attack{}, false
}
