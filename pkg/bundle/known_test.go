package bundle

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// A file is read as if no filter had been known, wherever in it one stands.
func TestKnownFilterChangesNothing(t *testing.T) {
	other := strings.Replace(aFilter, "listen", "accept", 1)
	member := `"seccomp":` + aFilter
	for name, config := range map[string]string{
		"same":          filtered(aFilter),
		"other":         filtered(other),
		"begins alike":  filtered(aFilter + `,"newer":1`),
		"broken behind": filtered(aFilter + `]`),
		"cut off":       filtered(aFilter[:len(aFilter)-1]),
		"twice":         strings.Replace(filtered(aFilter), `"cgroupsPath"`, member+`,"cgroupsPath"`, 1),
		"twice, other":  strings.Replace(filtered(other), `"cgroupsPath"`, member+`,"cgroupsPath"`, 1),
		"elsewhere":     strings.Replace(filtered(noFilter), `"root"`, member+`,"root"`, 1),
		"and elsewhere": strings.Replace(filtered(other), `"cgroupsPath"`, `"newer":{`+member+`},"cgroupsPath"`, 1),
		"in a name":     strings.Replace(filtered(other), `"cgroupsPath"`, `"a\`+member+`,"cgroupsPath"`, 1),
		"in a text":     strings.Replace(filtered(other), `"/x"`, `"/x`+strings.ReplaceAll(member, `"`, `\"`)+`"`, 1),
		"our mark":      filtered(mark),
		"mark and same": strings.Replace(filtered(mark), `"cgroupsPath"`, `"newer":{`+member+`},"cgroupsPath"`, 1),
		"no object":     strings.Replace(goodConfig, `"root"`, `"linux":[`+member[10:]+`],"root"`, 1),
		"fault behind":  strings.Replace(filtered(aFilter), `"root"`, "\n\n\"hostname\":5,\"root\"", 1),
	} {
		read := func(first ...string) (*Bundle, string) {
			known = knownFilters{}
			for _, f := range first {
				if _, err := Load(Services, write(t, map[string]string{ConfigFile: filtered(f)})); err != nil {
					t.Fatal(err)
				}
			}
			if len(known.all) != len(first) {
				t.Fatalf("%d filters are known, want %d", len(known.all), len(first))
			}
			dir := write(t, map[string]string{ConfigFile: config})
			b, err := Load(Services, dir)
			told := fmt.Sprint(err)
			if err == nil {
				told = fmt.Sprint(b.Warnings)
				b.Dir, b.Name, b.Warnings = "", "", nil
			}
			return b, strings.ReplaceAll(told, dir, "DIR")
		}
		want, toldOf := read()
		if got, told := read(withFlags, aFilter); !reflect.DeepEqual(got, want) || told != toldOf {
			t.Errorf("%s: %+v, %s; want %+v, %s", name, got, told, want, toldOf)
		}
	}
}

// The mark in an image stands for nothing: it stays what it is, with which no runtime starts.
func TestMarkOfAnImageIsAFilter(t *testing.T) {
	for range 2 {
		b, err := Load(Services, write(t, map[string]string{ConfigFile: filtered(mark)}))
		if err != nil || b.Filter != cutMark || b.Spec.Linux.Seccomp == nil {
			t.Fatalf("%+v, %v", b, err)
		}
		if text, err := Encode(b.Spec, b.Filter); err != nil || !strings.Contains(string(text), `"seccomp":`+mark) {
			t.Errorf("%s, %v", text, err)
		}
	}
}

// What is read once more is the short text; few filters are kept, and none of several lines.
func TestKnownFilterIsCutOut(t *testing.T) {
	var k knownFilters
	for i := range maxKnown + 3 {
		k.add(NewFilter(fmt.Appendf(nil, `{"defaultAction":"%d"}`, i)))
	}
	k.add(NewFilter([]byte("{\n}")))
	if len(k.all) != maxKnown {
		t.Fatalf("%d filters are kept", len(k.all))
	}
	data, f := k.cut([]byte(`{"linux":{"seccomp":{"defaultAction":"3"},"x":1}}`))
	if string(data) != `{"linux":{"seccomp":`+mark+`,"x":1}}` || f != k.all[3] {
		t.Errorf("%s, %v", data, f)
	}
	k = knownFilters{}
	if k.add(NewFilter([]byte("{\n}"))); len(k.all) > 0 {
		t.Error("a filter of two lines is known")
	}
}
