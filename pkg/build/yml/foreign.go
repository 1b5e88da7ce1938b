package yml

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"slipway/pkg/bundle"
)

// Keys of Docker's, Compose's, Kubernetes' and systemd's files, in small letters
// and without separators, and what does the same here: in a container, at the top
// of a text and below resources.
var (
	foreign = hints(
		"command: [PROGRAM, ARGUMENT, ...]", "args cmd entrypoint execstart",
		"image: and the name of an image that is built (docker save and --oci bring it here)", "build dockerfile",
		"slipway build --pull", "pullpolicy imagepullpolicy",
		"capabilities: [CAP_...], or capabilities.add beside an image's label", "capadd addcapabilities",
		"capabilities: and those that are to stay; there are none by default", "capdrop",
		"capabilities: [all]", "privileged",
		"uid:, gid:, capabilities: and readonly:", "securitycontext",
		"cgroupsPath: /PARENT/NAME", "cgroupparent",
		"name:", "containername",
		"resources: {cpu: {quota: 50000, period: 100000}}, in microseconds, for half a CPU", "cpu cpus cpuquota",
		"resources: {cpu: {shares: N}}", "cpushares",
		`resources: {cpu: {cpus: "0-1"}}`, "cpuset cpusetcpus",
		`an entry of files: with mode: "0400", and binds: of it`, "configs secrets",
		"annotations: {slipway.after: NAME}, or slipway.requires to fail with it", "dependson after wants",
		"annotations: {slipway.requires: NAME}", "requires bindsto",
		"resources:, and annotations: {slipway.restart: ...}", "deploy",
		"an entry of files: with path: etc/resolv.conf, and binds: of it", "dns dnssearch",
		"an entry of files: with path: etc/hosts, and binds: of it", "extrahosts hostaliases",
		"env: [NAME=VALUE, ...]", "environment envfile envfrom",
		"nothing: containers share the machine's network by default; slipway run --publish HOST:GUEST forwards to it", "ports expose publish links",
		"net: host (the default), new, none or a path", "network networks networkmode hostnetwork",
		"additionalGids: [N, ...]", "groupadd supplementalgroups",
		"uid: N and gid: N", "user runasuser",
		"gid: N", "group runasgroup",
		`annotations: {slipway.health: "http:PORT/PATH"}, or tcp:PORT, exec:COMMAND`, "healthcheck livenessprobe",
		`annotations: {slipway.ready: "http:PORT/PATH"}, or tcp:PORT, exec:COMMAND, notify`, "readinessprobe startupprobe",
		"nothing: PID 1 of the machine reaps what is left behind", "init",
		"nothing: `service exec` opens a terminal in a running service", "tty stdinopen stdin",
		"annotations: {NAME: VALUE}", "label labels",
		"annotations: {slipway.log: file}, or console, kmsg, none", "logging logdriver standardoutput",
		"resources: {memory: {limit: BYTES}}", "memory mem memlimit memorylimit memorymax",
		"resources: {memory: {reservation: BYTES}}", "memreservation",
		"resources: {memory: {swap: BYTES}}", "memswaplimit memoryswap memoryswapmax",
		`annotations: {slipway.pids: "N"}`, "pidslimit tasksmax",
		"readonly: true", "readonlyrootfs readonlyrootfilesystem",
		"annotations: {slipway.restart: always}, or on-failure (the default), \"no\"", "restart restartpolicy",
		"annotations: {slipway.restart-delay: 100ms}", "restartsec",
		"noNewPrivileges: true, or annotations: {slipway.seccomp: ...}", "securityopt",
		`tmpfs: ["/dev/shm:size=64m"]`, "shmsize",
		"annotations: {slipway.stop-timeout: 10s}", "stopgraceperiod timeoutstopsec terminationgraceperiodseconds",
		"annotations: {slipway.stop-signal: SIGTERM}", "killsignal",
		`sysctl: {NAME: "VALUE"}`, "sysctls",
		`rlimits: ["nofile,SOFT,HARD"]`, "ulimit ulimits limitnofile",
		"userns: new, with uidMappings: and gidMappings:", "usernsmode",
		"cwd: /PATH", "workdir workingdir workingdirectory",
		`binds: ["SOURCE:DESTINATION"]; the source is a path in the machine, or of the section volumes`, "volume volumes volumemounts volumesfrom",
	)
	foreignTop = hints(
		"nothing: linuxkit.yml has no version", "version apiversion",
		"nothing: the image is named by slipway build --name NAME", "name",
		"files:, and binds: in the containers", "configs secrets",
		"net: in a container", "networks",
		"services:, or onboot: for what runs once", "containers pods",
		"kernel: {cmdline: ...}", "cmdline",
	)
	foreignLimits = hints(
		"memory: {limit: BYTES} and cpu: {quota: N, period: N} in microseconds, right below resources:", "limits reservations requests",
		"memory: {limit: BYTES}", "mem memorylimit memlimit",
		"memory: {swap: BYTES}", "swap",
		"cpu: {quota: 50000, period: 100000}, in microseconds, for half a CPU", "cpus",
		"pids: {limit: N}", "pidslimit",
	)
	ownKeys = func() map[string]string {
		all := map[string]string{}
		for key := range policyKeys() {
			all[plainKey(strings.TrimPrefix(key, bundle.Prefix))] = key
		}
		return all
	}()
)

