package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"slipway/pkg/build/oci"
	"slipway/test/skip"
	"slipway/test/testimage"
)

// storeOf makes a local store with images of ours, NAME, and of others, ORG/NAME:TAG:
// for both architectures, or with @ARCH for one.
func storeOf(t *testing.T, names ...string) {
	t.Helper()
	t.Setenv("SLIPWAY_STORE", filepath.Join(t.TempDir(), "store"))
	for _, n := range names {
		short, only, _ := strings.Cut(n, "@")
		if !strings.Contains(short, "/") {
			short = "slipway/" + short + ":v0.1"
		}
		for _, arch := range []string{"amd64", "arm64"} {
			if only != "" && arch != only {
				continue
			}
			img := testImage(t, arch)
			if err := oci.OpenStore().Put(short, img, map[string]string{oci.InputsAnnotation: "x"}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// testImage is one with two layers of noise.
func testImage(t *testing.T, arch string) v1.Image {
	t.Helper()
	img, err := random.Image(1000, 2)
	if err != nil {
		t.Fatal(err)
	}
	return testimage.For(t, img, arch, nil)
}

func debianRegistry(t *testing.T) (host string) { t.Helper(); return debianRegistryIn(t, t.TempDir()) }

// debianRegistryIn starts Debian's docker-registry on a port that the kernel chooses, with its
// blobs below dir.
func debianRegistryIn(t *testing.T, dir string) (host string) {
	t.Helper()
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		skip.Test(t, skip.Program, "docker-registry")
	}
	config := fmt.Sprintf("version: 0.1\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: \"127.0.0.1:0\"}\n", filepath.Join(dir, "data"))
	writeFile(t, filepath.Join(dir, "config.yml"), config)
	cmd := exec.Command(program, "serve", filepath.Join(dir, "config.yml"))
	// It writes its log to either stream.
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait(); _ = r.Close() })
	listening := regexp.MustCompile(`listening on (127\.0\.0\.1:[0-9]+)`)
	var said strings.Builder
	for lines := bufio.NewScanner(r); lines.Scan(); {
		fmt.Fprintln(&said, lines.Text())
		if m := listening.FindStringSubmatch(lines.Text()); m != nil {
			go func() { _, _ = io.Copy(io.Discard, r) }()
			return m[1]
		}
	}
	t.Fatalf("docker-registry ended: %s", said.String())
	return ""
}

func goRegistry(t *testing.T) (host string) { t.Helper(); return goRegistryIn(t, t.TempDir()) }

// goRegistryIn starts go-containerregistry's, with its blobs, but for manifests, below dir.
func goRegistryIn(t *testing.T, dir string) (host string) {
	t.Helper()
	s := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithBlobHandler(registry.NewDiskBlobHandler(dir))))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// checkIndex reads a pushed image back.
