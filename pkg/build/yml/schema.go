package yml

import (
	"slices"
	"strings"

	"slipway/pkg/bundle"
)

// kind is what a value may be.
type kind int

const (
	isString kind = iota
	isInt
	isBool
	isID // a number, or the name of a container
	isList
	isMap    // any keys, string values
	isObject // the keys of the schema only
)

// schema describes a value.
type schema struct {
	kind kind
	elem *schema // of a list
	keys []key   // of an object
	// values are the only ones that make sense, if there are any.
	values []string
	// pattern is a regular expression for the text, for editors. The checker goes by
	// rules, or leaves it to what can tell more.
	pattern string
	rules   []rule
	// oneOf are the keys of an object of which one has to be there.
	oneOf []string
	// known are the keys of a map that mean something to us, and what for: keys
	// that look like them have to be of them.
	known map[string]string
	// unit is what a number counts, if people write others.
	unit string
	// bytes is text that may have anything in it, in base64 (!!binary) too.
	bytes bool
	// lenient values are not faults but warnings: LinuxKit's tool takes any.
	lenient bool
}

// key is a key of an object.
type key struct {
	name     string
	required bool
	// needed keys are warned of, not refused, if missing: LinuxKit's tool
	// builds without them.
	needed bool
	schema *schema
	doc    string
}

var (
	str     = &schema{kind: isString}
	num     = &schema{kind: isInt}
	octets  = &schema{kind: isInt, unit: bytesUnit}
	micros  = &schema{kind: isInt, unit: microsUnit}
	boolean = &schema{kind: isBool}
	id      = (&schema{kind: isID}).of(rule{want: "another: to Linux, 4294967295 is no user or group", warns: true, ok: func(v string) bool { return decimal(v) != "4294967295" }})
	strs    = list(str)
	mapping = &schema{kind: isMap}
)

func list(elem *schema) *schema        { return &schema{kind: isList, elem: elem} }
func object(keys ...key) *schema       { return &schema{kind: isObject, keys: keys} }
func oneOf(values ...string) *schema   { return &schema{kind: isString, values: values} }
func usually(values ...string) *schema { return &schema{kind: isString, values: values, lenient: true} }
func matching(pattern, want string) *schema {
	return (&schema{kind: isString, pattern: pattern}).of(like(pattern, want))
}
func shaped(pattern string) *schema            { return &schema{kind: isString, pattern: pattern} }
func (k key) must() key                        { k.required = true; return k }
func (k key) should() key                      { k.needed = true; return k }
func k(name string, s *schema, doc string) key { return key{name: name, schema: s, doc: doc} }

func (s *schema) key(name string) *key {
	for i := range s.keys {
		if s.keys[i].name == name {
			return &s.keys[i]
		}
	}
	return nil
}

func (s *schema) names() []string {
	var all []string
	for _, k := range s.keys {
		all = append(all, k.name)
	}
	slices.Sort(all)
	return all
}

