package oci

import "testing"

func TestRenames(t *testing.T) {
	r, err := ParseRenames([]string{"slipway=registry.example:5000/team/", "linuxkit=a", "docker.io/linuxkit/x=b/c", "linuxkit/sub=d"})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"slipway/init:v0.1":        "registry.example:5000/team/init:v0.1",
		"slipway/init@sha256:1":    "registry.example:5000/team/init@sha256:1",
		"linuxkit/sub/y":           "d/y",
		"linuxkit/subway":          "a/subway",
		"docker.io/linuxkit/x/y:1": "b/c/y:1",
		"docker.io/slipway/init":   "docker.io/slipway/init",
		"slipways/init":            "slipways/init",
		"slipway":                  "slipway",
		"slipway:1":                "slipway:1",
	} {
		if got := r.apply(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	for _, text := range []string{"", "slipway", "=a", "slipway=", "a=b=c", "slipway=https://a", "a=b@sha256:1"} {
		if _, err := ParseRenames([]string{text}); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
