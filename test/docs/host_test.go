package docs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"golang.org/x/sys/unix"

	"slipway/pkg/build/oci"
)

// host is a machine on which somebody reads the pages.
type host struct {
	slipway string // the program
	dir     string
	env     []string
}

// hosts are the names of others in the pages: a registry, and a server with YAML on it.
var hosts = []string{"registry.example", "example.com"}

// newHost makes one whose others are all on the loopback of this process's own network.
func newHost(t *testing.T, program string) *host {
	t.Helper()
	h := &host{slipway: program, dir: t.TempDir()}
	command(t, "ip", "link", "set", "lo", "up")
	names := filepath.Join(h.dir, "hosts")
	write(t, names, "127.0.0.1 localhost "+strings.Join(hosts, " ")+"\n")
	for _, err := range []error{unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""), unix.Mount(names, "/etc/hosts", "", unix.MS_BIND, "")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	certificate := h.serve(t)
	store := filepath.Join(h.dir, "store") // of its own, with the same blobs where they are on the same file system
	command(t, "sh", "-c", `cp -al "$0" "$1" || { rm -rf "$1" && cp -a "$0" "$1"; }`, oci.StoreDir(), store)
	h.env = []string{"SSL_CERT_FILE=" + certificate, "SLIPWAY_STORE=" + store}
	if out, err := h.sh(h.dir, "slipway images export slipway-VERSION-images-amd64.tar busybox\n").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return h
}

// serve answers for all others, and returns the file with their certificate.
func (h *host) serve(t *testing.T) (file string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: hosts, NotAfter: time.Now().AddDate(1, 0, 0), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(h.dir, "ca.pem")
	write(t, file, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	l, err := tls.Listen("tcp", "127.0.0.1:443", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	quiet := log.New(io.Discard, "", 0)
	images := registry.New(registry.Logger(quiet))
	server := &http.Server{ErrorLog: quiet, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host == "example.com" {
			_, _ = io.WriteString(w, base)
			return
		}
		images.ServeHTTP(w, r)
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return file
}

// base is a machine with nothing in it.
const base = "kernel: {image: \"slipway/kernel:v0.1\", cmdline: console=ttyS0}\ninit: [\"slipway/init:v0.1\", \"slipway/runc:v0.1\"]\n"

// directory is one with what the pages name in it.
func (h *host) directory(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, to := range map[string]string{"examples": root + "/examples", "linuxkit.yml": root + "/linuxkit.yml",
		"slipway-VERSION-images-amd64.tar": filepath.Join(h.dir, "slipway-VERSION-images-amd64.tar")} {
		if err := os.Symlink(absolute(t, to), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "machine.yml"), base)
	write(t, filepath.Join(dir, "base.yml"), base)
	write(t, filepath.Join(dir, "site.yml"), "services: [{name: web, image: \"slipway/busybox:v0.1\", command: [/bin/sleep, \"1000\"]}]\n")
	write(t, filepath.Join(dir, "generate"), "#!/bin/sh\ncat base.yml\n")
	if err := os.Chmod(filepath.Join(dir, "generate"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// sh is a script that ends with its first line that fails.
func (h *host) sh(dir, script string) *exec.Cmd {
	cmd := exec.Command("bash", "-euxo", "pipefail", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(h.slipway)+":"+dir+":"+os.Getenv("PATH"))
	cmd.Env = append(cmd.Env, h.env...)
	return cmd
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}
