// Speak is a service for tests that talks to whoever supervises it, by sd_notify,
// and to whoever asks, by a socket. Its arguments are done in order, and then it
// waits for a signal:
//
//	say=TEXT   send TEXT to the socket in $NOTIFY_SOCKET (\n is a new line)
//	noise=N    send N bytes that mean nothing
//	sleep=D    wait
//	listen=F   take connections on the socket F
//	print=TEXT write a line
//	call=NAME  make a system call that confinement is about, and print how it ends
//	count=N,D  write the lines 1 to N, D apart, unless a signal comes
//	end        end with status 0
package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

var stop = make(chan os.Signal, 1)

func main() {
	signal.Notify(stop, unix.SIGTERM, unix.SIGINT)
	for _, arg := range os.Args[1:] {
		verb, value, _ := strings.Cut(arg, "=")
		if err := do(verb, value); err != nil {
			fmt.Fprintf(os.Stderr, "speak: %s: %s\n", arg, err)
			os.Exit(1)
		}
	}
	<-stop
}

func do(verb, value string) error {
	switch verb {
	case "say":
		return send([]byte(strings.ReplaceAll(value, `\n`, "\n")))
	case "noise":
		n, err := strconv.Atoi(value)
		if err != nil {
			return err
		}
		return send(bytes.Repeat([]byte{0xff, '\n', 0, '='}, n/4+1)[:n])
	case "sleep":
		d, err := time.ParseDuration(value)
		time.Sleep(d)
		return err
	case "call":
		return call(value)
	case "listen":
		return listen(value)
	case "end":
		os.Exit(0)
	case "count":
		return count(value)
	case "print":
		_, err := fmt.Println(value)
		return err
	}
	return fmt.Errorf("unknown verb")
}

// count writes numbers, each line with a write of its own.
func count(value string) error {
	number, pause, _ := strings.Cut(value, ",")
	n, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	d, err := time.ParseDuration(pause)
	for i := 1; i <= n && err == nil; i++ {
		_, err = fmt.Println(i)
		select {
		case <-stop:
			os.Exit(0)
		case <-time.After(d):
		}
	}
	return err
}

// send sends one datagram, which may be empty.
func send(message []byte) error {
	conn, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET"))
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Write(message)
	return err
}

func listen(path string) error {
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	return nil
}
