package bundle

import (
	"fmt"
	"strings"
	"testing"
)

func TestTwice(t *testing.T) {
	var many, unlike []string
	for i := range 50000 {
		many = append(many, fmt.Sprintf(`"n%d":%d`, i, i))
		unlike = append(unlike, fmt.Sprintf(`"N%d":%d`, i, i))
	}
	for text, want := range map[string]string{
		`{"a":1,"b":{"a":1},"c":[{"a":1},{"a":1}]}`:    "",
		`{"a":"a","b":["a","a","a:"],"c": "\"a\":"}`:   "",
		`{"annotations":{"a":"1","A":"2"}}`:            "",
		`{"linux":{"sysctl":{"x":"1","X":"2"}}}`:       "",
		`null`:                                         "",
		`"a"`:                                          "",
		`{` + strings.Join(many, ",") + `}`:            "",
		`{"sysctl":{` + strings.Join(many, ",") + `}}`: "",
		`{"linux":{},"process":{},"linux":null}`:       "linux",
		`{"linux":{},"Linux":{}}`:                      "Linux",
		`{"linux":{},"l\u0069nux":{}}`:                 "linux",
		"{\"mounts\":[],\"mount\u017f\":[]}":           "mount\u017f",
		`{"hooks":1,` + strings.Join(many, ",") + `,"hook` + "\u017f" + `":1}`: "hook\u017f",
		`{"a":{"b":[{"c":1,"d":2,"c" : 3}]}}`:                                  "c",
		`{"a":{"b":1},"a":1}`:                                                  "a",
		`{"annotations":{"a":"1","a":"2"}}`:                                    "a",
		`{"annotations":{"a":{"b":1,"B":2}}}`:                                  "B",
		`{"x":["annotations",{"b":1,"B":2}]}`:                                  "B",
		`{` + strings.Join(append(many, unlike[7]), ",") + `}`:                 "N7",
		`{"sysctl":{` + strings.Join(append(many, many[7]), ",") + `}}`:        "n7",
		`{"sysctl":{` + strings.Join(append(many, unlike...), ",") + `}}`:      "",
	} {
		err := checkTwice("file", []byte(text))
		switch {
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q is there twice", want))):
			t.Errorf("%.60s: %v, want %q", text, err, want)
		}
	}
	if err := checkTwice("file", []byte("{\"a\":1,\n\"a\":2}")); err == nil || !strings.HasPrefix(err.Error(), "file:2: ") {
		t.Errorf("%v, want the line", err)
	}
}

// Both files of a bundle are looked at, with fields that are not known too.
func TestTwiceInABundle(t *testing.T) {
	want := map[string]string{"config": `"root"`, "not known": `"newer"`, "runtime": `"mkdir"`, "inner runtime": `"NET"`}
	for name, files := range map[string]map[string]string{
		"config":        {ConfigFile: strings.Replace(goodConfig, "{", `{"Root":{"path":"/"},`, 1)},
		"not known":     {ConfigFile: strings.Replace(goodConfig, "{", `{"newer":1,"newer":2,`, 1)},
		"runtime":       {ConfigFile: goodConfig, RuntimeFile: `{"mkdir":["/a"],"mkdir":null}`},
		"inner runtime": {ConfigFile: goodConfig, RuntimeFile: `{"bindNS":{"net":"/a","NET":"/b"}}`},
	} {
		if _, err := Load(Services, write(t, files)); err == nil || !strings.Contains(err.Error(), want[name]+" is there twice") {
			t.Errorf("%s: %v, want %s", name, err, want[name])
		}
	}
}
