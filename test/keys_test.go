package test

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"slipway/pkg/qemu"
)

// keys are typed on the console when a pattern has come, behind what the keys
// before them waited for. It is looked for in all text, prompts included.
type keys struct {
	After string
	Type  string
}

// typist types keys, each in its turn.
type typist struct {
	mu   sync.Mutex
	seen []byte // console output since the last match
	left []keys
	out  chan string
	err  error
}

func newTypist(list []keys) *typist {
	return &typist{left: list, out: make(chan string, len(list))}
}

// Write takes console output as it comes.
func (t *typist) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen = append(t.seen, p...)
	for len(t.left) > 0 {
		at := regexp.MustCompile(t.left[0].After).FindIndex(t.seen)
		if at == nil {
			break
		}
		t.seen = t.seen[at[1]:]
		t.out <- t.left[0].Type
		if t.left = t.left[1:]; len(t.left) == 0 {
			close(t.out)
		}
	}
	return len(p), nil
}

// work types on a machine until there is nothing left to type.
func (t *typist) work(vm *qemu.VM) {
	for text := range t.out {
		if _, err := vm.Write([]byte(text)); err != nil {
			t.mu.Lock()
			t.err = err
			t.mu.Unlock()
			return
		}
	}
}

// problems says what was never typed.
func (t *typist) problems() (problems []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range t.left {
		problems = append(problems, fmt.Sprintf("type: %s never came, %q was not typed", k.After, k.Type))
	}
	if t.err != nil {
		problems = append(problems, "type: "+t.err.Error())
	}
	return problems
}

func TestTypist(t *testing.T) {
	w := newTypist([]keys{{"login: ", "root\n"}, {"# ", "ls\n"}, {"# ", "never\n"}})
	for _, text := range []string{"lo", "gin: # ", "no"} {
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := <-w.out, <-w.out; a != "root\n" || b != "ls\n" {
		t.Errorf("typed %q, %q", a, b)
	}
	if got := strings.Join(w.problems(), "; "); got != `type: #  never came, "never\n" was not typed` {
		t.Errorf("%s", got)
	}
}