func checkIndex(t *testing.T, ref string) {
	t.Helper()
	r, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(r)
	if err != nil {
		t.Fatal(err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var platforms []string
	for _, d := range m.Manifests {
		platforms = append(platforms, d.Platform.String())
		if len(d.Annotations) > 0 {
			t.Errorf("%s: annotations of the store are in the registry: %v", ref, d.Annotations)
		}
	}
	if want := []string{"linux/amd64", "linux/arm64"}; !slices.Equal(platforms, want) {
		t.Errorf("%s: platforms %v, want %v", ref, platforms, want)
	}
}

// TestPush pushes twice and builds from there with an empty store, where the YAML says
// what it has always said.
func TestPush(t *testing.T) {
	for kind, start := range map[string]func(*testing.T) string{"go-containerregistry": goRegistry, "Debian": debianRegistry} {
		t.Run(kind, func(t *testing.T) {
			host := start(t)
			storeOf(t, "init", "runc", "testspeak", "localhost/web:1")
			t.Chdir(t.TempDir())
			push := func(args ...string) string {
				out, errOut, status := command(t, "", append([]string{"images", "push"}, args...)...)
				if status != 0 {
					t.Fatalf("%v: status %d\n%s", args, status, errOut)
				}
				return out
			}
			one := push(host + "/team/os")
			lines := strings.Split(strings.TrimSpace(one), "\n")
			if len(lines) != 2 || !strings.HasPrefix(lines[0], host+"/team/os/init:v0.1@sha256:") {
				t.Fatalf("pushed %q", lines)
			}
			for _, line := range lines {
				checkIndex(t, line)
				checkIndex(t, line[:strings.Index(line, "@")])
			}
			if two := push("http://" + host + "/team/os:v0.1"); two != one {
				t.Errorf("pushed again: %s, before %s", two, one)
			}
			push(host+"/team/os:v7", "slipway/init:v0.1")
			if three := push(host+"/team/os", "testspeak"); !strings.Contains(three, "/testspeak:v0.1@") {
				t.Errorf("an image of tests, by its name: %q", three)
			}
			for tag, want := range map[string]string{"": ":1@", ":v7": ":v7@"} {
				if got := push(host+"/team/os"+tag, "localhost/web:1"); !strings.HasPrefix(got, host+"/team/os/web"+want) {
					t.Errorf("an image with a tag of its own, and %q is asked for: %q", tag, got)
				}
			}
			t.Setenv("SLIPWAY_STORE", t.TempDir())
			const yml = "init: [\"slipway/init:v0.1\", \"slipway/init:v7\"]\n"
			args := []string{"build", "-f", "tar", "--arch", "arm64", "--rename", "slipway=" + host + "/team/os", "--sbom", "sbom.json", "-"}
			if _, errOut, status := command(t, yml, args...); status != 0 {
				t.Fatalf("build: status %d\n%s", status, errOut)
			}
			if sbom, err := os.ReadFile("sbom.json"); err != nil || !strings.Contains(string(sbom), host+"/team/os/init:v7") {
				t.Errorf("the SBOM does not tell where the image came from: %v", err)
			}
			t.Setenv("SLIPWAY_RENAME", "slipway="+host+"/nobody")
			if out, _, status := command(t, yml, "validate", "-"); status != 1 || !strings.Contains(out, "slipway/init:v0.1, renamed: ") || !strings.Contains(out, host+"/nobody/init:v0.1") {
				t.Errorf("nothing there: status %d\n%s", status, out)
			}
		})
	}
}

// TestPushOfWhatIsThere leaves out, and tells, what the store has for one architecture
// alone and nobody has named.
func TestPushOfWhatIsThere(t *testing.T) {
	host := goRegistry(t)
	storeOf(t, "init", "poweroff@amd64", "testspeak@arm64")
	t.Chdir(t.TempDir())
	out, errOut, status := command(t, "", "images", "push", host+"/team")
	if status != 0 || !strings.HasPrefix(out, host+"/team/init:v0.1@") || strings.Count(out, "\n") != 1 {
		t.Errorf("status %d, pushed %q:\n%s", status, out, errOut)
	}
	if want := "left out: not all are in the store for both architectures: run `slipway images build --platform linux/arm64 poweroff`"; !strings.Contains(errOut, want) || strings.Contains(errOut, "testspeak") {
		t.Errorf("got %q, want %q", errOut, want)
	}
}

// TestPushRefused leaves nothing in the registry.
func TestPushRefused(t *testing.T) {
	var lock sync.Mutex // of both
	var written []string
	user := ""
	be := func(name string) { lock.Lock(); defer lock.Unlock(); user = name }
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lock.Lock()
		defer lock.Unlock()
		if u, p, _ := r.BasicAuth(); user != "" && u+":"+p != user {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			written = append(written, r.Method+" "+r.URL.Path)
		}
		inner.ServeHTTP(w, r)
	}))
	defer s.Close()
	host := strings.TrimPrefix(s.URL, "http://")
	dir := t.TempDir()
	t.Setenv("DOCKER_CONFIG", dir)
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		store, args []string
		user        string
		status      int
		want        string
	}{
		{nil, []string{host + "/team"}, "", 1, "the store holds none"},
		{[]string{"runc@amd64", "kernel@arm64"}, []string{host + "/team"}, "", 1,
			"run `slipway images build --platform linux/amd64 kernel` and `slipway images build --platform linux/arm64 runc`"},
		{[]string{"init", "runc@amd64", "kernel@arm64"}, []string{host + "/team", "init", "kernel", "runc"}, "", 1,
			"run `slipway images build --platform linux/amd64 kernel` and `slipway images build --platform linux/arm64 runc`"},
		{[]string{"runc@amd64", "localhost/nginx:1@amd64", "localhost/web:1@amd64"}, []string{host + "/team", "runc", "localhost/nginx:1", "localhost/web:1"}, "", 1,
			"run `slipway images build --platform linux/arm64 --recipe DIR localhost/nginx:1` and `slipway images build --platform linux/arm64 --recipe DIR localhost/web:1` and `slipway images build --platform linux/arm64 runc`"},
		{[]string{"localhost/nginx:1", "example/nginx:1"}, []string{host + "/team", "localhost/nginx:1", "example/nginx:1"}, "", 1,
			"example/nginx:1 and localhost/nginx:1 would both be " + host + "/team/nginx:1"},
		{[]string{"localhost/nginx:1", "localhost/nginx:2"}, []string{host + "/team:v3", "localhost/nginx:1", "localhost/nginx:2"}, "", 1,
			"would both be " + host + "/team/nginx:v3"},
		{[]string{"testspeak"}, []string{host + "/team"}, "", 1, "the store holds none"},
		{[]string{"init"}, []string{host + "/team", "inti"}, "", 2, "no such image: inti"},
		{[]string{"init"}, []string{host + "/team"}, "ann:secret", 1, "push image " + host + "/team/init:v0.1: "},
		{[]string{"init"}, []string{"team"}, "", 2, "want REGISTRY/ORG"},
		{[]string{"init"}, []string{"team/sub"}, "", 2, "want REGISTRY/ORG"},
		{[]string{"init"}, []string{host + "/"}, "", 2, "want REGISTRY/ORG"},
		{[]string{"init"}, []string{host + "/team:"}, "", 2, "want REGISTRY/ORG"},
		{[]string{"init"}, []string{host + "/team:a b"}, "", 2, "want REGISTRY/ORG"},
		{[]string{"init"}, []string{host + "/team", "--platform", "linux/arm64"}, "", 2, "leave --platform out"},
	} {
		storeOf(t, c.store...)
		be(c.user)
		_, errOut, status := command(t, "", append([]string{"images", "push"}, c.args...)...)
		if status != c.status || !strings.Contains(errOut, c.want) {
			t.Errorf("%v: status %d, want %d with %q:\n%s", c.args, status, c.status, c.want, errOut)
		}
	}
	lock.Lock()
	if len(written) > 0 {
		t.Errorf("written to the registry: %v", written)
	}
	lock.Unlock()
	auth := base64.StdEncoding.EncodeToString([]byte("ann:secret"))
	writeFile(t, filepath.Join(dir, "config.json"), fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, host, auth))
	be("ann:secret")
	storeOf(t, "init")
	if _, errOut, status := command(t, "", "images", "push", host+"/team"); status != 0 {
		t.Errorf("with credentials: status %d\n%s", status, errOut)
	}
}

