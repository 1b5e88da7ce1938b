package test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"slipway/pkg/qemu"
)

// keys are typed on the console, or a disk is made to hang or to answer again, when a pattern has come,
// behind what the keys before them waited for. It is looked for in all text, prompts included.
type keys struct {
	After  string
	Type   string
	Hang   string // disk0 and so on takes nothing any more
	Answer string // it takes all again
	Resize string // the window becomes COLUMNSxROWS
}

// typist types keys, each in its turn.
type typist struct {
	mu   sync.Mutex
	seen []byte // console output since the last match
	left []keys
	out  chan keys
	err  error
}

func newTypist(list []keys) *typist {
	return &typist{left: list, out: make(chan keys, len(list))}
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
		t.out <- t.left[0]
		if t.left = t.left[1:]; len(t.left) == 0 {
			close(t.out)
		}
	}
	return len(p), nil
}

// work types on a machine until there is nothing left to type.
func (t *typist) work(vm *qemu.VM) {
	for k := range t.out {
		_, err := vm.Write([]byte(k.Type))
		if k.Resize != "" {
			var columns, rows int
			_, serr := fmt.Sscanf(k.Resize, "%dx%d", &columns, &rows)
			err = errors.Join(err, serr)
			vm.Resize(columns, rows)
		}
		if k.Hang != "" {
			err = errors.Join(err, vm.Hang(k.Hang))
		}
		if k.Answer != "" {
			err = errors.Join(err, vm.Answer(k.Answer))
		}
		if err != nil {
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
	w := newTypist([]keys{{After: "login: ", Type: "root\n"}, {After: "# ", Type: "ls\n"}, {After: "# ", Type: "never\n"}})
	for _, text := range []string{"lo", "gin: # ", "no"} {
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := <-w.out, <-w.out; a.Type != "root\n" || b.Type != "ls\n" {
		t.Errorf("typed %v, %v", a, b)
	}
	if got := strings.Join(w.problems(), "; "); got != `type: #  never came, "never\n" was not typed` {
		t.Errorf("%s", got)
	}
}
