// Memlogd stands in for LinuxKit's in whole-VM tests. It speaks the same
// protocol: on a datagram socket it takes names of logs with the descriptors to
// read their lines from, and on a stream socket it gives out what it has.
//
//	memlogd          start it in the background, as an entry of /etc/init.d
//	memlogd serve    be it
//	memlogd dump     show what it has, as logread does
//	memlogd pid      show who serves
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	logSocket   = "/var/run/linuxkit-external-logging.sock"
	querySocket = "/var/run/memlogdq.sock"
	maxName     = 512
	maxLine     = 1024
	maxLines    = 5000
)

func main() {
	what := ""
	if len(os.Args) > 1 {
		what = os.Args[1]
	}
	var err error
	switch what {
	case "serve":
		err = serve()
	case "dump":
		err = dump()
	case "pid":
		err = pid()
	default:
		err = start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "memlogd:", err)
		os.Exit(1)
	}
}

// start returns when the sockets are there: what starts next is to find them.
func start() error {
	for _, name := range []string{logSocket, querySocket} {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	cmd := exec.Command("/usr/bin/memlogd", "serve")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	for {
		if _, err := os.Stat(querySocket); err == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// entry is one line, as the query socket gives it out.
type entry struct {
	Time   time.Time `json:"time"`
	Source string    `json:"source"`
	Msg    string    `json:"msg"`
}

type ring struct {
	mu    sync.Mutex
	lines []entry
}

func (r *ring) add(source, msg string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.lines) == maxLines {
		r.lines = r.lines[1:]
	}
	r.lines = append(r.lines, entry{time.Now(), source, msg})
}

func serve() error {
	r := &ring{}
	r.add("memlogd", "memlogd started")
	in, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: logSocket, Net: "unixgram"})
	if err != nil {
		return err
	}
	query, err := net.Listen("unix", querySocket)
	if err != nil {
		return err
	}
	go r.answer(query)
	name, control := make([]byte, maxName), make([]byte, unix.CmsgSpace(16*4))
	for {
		n, c, _, _, err := in.ReadMsgUnix(name, control)
		if err != nil {
			return err
		}
		messages, err := unix.ParseSocketControlMessage(control[:c])
		if err != nil {
			continue
		}
		for _, m := range messages {
			fds, err := unix.ParseUnixRights(&m)
			if err != nil {
				continue
			}
			for _, fd := range fds {
				go r.read(string(name[:n]), os.NewFile(uintptr(fd), "log"))
			}
		}
	}
}

// read takes lines from a descriptor until its end.
func (r *ring) read(source string, f *os.File) {
	defer f.Close()
	in := bufio.NewReader(f)
	for {
		line, err := in.ReadString('\n')
		if line != "" {
			line = strings.TrimSuffix(line, "\n")
			r.add(source, line[:min(len(line), maxLine)])
		}
		if err != nil {
			return
		}
	}
}

// answer dumps what there is, whatever the client asks for.
func (r *ring) answer(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			continue
		}
		r.mu.Lock()
		for _, e := range r.lines {
			if json.NewEncoder(conn).Encode(e) != nil {
				break
			}
		}
		r.mu.Unlock()
		conn.Close()
	}
}

// pid asks the kernel who made the query socket; a server that is stopped needs
// not answer.
func pid() error {
	conn, err := net.Dial("unix", querySocket)
	if err != nil {
		return err
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return err
	}
	return errors.Join(raw.Control(func(fd uintptr) {
		var peer *unix.Ucred
		if peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			fmt.Println(peer.Pid)
		}
	}), err)
}

func dump() error {
	conn, err := net.Dial("unix", querySocket)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte{0}); err != nil {
		return err
	}
	for dec := json.NewDecoder(conn); ; {
		var e entry
		if err := dec.Decode(&e); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		fmt.Printf("%s;%s\n", e.Source, e.Msg)
	}
}
