package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// tally counts what a part has tried.
type tally struct {
	part     string
	seed     uint64
	wanted   int
	tries    int
	failures int
	faults   []string
	figures  map[string]int
	notes    []string
	began    time.Time
}

func newTally(part string, seed uint64, wanted int) *tally {
	return &tally{part: part, seed: seed, wanted: wanted, figures: map[string]int{}, began: time.Now()}
}

// result counts one try.
func (t *tally) result(name string, fault error) {
	t.tries++
	if fault == nil {
		return
	}
	t.failures++
	t.faults = append(t.faults, fmt.Sprintf("%s: %v", name, fault))
	log.Printf("%s: %s failed: %v", t.part, name, fault)
}

// figure adds to a number that the part tells beside its tries.
func (t *tally) figure(name string, n int) { t.figures[name] += n }

func (t *tally) note(format string, args ...any) {
	t.notes = append(t.notes, fmt.Sprintf(format, args...))
}

func (t *tally) words() string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(t.figures)) {
		words = append(words, fmt.Sprintf("%s %d", name, t.figures[name]))
	}
	return strings.Join(append(words, t.notes...), "; ")
}

func (t *tally) String() string {
	return fmt.Sprintf("%s: %d tries, %d failures in %s; %s", t.part, t.tries, t.failures, time.Since(t.began).Round(time.Second), t.words())
}

const tableHead = `# Soak runs

Each line is a part of a run of ` + "`make soak`" + `, the last one newest. What failed is told below its line.

| day | part | tries | failures | minutes | seed | |
| --- | --- | --- | --- | --- | --- | --- |
`

// add writes the line of a part at the end of the table.
func (t *tally) add(file string) error {
	if file == "" {
		return nil
	}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		data, err = []byte(tableHead), nil
	}
	if err != nil {
		return err
	}
	line := fmt.Sprintf("| %s | %s | %d | %d | %.1f | %d | %s |\n", t.began.UTC().Format(time.DateOnly), t.part,
		t.tries, t.failures, time.Since(t.began).Minutes(), t.seed, t.words())
	for _, fault := range t.faults {
		line += fmt.Sprintf("| | %s | | | | | %.300q |\n", t.part, strings.ReplaceAll(fault, "|", "/"))
	}
	return os.WriteFile(file, append(data, line...), 0o644)
}
