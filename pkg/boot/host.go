package boot

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// setLimits sets what every process inherits. The limits go through package
// syscall, which otherwise would restore the first file limit in children.
func setLimits() error {
	files := syscall.Rlimit{Cur: 1048576, Max: 1048576}
	if err := syscall.Setrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return fmt.Errorf("set limit of open files: %w", err)
	}
	processes := syscall.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if err := syscall.Setrlimit(unix.RLIMIT_NPROC, &processes); err != nil {
		return fmt.Errorf("set limit of processes: %w", err)
	}
	return nil
}

// setHostname takes the image's name, else one made of the first network
// interface's address, which tells machines of one image apart.
func setHostname() error {
	name, err := os.ReadFile("/etc/hostname")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read hostname: %w", err)
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return fmt.Errorf("uname: %w", err)
	}
	mac, err := os.ReadFile("/sys/class/net/eth0/address")
	if err != nil {
		mac = nil
	}
	chosen := hostname(string(name), unix.ByteSliceToString(u.Nodename[:]), string(mac))
	if chosen == "" {
		return nil
	}
	if err := unix.Sethostname([]byte(chosen)); err != nil {
		return fmt.Errorf("set hostname %s: %w", chosen, err)
	}
	return nil
}

// hostname chooses a name; "" keeps the present one.
func hostname(file, now, mac string) string {
	if file = strings.TrimSpace(file); file != "" {
		return file
	}
	mac = strings.ReplaceAll(strings.TrimSpace(mac), ":", "")
	if mac == "" || now != "" && now != "(none)" {
		return ""
	}
	return "linuxkit-" + mac
}

// makeResolvConf makes what the builder's link points to: an empty file that
// dhcp containers fill and others bind.
func makeResolvConf() error {
	const name = "/etc/resolv.conf"
	target, err := os.Readlink(name)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.EINVAL) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read link %s: %w", name, err)
	}
	if !path.IsAbs(target) {
		target = path.Join(path.Dir(name), target)
	}
	if err := os.MkdirAll(path.Dir(target), 0o755); err != nil {
		return fmt.Errorf("make directory of %s: %w", name, err)
	}
	f, err := os.OpenFile(target, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("make %s: %w", target, err)
	}
	return f.Close()
}

// setClock sets the system clock from the hardware clock, which runs in UTC. Most
// kernels have done that already; then nothing moves. Without a hardware clock, as
// on some virtual machines, the clock stays as it is.
func setClock() error {
	fd, err := unix.Open("/dev/rtc0", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open hardware clock: %w", err)
	}
	rtc, err := unix.IoctlGetRTCTime(fd)
	if err := errors.Join(err, unix.Close(fd)); err != nil {
		return fmt.Errorf("read hardware clock: %w", err)
	}
	at := time.Date(int(rtc.Year)+1900, time.Month(rtc.Mon+1), int(rtc.Mday), int(rtc.Hour), int(rtc.Min), int(rtc.Sec), 0, time.UTC)
	if d := time.Since(at); d > -2*time.Second && d < 2*time.Second {
		return nil
	}
	ts := unix.NsecToTimespec(at.UnixNano())
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &ts); err != nil {
		return fmt.Errorf("set clock to %s: %w", at, err)
	}
	return nil
}
