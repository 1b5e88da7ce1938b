package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// sample is what the kernel knows of one of our processes.
type sample struct {
	rss, pss                 float64 // kB
	ticks, voluntary, forced float64
}

// record is what a guest's console said to us.
type record struct {
	now     map[string][]float64         // uptimes, by name
	samples map[string]map[string]sample // by label, then process
	said    map[string][][]float64       // other lines of numbers, by their first word
}

// process names one of ours by what it was called as.
func process(cmdline []string) string {
	if slices.Contains(cmdline, "supervise") {
		return "supervisor"
	}
	if len(cmdline) > 0 && strings.HasSuffix(cmdline[0], "init") {
		return "PID 1"
	}
	return strings.Join(cmdline, " ")
}

func parseRecord(console string) (*record, error) {
	r := &record{now: map[string][]float64{}, samples: map[string]map[string]sample{}, said: map[string][][]float64{}}
	for line := range strings.SplitSeq(console, "\n") {
		words := strings.Fields(line)
		if len(words) < 3 || words[0] != "BENCH" {
			continue
		}
		if words[1] == "sample" && len(words) > 8 {
			v, err := numbers(words[3:8])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", line, err)
			}
			if r.samples[words[2]] == nil {
				r.samples[words[2]] = map[string]sample{}
			}
			r.samples[words[2]][process(words[8:])] = sample{v[0], v[1], v[2], v[3], v[4]}
			continue
		}
		name, rest := words[1], words[2:]
		if name == "now" {
			name, rest = words[2], words[3:]
		}
		v, err := numbers(rest)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", line, err)
		}
		if words[1] == "now" {
			r.now[name] = append(r.now[name], v...)
		} else {
			r.said[name] = append(r.said[name], v)
		}
	}
	return r, nil
}

func numbers(words []string) ([]float64, error) {
	var all []float64
	for _, w := range words {
		v, err := strconv.ParseFloat(w, 64)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// took is the time between two names. Both have to have been said once.
func (r *record) took(begin, end string) (float64, error) {
	if len(r.now[begin]) != 1 || len(r.now[end]) != 1 {
		return 0, fmt.Errorf("the guest said %s %d times and %s %d times", begin, len(r.now[begin]), end, len(r.now[end]))
	}
	return r.now[end][0] - r.now[begin][0], nil
}

// spent is what a process used between two samples.
func (r *record) spent(from, to, process string) (sample, error) {
	a, ok := r.samples[from][process]
	b, ok2 := r.samples[to][process]
	if !ok || !ok2 {
		return sample{}, fmt.Errorf("no %s in the samples %s and %s", process, from, to)
	}
	return sample{ticks: b.ticks - a.ticks, voluntary: b.voluntary - a.voluntary, forced: b.forced - a.forced}, nil
}
