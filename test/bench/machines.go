package main

import (
	"os"
	"path/filepath"
	"strings"
)

// countingQEMU is QEMU with a clock that counts instructions, which takes one
// thread for all CPUs. An idle guest's clock goes on at once to its next timer.
const countingQEMU = `#!/bin/sh
for a; do
	shift
	case $a in *thread=multi*) a=tcg,tb-size=256 ;; esac
	set -- "$@" "$a"
done
exec qemu-system-x86_64 -icount shift=0,sleep=off "$@"
`

// clock says in the document what a guest's time was.
func (b *bench) clock() string {
	if !b.instructions {
		return ""
	}
	return "The guest's clock counted instructions (`-instructions`): a second is a billion of them, on one CPU.\n\n"
}

// console boots an image until it powers off and returns what it said.
func (b *bench) console(name string, flags ...string) (string, error) {
	image := filepath.Join(b.dir, name)
	log := image + ".log"
	args := append([]string{"run", "--mem", "1024", "--accel", "tcg", "--timeout", "20m", "--log", log}, flags...)
	if b.instructions {
		qemu := filepath.Join(b.dir, "qemu")
		if err := os.WriteFile(qemu, []byte(countingQEMU), 0o755); err != nil {
			return "", err
		}
		args = append(args, "--cpus", "1", "--qemu", qemu)
	} else {
		args = append(args, "--cpus", "2")
	}
	if err := b.command(append(args, image)...); err != nil {
		return "", err
	}
	text, err := os.ReadFile(log)
	return strings.ReplaceAll(string(text), "\r", ""), err
}