// hints reads what to write, and the keys of others that it stands for.
func hints(list ...string) map[string]string {
	all := map[string]string{}
	for pair := range slices.Chunk(list, 2) {
		for key := range strings.FieldsSeq(pair[1]) {
			all[key] = pair[0]
		}
	}
	return all
}

func plainKey(key string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", ".", "").Replace(key))
}

// foreignKey is what to write for a key that is none here; "" if nothing is known
// of it.
func foreignKey(p Position, s *schema, key, value string) string {
	switch s {
	case configSchema:
		return foreignTop[plainKey(key)]
	case resourcesSchema:
		return foreignLimits[plainKey(key)]
	case containerSchema, labelSchema:
		return inSection(p, containerKey(key, value))
	}
	return ""
}

func containerKey(key, value string) string {
	hint := foreign[plainKey(key)]
	if n, ok := inUnit(bytesUnit, value); ok {
		hint = strings.Replace(hint, "BYTES", strconv.FormatInt(n, 10), 1)
	}
	own := ownKeys[plainKey(strings.TrimPrefix(key, bundle.Prefix))]
	if own == "" {
		return hint
	}
	if v := annotationValue(own, value); v != "" {
		return fmt.Sprintf("annotations: {%s: %s}", own, v)
	}
	if hint != "" {
		return hint
	}
	return fmt.Sprintf("annotations: {%s: ...}", own)
}

var ownKey = regexp.MustCompile(regexp.QuoteMeta(bundle.Prefix) + `[a-z-]+`)

// inSection takes back a hint that would be refused where the container stands.
func inSection(p Position, hint string) string {
	section, _, _ := strings.Cut(p.path, "[")
	own := ownKey.FindString(hint)
	if section == "" || own == "" || slices.Contains(bundle.PolicyKeys(bundle.Section(section)), own) {
		return hint
	}
	return fmt.Sprintf("nothing in %s: %s is for %s", section, own, policyKeys()[own])
}

// annotationValue is a value as one of our annotations takes it; "" if in no way. A
// number where a duration is wanted is one of seconds, as nearly everywhere else.
func annotationValue(key, value string) string {
	for _, v := range []string{value, value + "s"} {
		for _, section := range []bundle.Section{bundle.Services, bundle.Onboot, bundle.Onshutdown} {
			if _, err := bundle.ParsePolicy(section, map[string]string{key: v}); err == nil && value != "" {
				return asText(v)
			}
		}
	}
	return ""
}

// asText puts quotes around what would not be text in YAML.
func asText(v string) string {
	_, err := strconv.ParseFloat(v, 64)
	if err == nil || slices.Contains([]string{"yes", "no", "true", "false", "on", "off"}, v) || strings.ContainsAny(v, ":,#[]{}") {
		return strconv.Quote(v)
	}
	return v
}
