package bundle

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

const (
	noFilter   = `null`
	aFilter    = `{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [{"names": ["listen", "read"], "action": "SCMP_ACT_ALLOW"}, {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 18446744073709551615, "valueTwo": 7, "op": "SCMP_CMP_MASKED_EQ"}]}, {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}`
	noFlags    = `{"defaultAction": "SCMP_ACT_ALLOW", "flags": []}`
	withFlags  = `{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_LOG"]}`
	escaped    = `{"defaultAction": "SCMP_ACT_ALLOW", "fla\u0067s": ["SECCOMP_FILTER_FLAG_LOG"]}`
	listenedTo = `{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/x", "listenerMetadata": "<&>"}`
	newerYet   = `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_NEW", "more": {"a": [1]}}]}`
)

func filtered(filter string) string {
	return strings.Replace(goodConfig, `"root"`, `"linux":{"cgroupsPath":"/x","seccomp":`+filter+`},"root"`, 1)
}

// What is read and written again has the same filter, to the last field, and is
// otherwise what it was.
func TestFilterIsHandedOn(t *testing.T) {
	for _, filter := range []string{noFilter, aFilter, noFlags, withFlags, escaped, listenedTo, newerYet} {
		b, err := Load(Services, write(t, map[string]string{ConfigFile: filtered(filter)}))
		if err != nil {
			t.Fatalf("%s: %v", filter, err)
		}
		text, err := Encode(b.Spec, b.Filter)
		if err != nil {
			t.Fatalf("%s: %v", filter, err)
		}
		var got, want map[string]any
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(filtered(filter)), &want); err != nil {
			t.Fatal(err)
		}
		if filter == noFilter {
			delete(want["linux"].(map[string]any), "seccomp")
		}
		if !reflect.DeepEqual(got["linux"], want["linux"]) {
			t.Errorf("%s became %v", filter, got["linux"])
		}
		if list, is := got["mounts"].([]any); !is || len(list) > 0 {
			t.Errorf("mounts are %v", got["mounts"])
		}
		if simple := filter == noFilter || filter == aFilter || filter == newerYet; b.Filter.Simple() != simple {
			t.Errorf("%s: simple is %t", filter, !simple)
		}
		if s := b.Spec.Linux.Seccomp; filter == listenedTo && s.ListenerPath != "/run/x" {
			t.Errorf("nobody sees who listens: %+v", s)
		}
	}
}

// A spec that somebody writes without its filter is refused by every runtime.
func TestSpecWithoutItsFilterIsNone(t *testing.T) {
	b, err := Load(Services, write(t, map[string]string{ConfigFile: filtered(aFilter)}))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(b.Spec)
	if err != nil || !strings.Contains(string(text), `"seccomp":{"defaultAction":"SLIPWAY_WITHHELD"}`) {
		t.Errorf("%s %v", text, err)
	}
	const lost = "the filter of system calls is lost"
	if _, err := Encode(b.Spec, Filter{}); err == nil || err.Error() != lost {
		t.Errorf("written without a filter: %v", err)
	}
	bare := *b.Spec
	bare.Linux = nil
	if _, err := Encode(&bare, b.Filter); err == nil || err.Error() != lost {
		t.Errorf("written with nowhere for the filter to be: %v", err)
	}
	other := *b.Spec
	linux := *b.Spec.Linux
	linux.Seccomp, other.Linux = nil, &linux
	if _, err := Encode(&other, b.Filter); err == nil || err.Error() != lost {
		t.Errorf("written though somebody took the filter out: %v", err)
	}
}

// A spec that was made here has its filter in itself.
func TestFilterOfASpecOfOurs(t *testing.T) {
	s := &specs.Spec{Linux: &specs.Linux{Seccomp: &specs.LinuxSeccomp{DefaultAction: specs.ActKill}}}
	text, err := Encode(s, Filter{})
	if err != nil || !strings.Contains(string(text), `"seccomp":{"defaultAction":"SCMP_ACT_KILL"}`) {
		t.Errorf("%s %v", text, err)
	}
}

// What is not known beside a filter, or around it, is a warning, as everywhere.
func TestFilterBesideWhatIsNotKnown(t *testing.T) {
	for _, config := range []string{
		strings.Replace(filtered(aFilter), `"root"`, `"newer":1,"root"`, 1),
		strings.Replace(filtered(aFilter), `"cgroupsPath"`, `"newer":1,"cgroupsPath"`, 1),
		strings.Replace(filtered(aFilter), `"seccomp":`+aFilter, `"seccomp":`+aFilter+`,"newer":1`, 1),
	} {
		b, err := Load(Services, write(t, map[string]string{ConfigFile: config}))
		if err != nil || len(b.Warnings) != 1 || b.Filter != NewFilter([]byte(aFilter)) || b.Spec.Linux.Seccomp.DefaultAction != withheld {
			t.Errorf("%s: %+v, %v", config, b, err)
		}
	}
}

func TestFilterThatCannotBe(t *testing.T) {
	twice := strings.Replace(filtered(aFilter), `"cgroupsPath"`, `"seccomp":`+withFlags+`,"cgroupsPath"`, 1)
	again := strings.Replace(filtered(aFilter), `"root"`, `"linux":{"seccomp":`+withFlags+`},"root"`, 1)
	nothing := strings.Replace(filtered(aFilter), `"root"`, `"linux":null,"root"`, 1)
	for config, want := range map[string]string{
		nothing:                  `"linux" is there twice`,
		filtered("5"):            "no object",
		filtered("[]"):           "no object",
		filtered(`"x"`):          "no object",
		twice:                    "twice",
		again:                    "twice",
		filtered(`{"flags": 5}`): "flags",
	} {
		dir := write(t, map[string]string{ConfigFile: config})
		if _, err := Load(Services, dir); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v, want %q", config, err, want)
		}
	}
}

// Bundles with the same filter share it in memory.
func TestEqualFiltersAreOne(t *testing.T) {
	dirs := []string{write(t, map[string]string{ConfigFile: filtered(aFilter)}), write(t, map[string]string{ConfigFile: filtered(aFilter)})}
	a, err := Load(Services, dirs[0])
	if err != nil {
		t.Fatal(err)
	}
	b, err := Load(Services, dirs[1])
	if err != nil || a.Filter != b.Filter || a.Filter.None() {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(b.Path(ConfigFile), []byte(filtered(withFlags)), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err = Load(Services, dirs[1]); err != nil || a.Filter == b.Filter {
		t.Errorf("%v", err)
	}
}
