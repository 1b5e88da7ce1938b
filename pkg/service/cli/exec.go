package cli

import (
	"errors"
	"flag"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

func execFlags(f *flag.FlagSet, o *options) {
	f.BoolVar(&o.tty, "t", isTerminal(0) && isTerminal(1), "give the program a terminal")
}

func isTerminal(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	return err == nil
}

// runExec runs a program in a container. The OCI runtime takes the place of this
// process, so that terminal, signals and exit status are its own.
func runExec(c *call) error {
	if len(c.args) < 2 {
		return usageError{"exec wants a container and a command: service exec NAME -- COMMAND"}
	}
	_, folder, err := locate(c, c.args[0])
	if err != nil {
		return err
	}
	args := []string{c.paths.Runc, "--root", c.paths.RuncRoot, "exec"}
	if c.tty {
		args = append(args, "-t")
	}
	if term := os.Getenv("TERM"); term != "" && c.tty {
		args = append(args, "-e", "TERM="+term)
	}
	command := c.args[1:]
	if command[0] == "--" {
		command = command[1:]
	}
	args = append(append(args, folder), command...)
	program, err := exec.LookPath(c.paths.Runc)
	if err != nil {
		return err
	}
	return errors.Join(errors.New("run "+program), unix.Exec(program, args, os.Environ()))
}
