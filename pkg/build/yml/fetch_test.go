package yml

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestReadFromEverywhere merges a text from the network with standard input.
func TestReadFromEverywhere(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/machine.yml" {
			http.NotFound(w, r)
			return
		}
		if _, err := io.WriteString(w, "kernel: {image: k, cmdline: a}\ninit: [one]\n"); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	stdin := strings.NewReader("kernel: {cmdline: b}\ninit: [two]\nservice: []\n")
	c, faults, err := Read(t.Context(), []string{server.URL + "/machine.yml", Stdin}, stdin)
	if err != nil {
		t.Fatal(err)
	}
	if c.Kernel.Image != "k" || c.Kernel.Cmdline != "b" || strings.Join(c.Init, " ") != "one two" {
		t.Errorf("merged to %+v", c)
	}
	if len(faults) != 1 || faults[0].Where() != "<stdin>:3:1" || faults[0].Nearest != "services" {
		t.Errorf("got %v", faults)
	}
	_, _, err = Read(t.Context(), []string{server.URL + "/none.yml"}, nil)
	if err == nil || !strings.Contains(err.Error(), "/none.yml: 404") {
		t.Errorf("got %v", err)
	}
}