var (
	kernelSchema = object(
		k("image", str, "image that holds the kernel"),
		k("cmdline", str, "kernel command line"),
		k("binary", str, "kernel's file name in the image (default kernel)"),
		k("tar", str, "tar of modules in the image (default kernel.tar; none for none)"),
		k("ucode", str, "cpio of CPU microcode in the image (default none)"),
	)

	volumeSchema = object(
		k("name", matching(`^[a-z0-9_-]+$`, "letters a to z, digits, _ and -"), "name that binds use; a-z, 0-9, _ and -").must(),
		k("image", str, "image that the volume starts with (default empty)"),
		k("readonly", boolean, "containers may bind it read-only only"),
		k("format", oneOf("filesystem", "oci"), "the image's files, or the image as an OCI layout"),
		k("platforms", strs, "platforms of the image in an OCI layout (default the one built for)"),
	)

	fileSchema = &schema{kind: isObject, oneOf: []string{"contents", "source", "metadata", "directory", "symlink"}, keys: []key{
		k("path", str, "path in the image").must(),
		k("directory", boolean, "make a directory"),
		k("symlink", str, "make a symbolic link to this"),
		k("contents", &schema{kind: isString, bytes: true}, "the file's text"),
		k("source", str, "file to copy from the host"),
		k("metadata", oneOf("yaml", "json"), "write the configuration itself"),
		k("optional", boolean, "no fault if the source is missing"),
		k("mode", modeSchema, "permission bits in octal, in quotes (default 0600, directories 0700)"),
		k("uid", id, "owner: a number or the name of a container"),
		k("gid", id, "group: a number or the name of a container"),
	}}

	modeSchema = matching(`^$|^0*[0-7]{1,4}$`, `permission bits in octal, such as "0644"`)

	mountSchema = object(
		k("destination", str, "where to mount"),
		k("type", str, "file system"),
		k("source", str, "device, path or name"),
		k("options", strs, "mount options"),
		k("uidMappings", list(idMappingSchema), "users of an idmapped mount"),
		k("gidMappings", list(idMappingSchema), "groups of an idmapped mount"),
		k("uidmappings", list(idMappingSchema), "the same as uidMappings"),
		k("gidmappings", list(idMappingSchema), "the same as gidMappings"),
	)

	deviceSchema = object(
		k("path", str.of(allOr), `path of the node, or "all" for every device of the type`).should(),
		k("type", usually("a", "b", "c", "u", "p"), "b block, c or u character, p FIFO, a all").should(),
		k("major", num.of(majors), "major number"),
		k("minor", num.of(minors), "minor number"),
		k("mode", shaped(`^0*[0-7]{1,4}$`), "permission bits in octal, in quotes; every node needs one"),
	)

	idMappingSchema = object(
		k("containerID", num.of(uint32s), "first id in the container"),
		k("hostID", num.of(uint32s), "first id outside"),
		k("size", num.of(uint32s), "number of ids"),
	)

	runtimeSchema = object(
		k("cgroups", strs, "cgroups to make"),
		k("mounts", list(mountSchema), "mounts to make before the container"),
		k("mkdir", list(str.of(notEmpty)), "directories to make"),
		k("interfaces", list(object(
			k("name", str.of(linkNames), "name of the interface").should(),
			k("add", str, "kind to create, such as dummy, veth, wireguard"),
			k("peer", str.of(linkNames), "the veth end that stays outside"),
			k("createInRoot", boolean, "create it outside, then move it in"),
		)), "network interfaces to move in or to create"),
		k("bindNS", object(
			k("cgroup", kept, "path"), k("ipc", kept, "path"), k("mnt", kept, "path"), k("net", kept, "path"),
			k("pid", kept, "path"), k("user", kept, "path"), k("uts", kept, "path"),
		), "files to keep the container's namespaces on"),
		k("namespace", str, "containerd namespace of a service"),
		k("noRestart", boolean, "accepted, as LinuxKit does; say slipway.restart"),
	)

	kept = str.of(absolute)

	throttle = list(object(k("major", num.of(majors), ""), k("minor", num.of(minors), ""), k("rate", num.of(natural), "")))

	weight = num.of(uint16s, weights)

	resourcesSchema = object(
		k("devices", list(object(
			k("allow", boolean, ""), k("type", usually("a", "b", "c"), ""), k("major", num.of(anyMajor), ""),
			k("minor", num.of(anyMinor), ""), k("access", str.of(like(`^[rwm]*$`, "letters of rwm").should()), ""),
		)), "device rules"),
		k("memory", object(
			k("limit", octets.of(noLimit), "bytes"), k("reservation", octets.of(noLimit), "bytes"), k("swap", octets.of(noLimit), "bytes"),
			k("kernel", octets.of(noLimit), "bytes"), k("kernelTCP", octets.of(noLimit), "bytes"),
			k("swappiness", num.of(natural, between(0, 100, "0 to 100").should()), ""), k("disableOOMKiller", boolean, ""),
		), "memory limits"),
		k("cpu", object(
			k("shares", num.of(natural), ""),
			k("quota", micros.of(between(1000, 1<<63-1, "1000 or more, or -1 for no limit").should().orZero().or("-1")), "µs"),
			k("period", micros.of(natural, between(1000, 1e6, "1000 to 1000000").should().orZero()), "µs"),
			k("realtimeRuntime", micros, "µs"), k("realtimePeriod", micros.of(natural), "µs"),
			k("cpus", str.of(cpuLists), `such as "0-1"`), k("mems", str.of(cpuLists), `such as "0"`),
		), "CPU limits"),
		k("pids", object(k("limit", num.of(noLimit), "number of processes")), "process limits"),
		k("blockio", object(
			k("weight", weight, ""), k("leafWeight", weight, ""),
			k("weightDevice", list(object(k("major", num.of(majors), ""), k("minor", num.of(minors), ""), k("weight", weight, ""), k("leafWeight", weight, ""))), ""),
			k("throttleReadBpsDevice", throttle, ""), k("throttleWriteBpsDevice", throttle, ""),
			k("throttleReadIOPSDevice", throttle, ""), k("throttleWriteIOPSDevice", throttle, ""),
		), "block device limits"),
		k("hugepageLimits", list(object(k("pageSize", octets.of(hugePages), "bytes"), k("limit", octets.of(natural), "bytes"))), "huge page limits"),
		k("network", object(
			k("classID", num.of(uint32s), ""),
			k("priorities", list(object(k("name", str, ""), k("priority", num.of(uint32s), ""))), ""),
		), "network classes"),
	)

	capabilities = list(&schema{kind: isString, pattern: `^(?:` + strings.Join(capabilityWords, "|") + `|ALL|NONE)$`})
	bindsSchema  = list(shaped(`^[^:]+:[^:]+(?::[^:]*)?$`))

	// settings are the keys that a label may have too.
	settings = []key{
		k("capabilities", capabilities, `capabilities, or ["all"] (default none)`),
		k("capabilities.add", capabilities, "capabilities beside the label's"),
		k("ambient", capabilities, "ambient capabilities"),
		k("mounts", list(mountSchema), "mounts in the container"),
		k("binds", bindsSchema, "SOURCE:DESTINATION[:OPTIONS]; the source is a path or a volume"),
		k("binds.add", bindsSchema, "binds beside the label's"),
		k("devices", list(deviceSchema), "device nodes"),
		k("tmpfs", list(shaped(`^[^:]+(?::[^:]*)?$`)), "DESTINATION[:OPTIONS]"),
		k("command", strs, "program and arguments (default the image's)"),
		k("env", strs, "NAME=VALUE (default the image's)"),
		k("cwd", str, "working directory (default the image's)"),
		k("net", str, "network namespace: host (default), new, none or a path"),
		k("pid", str, "process namespace: new (default), host or a path"),
		k("ipc", str, "IPC namespace: host (default), new or a path"),
		k("uts", str, "host name namespace: host (default), new or a path"),
		k("userns", str, "user namespace: host (default), new or a path"),
		k("hostname", str.of(hostNames), "host name, with uts: new"),
		k("readonly", boolean, "the root file system cannot be written"),
		k("maskedPaths", list(str.of(absolute)), "paths that cannot be seen"),
		k("readonlyPaths", list(str.of(absolute)), "paths that cannot be written"),
		k("uid", id, "user: a number or the name of a container (default 0)"),
		k("gid", id, "group: a number or the name of a container (default 0)"),
		k("additionalGids", list(id), "further groups"),
		k("noNewPrivileges", boolean, "no program gains privileges"),
		k("oomScoreAdj", num, "-1000 (never killed) to 1000"),
		k("rootfsPropagation", usually("", "shared", "slave", "private", "unbindable", "rshared", "rslave", "rprivate", "runbindable"), "mount propagation of the root"),
		k("cgroupsPath", str, "cgroup to run in"),
		k("resources", resourcesSchema, "cgroup limits"),
		k("sysctl", mapping, "kernel parameters, values in quotes"),
		k("rlimits", list(shaped(`^[^,]+,[^,]+,[^,]+$`)), `NAME,SOFT,HARD such as "nofile,1024,1048576"`),
		k("uidMappings", list(idMappingSchema), "users of a user namespace"),
		k("gidMappings", list(idMappingSchema), "groups of a user namespace"),
		k("annotations", &schema{kind: isMap, known: policyKeys()}, "annotations; slipway.* are policies"),
		k("runtime", runtimeSchema, "what to do around the container"),
	}

	containerKeys = append([]key{
		k("name", matching(bundle.NamePattern, bundle.NameWords), "name of the container").must(),
		k("image", str, "image to run").must(),
	}, settings...)

	containerSchema = object(containerKeys...)

	labelSchema = object(settings...)

	configSchema = object(
		k("kernel", kernelSchema, "the kernel"),
		k("init", strs, "images that make up the root file system"),
		k("volumes", list(volumeSchema), "file systems that containers share"),
		k("onboot", list(containerSchema), "containers to run once, in order, at boot"),
		k("onshutdown", list(containerSchema), "containers to run once, in order, at shutdown"),
		k("services", list(containerSchema), "containers to keep running"),
		k("files", list(fileSchema), "files to add"),
		k("trust", object(k("image", strs, ""), k("org", strs, "")), "accepted and ignored"),
	)
)
