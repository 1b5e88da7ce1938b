package main

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// commandVar makes the test binary the program itself.
const commandVar = "SLIPWAY_TEST_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(commandVar) != "" {
		main()
	}
	os.Exit(m.Run())
}

// slowRegistry holds one image of several layers and takes its time.
func slowRegistry(t *testing.T) (image string) {
	t.Helper()
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			time.Sleep(5 * time.Millisecond)
			w = drip{w}
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	img := empty.Image
	for _, file := range []string{"kernel", "init", "bin/one", "bin/two"} {
		data := make([]byte, 2<<20)
		if _, err := rand.Read(data); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		if err := w.WriteHeader(&tar.Header{Name: file, Size: int64(len(data)), Mode: 0o755}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
		if err != nil {
			t.Fatal(err)
		}
		if img, err = mutate.AppendLayers(img, layer); err != nil {
			t.Fatal(err)
		}
	}
	image = strings.TrimPrefix(s.URL, "http://") + "/machine:1"
	ref, err := name.ParseReference(image)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img); err != nil {
		t.Fatal(err)
	}
	return image
}

// drip writes in small pieces with pauses.
type drip struct{ http.ResponseWriter }

func (d drip) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		n, err := d.ResponseWriter.Write(p[done:min(len(p), done+128<<10)])
		if done += n; err != nil {
			return done, err
		}
		time.Sleep(5 * time.Millisecond)
	}
	return done, nil
}

// startBuild runs the command as a process of its own.
func startBuild(t *testing.T, store string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "build", "-q", "-f", "kernel+initrd,tar", "--dir", "out", "--name", "m", "machine.yml")
	cmd.Env = append(os.Environ(), commandVar+"=1", "SLIPWAY_STORE="+store)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// results reads what lies in out/ by name.
func results(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	names, err := filepath.Glob("out/*")
	if err != nil {
		t.Fatal(err)
	}
	hidden, err := filepath.Glob("out/.*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(names, hidden...) {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(data)
		found[filepath.Base(name)] = hex.EncodeToString(sum[:])
	}
	return found
}

// wholeBlobs wants every blob of a store to be what its name says.
func wholeBlobs(t *testing.T, store string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(store, "blobs/sha256/[0-9a-f]*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != filepath.Base(name) {
			t.Errorf("%s is not whole", name)
		}
	}
}

// TestEndedBuilds kills builds, or interrupts them, at many points: what has its
// final name is whole, and the next build goes on to the same bytes.
func TestEndedBuilds(t *testing.T) {
	t.Chdir(t.TempDir())
	image := slowRegistry(t)
	writeFile(t, "machine.yml", "kernel: {image: \""+image+"\", tar: none}\ninit: [\""+image+"\"]\n")
	began := time.Now()
	if err := startBuild(t, "first").Wait(); err != nil {
		t.Fatal(err)
	}
	took, want := time.Since(began), results(t)
	if len(want) != 4 {
		t.Fatalf("built %v", want)
	}
	const points = 14
	ended := 0
	for i := range points {
		signal := []os.Signal{os.Kill, os.Interrupt, syscall.SIGTERM}[i%3]
		store := []string{"same", "fresh" + string(rune('a'+i))}[i%2]
		if err := os.RemoveAll("out"); err != nil {
			t.Fatal(err)
		}
		cmd := startBuild(t, store)
		time.Sleep(took * time.Duration(i) / points)
		if err := cmd.Process.Signal(signal); err != nil {
			t.Logf("point %d: %v", i, err) // it was through already
		}
		err := cmd.Wait()
		if err != nil {
			ended++
		}
		for name, sum := range results(t) {
			final := !strings.HasPrefix(name, ".")
			if final && sum != want[name] || !final && signal != os.Kill {
				t.Errorf("point %d, %v (%v): %s was left behind", i, signal, err, name)
			}
		}
		wholeBlobs(t, store)
	}
	if t.Logf("%d of %d builds were ended", ended, points); ended == 0 {
		t.Error("no build was ended at all")
	}
	if err := startBuild(t, "same").Wait(); err != nil {
		t.Fatal(err)
	}
	for name, sum := range want {
		if results(t)[name] != sum {
			t.Errorf("%s differs after all that", name)
		}
	}
}
