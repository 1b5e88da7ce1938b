package main

import (
	"os"
	"strings"
	"testing"

	"slipway/pkg/build/oci"
)

// TestRecipeFromAnywhere builds a recipe of the user's for both platforms, outside of the
// repository, names it, and pushes it beside none of ours.
func TestRecipeFromAnywhere(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("SLIPWAY_STORE", t.TempDir())
	t.Setenv("SLIPWAY_CACHE", t.TempDir())
	t.Setenv("SLIPWAY_ROOT", "")
	for _, dir := range []string{"app", "more"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, "app/image.yml", "name: localhost/app:3\nabout: files alone\ncontents: [{files: {/etc/motd: motd}}]\n")
	writeFile(t, "app/motd", "hello\n")
	writeFile(t, "more/image.yml", "about: has no name\nfrom: localhost/app:3\ncontents: [{folders: [/x]}]\n")
	for _, arch := range []string{"amd64", "arm64"} {
		for _, args := range [][]string{{"--recipe", "app"}, {"--recipe", "more", "--recipe", "app", "--force"}, {"--recipe", "more", "example/more"}} {
			status := 0
			if len(args) > 3 {
				status = 1 // more says no name
			}
			_, errOut, got := command(t, "", append([]string{"images", "build", "--platform", "linux/" + arch}, args...)...)
			if got != status || status == 1 && !strings.Contains(errOut, "recipe more/image.yml: name: missing; want ORG/NAME:TAG") {
				t.Errorf("%v: status %d\n%s", args, got, errOut)
			}
		}
	}
	if _, errOut, status := command(t, "", "images", "build", "--recipe", "app", "--recipe", "more", "a/b:1"); status != 2 || !strings.Contains(errOut, "a NAME is for one --recipe") {
		t.Errorf("two recipes, one name: status %d\n%s", status, errOut)
	}
	items, err := oci.OpenStore().List()
	if err != nil || len(items) != 4 {
		t.Fatalf("%d images in the store, want two for each platform: %v", len(items), err)
	}
	host := goRegistry(t)
	if _, errOut, status := command(t, "", "images", "push", host+"/team"); status != 1 || !strings.Contains(errOut, "the store holds none") {
		t.Errorf("a push of all is of ours: status %d\n%s", status, errOut)
	}
	out, errOut, status := command(t, "", "images", "push", host+"/team", "localhost/app:3", "example/more")
	if status != 0 || !strings.Contains(out, host+"/team/app:3@sha256:") || !strings.Contains(out, host+"/team/more:latest@sha256:") {
		t.Fatalf("push: status %d\n%s%s", status, out, errOut)
	}
	checkIndex(t, host+"/team/app:3")
	if out, _, status := command(t, "", "images", "export", "x.tar", "localhost/app:3"); status != 0 {
		t.Errorf("export: status %d\n%s", status, out)
	}
}