// TestPushToARegistryThatDrops tries what fails once again, and says what was not
// pushed where all fails.
func TestPushToARegistryThatDrops(t *testing.T) {
	for _, c := range []struct {
		drops, status int
		drop          func(http.ResponseWriter)
		want          string
	}{
		{2, 0, func(w http.ResponseWriter) { panic(http.ErrAbortHandler) }, "/team/init:v0.1@sha256:"},
		{2, 0, func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }, "/team/init:v0.1@sha256:"},
		{1 << 30, 1, func(w http.ResponseWriter) { panic(http.ErrAbortHandler) }, "/team/init:v0.1: "},
		{1 << 30, 1, func(w http.ResponseWriter) { w.WriteHeader(http.StatusForbidden) }, "`docker login 127.0.0.1:"},
		{1 << 30, 1, func(w http.ResponseWriter) { w.WriteHeader(http.StatusInsufficientStorage) }, "507 Insufficient Storage"},
	} {
		var left atomic.Int64
		left.Store(int64(c.drops))
		inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet && r.Method != http.MethodHead && left.Add(-1) >= 0 {
				c.drop(w)
				return
			}
			inner.ServeHTTP(w, r)
		}))
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.Start()
		storeOf(t, "init")
		t.Chdir(t.TempDir())
		out, errOut, status := command(t, "", "images", "push", strings.TrimPrefix(s.URL, "http://")+"/team")
		s.Close()
		if status != c.status || !strings.Contains(out+errOut, c.want) || status != 0 && out != "" {
			t.Errorf("%d dropped: status %d, want %q:\n%s%s", c.drops, status, c.want, out, errOut)
		}
	}
}

// TestPushIsNoImpostor leaves an image that a registry gave under our name at home.
func TestPushIsNoImpostor(t *testing.T) {
	host := goRegistry(t)
	storeOf(t)
	img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: runtime.GOARCH})
	if err == nil {
		err = oci.OpenStore().Put("slipway/init:v0.1", img, map[string]string{oci.FetchedAnnotation: "docker.io"})
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, errOut, status := command(t, "", "images", "push", host+"/team", "init"); status != 1 || !strings.Contains(errOut, "not all are in the store") {
		t.Errorf("status %d\n%s", status, errOut)
	}
}
