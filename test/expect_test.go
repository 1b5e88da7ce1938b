package test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"slipway/pkg/build/output"
	"slipway/pkg/build/spec"
	"slipway/pkg/qemu"
)

// expect is a case's expect.yml: the machine, what is done to its image, and
// what each boot has to show.
type expect struct {
	About string // what the case shows, in a sentence
	// Formats to write and to boot one after the other; default kernel+initrd.
	// What a boot appends to the command line is built into a medium that
	// boots by itself, so the first boot's is that of all.
	Formats     []string
	Arch        string // amd64 (default) or arm64
	Initrd      string // payload or cpio; default what the init image understands
	Compression string // as slipway build --compression takes it
	Hardening   string // as slipway build --hardening takes it; default is default
	Mem         int    // MB
	// CPUs is one, as machines run side by side; a case that takes two says why.
	CPUs   int    `yaml:"cpus"`
	Append string // for every boot
	Edit   edit   // of the root tree, after the build
	Disks  []disk
	// Serials are further serial ports, ttyS1 and so on: file, which is
	// $SERIAL1 and so on for After, or stuck, which nobody reads.
	Serials []string
	Boots   []boot // default one with nothing special
	// Weight is how long the case takes, in boots; by default as many as it has.
	// The heaviest begin first, so that none is left alone in the end.
	Weight int
	// Crun has the case run once more, with crun in the place of runc.
	Crun bool
	// Refused is a pattern: the build has to fail with it, and nothing boots.
	Refused string
	// Broken is a pattern: the case has to fail with it (a test of the tests).
	Broken string
}

// edit breaks an image in a way that a builder would not.
type edit struct {
	Layout string                    // seed: bundles as in LinuxKit images of 2017
	Remove []string                  // patterns of paths
	Write  map[string]string         // path: contents
	Fields map[string]map[string]any // path of a JSON file: fields to set in it
}

type disk struct {
	Size    string
	Bus     string
	Serial  string
	Prepare string // shell command on the new file, $DISK
}

type boot struct {
	Append  string
	Ends    string // poweroff (default), reboot, halt, panic, oom
	Report  string // ok (default), a pattern of what is reported, or none
	Timeout duration
	// Order are patterns of lines that come, those of one writer in this order.
	Order []string
	Seen  []string // patterns of lines that come
	Never []string // patterns of lines that do not come
	// Until ends the boot by the power button once a line matches; for guests
	// that report nothing.
	Until string
	// Await are patterns of lines that services write which are ready before they
	// do. Where there are any the report does not end the boot, but the power
	// button once all of them and the report have come.
	Await []string
	// From are NAME=PATTERN of lines that one container writes; without a report
	// the boot ends by the power button once all came.
	From []string
	// Type is typed on the console, or has a disk hang, each when its pattern has
	// come.
	Type []keys
	// Timeline are patterns of "phase container step" in what the guest hands over.
	Timeline []string
	// Output is a pattern of what comes of the guest's files, which then lie in
	// $OUTPUT; "": nobody asks for them. OutputLimit is as slipway run --output-limit.
	Output      string
	OutputLimit string `yaml:"output-limit"`
	// After are shell commands that run on the host after the boot, with
	// $CONSOLE, $DISK0 and so on.
	After []string
}

var endings = map[string]qemu.Ending{
	"poweroff": qemu.PoweredOff, "reboot": qemu.Rebooted, "halt": qemu.Halted,
	"panic": qemu.Panicked, "oom": qemu.OutOfMemory, "timeout": qemu.TimedOut,
}

// duration is a time.Duration as people write it.
type duration time.Duration

func (d *duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := time.ParseDuration(n.Value)
	*d = duration(v)
	return err
}

// The machines are emulated and share the host with others: what a boot takes
// in good times says nothing, and only a hang exceeds these.
const (
	bootTimeout = 40 * time.Minute
	idleTimeout = 5 * time.Minute
	offTimeout  = 10 * time.Minute // from the power button on
)

func readExpect(file string) (*expect, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	e := &expect{Mem: 512, CPUs: 1, Formats: []string{"kernel+initrd"}, Arch: "amd64", Hardening: string(spec.HardeningDefault)}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(e); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if e.About == "" {
		return nil, fmt.Errorf("%s: about is empty", file)
	}
	if len(e.Boots) == 0 {
		e.Boots = []boot{{}}
	}
	if qemuArch[e.Arch] == "" {
		return nil, fmt.Errorf("%s: arch %q: want amd64 or arm64", file, e.Arch)
	}
	if e.Weight == 0 {
		e.Weight = len(e.Boots) * len(e.Formats)
	}
	if _, err := spec.ParseHardening(e.Hardening); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for _, f := range e.Formats {
		if err := output.CheckFormat(f); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	for i := range e.Boots {
		if err := e.Boots[i].check(); err != nil {
			return nil, fmt.Errorf("%s: boot %d: %w", file, i+1, err)
		}
	}
	for _, p := range []string{e.Refused, e.Broken} {
		if _, err := regexp.Compile(p); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return e, nil
}

// fromInitrd tells whether QEMU gets kernel and initrd as files of their own, for a
// processor whose kernel unpacks itself.
func (e *expect) fromInitrd() bool {
	return e.Arch == "amd64" && slices.Equal(e.Formats, []string{"kernel+initrd"})
}

func (b *boot) check() error {
	if b.Ends == "" {
		b.Ends = "poweroff"
	}
	if _, known := endings[b.Ends]; !known {
		return fmt.Errorf("ends %q is not known", b.Ends)
	}
	if b.Report == "" {
		b.Report = "ok"
	}
	if b.OutputLimit == "" {
		b.OutputLimit = "256M"
	}
	if _, err := qemu.ParseSize(b.OutputLimit); err != nil {
		return err
	}
	if b.Timeout == 0 {
		b.Timeout = duration(bootTimeout)
	}
	if len(b.Await) > 0 && (b.Report == "none" || b.Until != "") {
		return errors.New("await is for boots that end by their report")
	}
	var typed []string
	for _, k := range b.Type {
		typed = append(typed, k.After)
	}
	for _, list := range [][]string{b.Order, b.Seen, b.Never, b.Await, typed, b.Timeline, {b.Until, b.Report, b.Output}} {
		for _, p := range list {
			if _, err := regexp.Compile(p); err != nil {
				return err
			}
		}
	}
	return nil
}
