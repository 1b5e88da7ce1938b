package filter

import (
	"encoding/binary"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// instruction is one of classic BPF (linux/filter.h). Jumps are over so many
// instructions.
type instruction struct {
	code        uint16
	then, other uint8
	k           uint32
}

// What is used of its codes (linux/bpf_common.h).
const (
	load        = 0x20 // of k, a word of struct seccomp_data
	and         = 0x54
	jump        = 0x05
	jumpEqual   = 0x15
	jumpMore    = 0x25
	jumpAtLeast = 0x35
	give        = 0x06
)

// Offsets in struct seccomp_data (linux/seccomp.h); arguments have eight bytes each.
const (
	offsetNumber = 0
	offsetArch   = 4
	offsetArgs   = 16
)

// maxInstructions is the most of a program that the kernel takes (BPF_MAXINSNS).
const maxInstructions = 4096

// search finds the span of the number that was loaded, by halves.
func search(spans []span, otherwise uint32) []instruction {
	if len(spans) == 1 {
		return answer(spans[0].call, otherwise)
	}
	middle := len(spans) / 2
	low, high := search(spans[:middle], otherwise), search(spans[middle:], otherwise)
	from := spans[middle].from
	if len(low) < 256 {
		return slices.Concat([]instruction{{jumpAtLeast, uint8(len(low)), 0, from}}, low, high)
	}
	return slices.Concat([]instruction{{jumpAtLeast, 0, 1, from}, {jump, 0, 0, uint32(len(low))}}, low, high)
}

// answer is the verdict on a call: at once, or by its arguments.
func answer(c call, otherwise uint32) []instruction {
	if len(c.rules) == 0 {
		return []instruction{{give, 0, 0, c.verdict}}
	}
	var code []instruction
	for rules := c.rules; len(rules) > 0; {
		n := equals(rules)
		if n > 1 {
			code = append(code, oneOf(rules[:n], c.verdict)...)
			rules = rules[n:]
			continue
		}
		one := []instruction{{give, 0, 0, c.verdict}}
		for _, a := range slices.Backward(rules[0]) {
			one = append(comparisons[a.Op](a, uint8(len(one))), one...)
		}
		code, rules = append(code, one...), rules[1:]
	}
	return append(code, instruction{give, 0, 0, otherwise})
}

// maxEquals is how many values are compared in a row: their jumps have 8 bits.
const maxEquals = 64

// equals counts the first rules that each compare the same argument with a value, the
// upper halves of which are alike.
func equals(rules [][]specs.LinuxSeccompArg) int {
	first := rules[0][0]
	for n, rule := range rules[:min(len(rules), maxEquals)] {
		if a := rule[0]; len(rule) > 1 || a.Op != specs.OpEqualTo || a.Index != first.Index || upper(a.Value) != upper(first.Value) {
			return n
		}
	}
	return min(len(rules), maxEquals)
}

// oneOf gives the verdict if an argument has one of the values, and else goes on behind itself.
func oneOf(rules [][]specs.LinuxSeccompArg, verdict uint32) []instruction {
	first, rest := rules[0][0], uint8(len(rules))
	code := []instruction{high(first), {jumpEqual, 0, 2 + rest, upper(first.Value)}, low(first)}
	for i, rule := range rules {
		one := instruction{jumpEqual, rest - uint8(i) - 1, 0, uint32(rule[0].Value)}
		if i == len(rules)-1 {
			one.other = 1
		}
		code = append(code, one)
	}
	return append(code, instruction{give, 0, 0, verdict})
}

// comparisons are the conditions for an argument. What they make goes on behind itself
// if the condition holds, and else over rest instructions more.
var comparisons = map[specs.LinuxSeccompOperator]func(a specs.LinuxSeccompArg, rest uint8) []instruction{
	specs.OpEqualTo: func(a specs.LinuxSeccompArg, rest uint8) []instruction {
		return masked(a.Index, ^uint64(0), a.Value, rest)
	},
	specs.OpMaskedEqual: func(a specs.LinuxSeccompArg, rest uint8) []instruction {
		return masked(a.Index, a.Value, a.ValueTwo, rest)
	},
	specs.OpNotEqual: func(a specs.LinuxSeccompArg, rest uint8) []instruction {
		return []instruction{
			high(a), {jumpEqual, 0, 2, upper(a.Value)},
			low(a), {jumpEqual, rest, 0, uint32(a.Value)},
		}
	},
	specs.OpGreaterEqual: func(a specs.LinuxSeccompArg, rest uint8) []instruction { return above(a, jumpAtLeast, 0, rest) },
	specs.OpGreaterThan:  func(a specs.LinuxSeccompArg, rest uint8) []instruction { return above(a, jumpMore, 0, rest) },
	specs.OpLessThan:     func(a specs.LinuxSeccompArg, rest uint8) []instruction { return above(a, jumpAtLeast, rest, 0) },
	specs.OpLessEqual:    func(a specs.LinuxSeccompArg, rest uint8) []instruction { return above(a, jumpMore, rest, 0) },
}

// masked compares the bits of a mask. Those of the value beside it do not count, as with libseccomp.
func masked(index uint, mask, value uint64, rest uint8) []instruction {
	a, value := specs.LinuxSeccompArg{Index: index}, value&mask
	return []instruction{
		high(a), {and, 0, 0, upper(mask)}, {jumpEqual, 0, 3 + rest, upper(value)},
		low(a), {and, 0, 0, uint32(mask)}, {jumpEqual, 0, rest, uint32(value)},
	}
}

// above goes over yes instructions if the argument is above the value, or as much where
// the lower half is compared so, and else over no.
func above(a specs.LinuxSeccompArg, compare uint16, yes, no uint8) []instruction {
	return []instruction{
		high(a), {jumpMore, 3 + yes, 0, upper(a.Value)}, {jumpEqual, 0, 2 + no, upper(a.Value)},
		low(a), {compare, yes, no, uint32(a.Value)},
	}
}

func low(a specs.LinuxSeccompArg) instruction {
	return instruction{load, 0, 0, offsetArgs + 8*uint32(a.Index)}
}

func high(a specs.LinuxSeccompArg) instruction {
	return instruction{load, 0, 0, offsetArgs + 8*uint32(a.Index) + 4}
}

func upper(v uint64) uint32 { return uint32(v >> 32) }

// encode writes the program.
func encode(code []instruction) ([]byte, bool) {
	if len(code) > maxInstructions {
		return nil, false
	}
	var out []byte
	for _, i := range code {
		out = binary.LittleEndian.AppendUint16(out, i.code)
		out = append(out, i.then, i.other)
		out = binary.LittleEndian.AppendUint32(out, i.k)
	}
	return out, true
}
