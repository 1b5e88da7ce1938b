package bundle

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

func oneOf[T ~string](field func(*Policy) *T, allowed ...T) func(*Policy, string) error {
	return func(p *Policy, v string) error {
		if !slices.Contains(allowed, T(v)) {
			return fmt.Errorf("want one of %q", allowed)
		}
		*field(p) = T(v)
		return nil
	}
}

func duration(field func(*Policy) *time.Duration) func(*Policy, string) error {
	return func(p *Policy, v string) error {
		d, err := time.ParseDuration(v)
		if n, bad := strconv.ParseFloat(v, 64); err != nil && bad == nil && n > 0 {
			return fmt.Errorf("want a duration with its unit, such as %ss", v)
		}
		if err != nil || d <= 0 {
			return errors.New(`want a duration above zero, such as "1m30s"`)
		}
		*field(p) = d
		return nil
	}
}

func names(field func(*Policy) *[]string) func(*Policy, string) error {
	return func(p *Policy, v string) error {
		list := strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
		if len(list) == 0 {
			return errors.New("want names of services, separated by commas")
		}
		*field(p) = list
		return nil
	}
}

func parseLimit(v string) (Limit, error) {
	n, window, ok := strings.Cut(v, "/")
	count, err := strconv.Atoi(strings.TrimSpace(n))
	if !ok || err != nil || count < 1 {
		return Limit{}, errors.New(`want N/duration, such as "5/1m"`)
	}
	d, err := time.ParseDuration(strings.TrimSpace(window))
	if err != nil || d <= 0 {
		return Limit{}, errors.New(`want N/duration, such as "5/1m"`)
	}
	return Limit{Count: count, Window: d}, nil
}

// ParseProbe reads a probe as written in slipway.ready and slipway.health.
func ParseProbe(v string) (Probe, error) {
	kind, arg, _ := strings.Cut(v, ":")
	p := Probe{Kind: ProbeKind(kind)}
	var err error
	switch p.Kind {
	case ProbeStarted, ProbeNotify:
		if arg != "" {
			err = fmt.Errorf("%s takes no argument", kind)
		}
	case ProbeTCP:
		p.Port, err = parsePort(arg)
	case ProbeHTTP:
		port, rest, _ := strings.Cut(arg, "/")
		p.Path = "/" + rest
		if p.Port, err = parsePort(port); err == nil && strings.ContainsFunc(rest, notInRequest) {
			err = errors.New("a path of http has no white space and no control characters")
		}
	case ProbeUnix, ProbeFile:
		p.Path = arg
		if !path.IsAbs(arg) {
			err = fmt.Errorf("%s wants an absolute path", kind)
		}
	case ProbeExec:
		if p.Command = strings.Fields(arg); len(p.Command) == 0 {
			err = errors.New("exec wants a command")
		}
	default:
		err = errors.New("want started, notify, tcp:PORT, unix:PATH, http:PORT/PATH, file:PATH or exec:COMMAND")
	}
	if err != nil {
		return Probe{}, err
	}
	return p, nil
}

// notInRequest finds what would end the path in the line of a request.
func notInRequest(r rune) bool { return r <= ' ' || r == 0x7f }

// parseHealth leaves out what says nothing about a service that runs.
func parseHealth(v string) (Probe, error) {
	p, err := ParseProbe(v)
	if err == nil && (p.Kind == ProbeStarted || p.Kind == ProbeNotify) {
		err = fmt.Errorf("%s says nothing of health; want tcp, unix, http, file or exec", p.Kind)
	}
	return p, err
}

func parseBool(v string) (bool, error) {
	if v != "true" && v != "false" {
		return false, errors.New(`want "true" or "false"`)
	}
	return v == "true", nil
}

func parsePort(v string) (int, error) {
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > 65535 {
		return 0, errors.New("want a port from 1 to 65535")
	}
	return n, nil
}

func parseCount(v string) (int, error) {
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 {
		return 0, errors.New("want a number, 0 or more")
	}
	return n, nil
}

// parseSize reads a number of bytes with an optional k, M or G (powers of 1024).
func parseSize(v string) (int64, error) {
	shift, digits := 0, v
	if n := len(v); n > 0 {
		switch v[n-1] {
		case 'k', 'K':
			shift, digits = 10, v[:n-1]
		case 'm', 'M':
			shift, digits = 20, v[:n-1]
		case 'g', 'G':
			shift, digits = 30, v[:n-1]
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 1 || n > (1<<62)>>shift {
		return 0, errors.New(`want a size such as "512k", "10M" or "1G"`)
	}
	return n << shift, nil
}

// maxPids is the most that a 64-bit kernel numbers.
const maxPids = 1 << 22

func parsePids(v string) (int64, error) {
	if v == "unlimited" || v == "max" {
		return NoLimit, nil
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 1 || n > maxPids {
		return 0, fmt.Errorf(`want a number from 1 to %d, or "unlimited"`, maxPids)
	}
	return n, nil
}

func parseUpper(v string) (Upper, error) {
	kind, arg, has := strings.Cut(v, ":")
	switch {
	case kind == "tmpfs" && !has:
		return Upper{}, nil
	case kind == "tmpfs" && validTmpfsSize(arg):
		return Upper{Size: arg}, nil
	case kind == "tmpfs":
		return Upper{}, errors.New(`want a tmpfs size such as "64M" or "25%"`)
	case kind == "disk" && path.IsAbs(arg) && path.Clean(arg) != "/":
		return Upper{Disk: path.Clean(arg)}, nil
	case kind == "disk":
		return Upper{}, errors.New("disk wants an absolute path of a directory")
	}
	return Upper{}, errors.New(`want "tmpfs", "tmpfs:SIZE" or "disk:PATH"`)
}

// parseSeccomp takes a path only if it looks like one, so that a word that is
// written wrong is told from a file that is missing.
func parseSeccomp(v string) (string, error) {
	if v == SeccompDefault || v == SeccompUnconfined || strings.HasPrefix(v, "./") || strings.HasPrefix(v, "../") || path.IsAbs(v) {
		return v, nil
	}
	return "", errors.New(`want "default", "unconfined", "/PATH" of a profile in the image, or "./PATH" of one beside the YAML`)
}

// validTmpfsSize keeps a value from smuggling further mount options in.
func validTmpfsSize(v string) bool {
	if n, ok := strings.CutSuffix(v, "%"); ok {
		percent, err := strconv.Atoi(n)
		return err == nil && percent >= 1 && percent <= 100
	}
	_, err := parseSize(v)
	return err == nil
}
