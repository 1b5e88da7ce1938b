package spec

import (
	"maps"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/bundle"
)

const StopSignalKey = bundle.Prefix + "stop-signal"

// stopSignal makes an image's STOPSIGNAL the default of the annotation. LinuxKit's
// tool drops it.
func (t *translator) stopSignal(spec *specs.Spec) {
	signal, ok := policySignal(t.image.StopSignal)
	if _, said := spec.Annotations[StopSignalKey]; said || !ok || t.c.Section != bundle.Services || t.asLinuxKit() {
		return
	}
	annotate(spec, StopSignalKey, signal)
}

// imageName has the machine know which image a container is from, as the YAML
// names it.
func (t *translator) imageName(spec *specs.Spec) {
	if _, said := spec.Annotations[bundle.ImageAnnotation]; !said && !t.asLinuxKit() {
		annotate(spec, bundle.ImageAnnotation, t.c.Image)
	}
}

// annotate leaves alone what the annotations were made from.
func annotate(spec *specs.Spec, key, value string) {
	annotations := maps.Clone(spec.Annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[key] = value
	spec.Annotations = annotations
}

// firstRealTime is SIGRTMIN as the C library has it, and so Docker.
const firstRealTime = 34

// policySignal is a STOPSIGNAL as the annotation takes it.
func policySignal(signal string) (string, bool) {
	signal = strings.ToUpper(strings.TrimSpace(signal))
	if above, ok := strings.CutPrefix(strings.TrimPrefix(signal, "SIG"), "RTMIN"); ok {
		n, err := strconv.Atoi("0" + strings.TrimPrefix(above, "+"))
		if err != nil {
			return "", false
		}
		signal = strconv.Itoa(firstRealTime + n)
	}
	_, err := bundle.ParsePolicy(bundle.Services, map[string]string{StopSignalKey: signal})
	return signal, signal != "" && err == nil
}
