package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"slipway/pkg/qemu"
)

// session runs the machine with its console here, and ends the program with
// the status that tells how the run ended.
func (f *runFlags) session() (err error) {
	term, err := qemu.OpenTerminal(os.Stdin, os.Stdout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, term.Restore()) }()
	con := qemu.Console{Output: os.Stdout, Plain: term == nil, OnPanic: term.Restore}
	if term != nil {
		if f.config.Boot.Kernel != "" {
			// In front of the user's, of which the guest takes the last.
			f.config.Append = qemu.WindowSize(os.Stdout) + " " + qemu.TermOption(os.Getenv("TERM")) + " " + f.config.Append
		}
		say(term, "console of "+f.config.Name+"; Ctrl-] asks it to power off, twice ends it")
	}
	log, err := f.openLog()
	if err != nil {
		return err
	}
	if log != nil {
		defer func() { err = errors.Join(err, log.Close()) }()
		con.Log = log
	}
	chart := f.bootChart(&con, func(s string) { say(term, s) })
	vm, err := qemu.Start(f.config, f.watch, con)
	if err != nil {
		return err
	}
	stop := vm.Obey(func(s string) { say(term, s) })
	defer term.FollowWindow(os.Stdout, vm.Resize)()
	if term != nil || !qemu.IsTerminal(os.Stdin) {
		go vm.Type(os.Stdin, term)
	}
	res := vm.Wait()
	stop()
	if err := term.Restore(); err != nil {
		return err
	}
	conclude(res)
	err = errors.Join(chart.result(), f.writeResult(res))
	if status := res.Status(); status != 0 {
		if err != nil {
			say(nil, err.Error())
		}
		return exitError(status)
	}
	return err
}

// writeResult writes the files that --json and --junit name.
func (f *runFlags) writeResult(res qemu.Result) error {
	var errs []error
	for file, write := range map[string]func(io.Writer, string) error{f.json: res.WriteJSON, f.junit: res.WriteJUnit} {
		if file == "" {
			continue
		}
		var text bytes.Buffer
		err := write(&text, f.config.Name)
		if err == nil {
			err = os.WriteFile(file, text.Bytes(), 0o644)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("write result: %w", err))
		}
	}
	return errors.Join(errs...)
}

// say writes a line of ours beside the guest's; a raw terminal wants its own
// carriage return.
func say(term *qemu.Terminal, s string) {
	end := "\n"
	if term != nil {
		end = "\r\n"
	}
	fmt.Fprint(os.Stderr, "slipway: run: "+s+end)
}

func conclude(res qemu.Result) {
	for _, w := range res.Warnings {
		fmt.Fprintln(os.Stderr, "slipway: run: warning:", w)
	}
	fmt.Fprintln(os.Stderr, "slipway: run:", res)
}

// openLog makes the --log file, if one is asked for.
func (f *runFlags) openLog() (*os.File, error) {
	if f.log == "" {
		return nil, nil
	}
	log, err := os.Create(f.log)
	if err != nil {
		return nil, fmt.Errorf("make log: %w", err)
	}
	return log, nil
}
