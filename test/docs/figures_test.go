package docs

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const (
	kilobyte = 1 << 10
	ms       = int64(time.Millisecond)
	second   = int64(time.Second)
	minute   = int64(time.Minute)
)

// figures are the numbers of the pages that are constants of the code: where they are said, and in which unit.
var figures = []struct {
	page, said    string // the group is the number; any white space is a blank
	dir, constant string
	unit          int64
}{
	{"logs", `the last (\w+) KB of each stream, in memory \| \| .kmsg`, "log/spool", "memoryMax", kilobyte},
	{"logs", `A service that waits is named after (\w+) seconds`, "service/supervisor", "firstReminder", second},
	{"logs", `or a script that runs after (\w+), and again`, "service/sequence", "firstReminder", second},
	{"logs", `or a script that runs after (\w+), and again`, "boot", "scriptReminder", second},
	{"logs", `twice as long, restarts included, or (\w+) minutes more`, "service/supervisor", "longestPause", minute},
	{"logs", `twice as long, restarts included, or (\w+) minutes more`, "service/sequence", "longestPause", minute},
	{"logs", `follows its beginning \((\w+) KB more at most\)`, "log/spool", "Chunk", kilobyte},
	{"logs", `once (\w+) KB of a stream are not on the disk`, "log/spool", "HighWater", kilobyte},
	{"logs", `into memory, the last (\w+) KB of each stream`, "log/spool", "Max", kilobyte},
	{"logs", `After (\w+) seconds the console says so`, "log/store", "reportTime", second},
	{"logs", `gives such a disk (\w+) seconds, .service logs. three`, "log/read", "diskTimeout", second},
	{"logs", `gives such a disk two seconds, .service logs. (\w+)`, "log/journal", "diskTimeout", second},
	{"logs", `with each output, and every (\w+) seconds`, "log/store", "retryTime", second},
	{"logs", `\*A console\* is given (\w+) KB`, "log/console", "queueSize", kilobyte},
	{"logs", `has (\w+) lines of a stream waiting`, "log/sink", "kmsgQueue", 1},
	{"logs", `hangs in the kernel for more than (\w+) ms`, "log/console", "tokenTime", ms},
	{"logs", `at most (\w+) KB may be missing there`, "log/console", "pipeBuf", kilobyte},
	{"logs", `Onboot gives the disk (\w+) seconds after`, "service/sequence", "diskTime", second},
	{"logs", `and (\w+) or more zeros in a row`, "log/read", "holeMin", 1},
	{"logs", `shows its cause and its last (\w+) lines`, "service/supervisor", "tailLines", 1},

	{"control", `A request's head has (\w+) KiB`, "service/control", "maxHead", kilobyte},
	{"control", `its body (\w+) KiB`, "service/control", "maxBody", kilobyte},
	{"control", `a client (\w+) seconds`, "service/control", "clientTime", second},
	{"control", `no answer within (\w+) seconds`, "service/control", "clientTime", second},
	{"control", `(\w+) clients are served at a time`, "service/control", "maxClients", 1},
	{"control", `(\w+) programs run in containers for clients`, "service/control", "maxSessions", 1},
	{"control", `which is killed (\w+) seconds later`, "service/control", "partingTime", second},

	{"policy", `(\w+) failures in a row count as a crash`, "service/probe", "failures", 1},
	{"policy", `an eighth of all, (\w+) to 1000`, "container/quota", "minEachPids", 1},
	{"policy", `an eighth of all, 64 to (\w+)`, "container/quota", "maxEachPids", 1},
	{"policy", `when a run was ready for (\w+) minute`, "service/state", "healthy", minute},
	{"policy", `that is not ours has (\w+) s\)`, "boot", "scriptLimit", second},
	{"policy", `and (\w+) s more at most`, "boot", "slack", second},
	{"policy", `still frozen after (\w+) seconds`, "boot", "thawDelay", second},
	{"policy", `only slow is waited for, (\w+) minutes at most`, "boot", "moreLimit", minute},
	{"policy", `A poststop hook has (\w+) seconds`, "container", "poststopTimeout", second},
	{"policy", `each call of the runtime for it has (\w+) minutes`, "container/runtime", "defaultTimeout", minute},
	{"policy", `extended attributes up to ([\d,]+) bytes`, "build/spec", "maxAttribute", 1},
	{"policy", `digits and .\+ - _ \..,? ?(\w+) at most`, "bundle", "maxName", 1},
	{"policy", `default timeout (\w+)m;`, "service/supervisor", "defaultWatchdog", minute},

	{"run", `More than ([\d,]+) bytes with all that is added`, "bundle", "MaxCmdline", 1},
	{"run", `One that is silent for (\w+) seconds gets`, "qemu", "untilReset", second},
	{"run", `Ctrl-Alt-Del; after (\w+), or`, "qemu", "untilKilled", second},
	{"run", `waits up to (\w+) seconds for lines`, "qemu", "afterReport", second},
	{"run", `says so: after (\w+) minutes, or at`, "qemu", "untilMute", minute},
	{"run", `that can be asked has (\w+) seconds`, "qemu", "afterTimeout", second},
	{"run", `silent for (\w+) s \(30 s once`, "qemu", "deadMute", second},
	{"run", `silent for 10 s \((\w+) s once`, "qemu", "deadGoing", second},
	{"run", `a panic's text and (\w+) seconds of silence`, "qemu", "deadUnknown", second},
	{"run", `under KVM once, for at most (\w+) seconds`, "qemu", "trialTime", second},

	{"linuxkit", `extended attributes of ([\d,]+) bytes at most`, "build/spec", "maxAttribute", 1},
}

var words = map[string]int64{"a": 1, "two": 2, "three": 3, "four": 4, "five": 5, "ten": 10, "thirty": 30}

// TestFigures: those numbers are what the code has.
func TestFigures(t *testing.T) {
	all := map[string]constants{}
	for _, f := range figures {
		said := regexp.MustCompile("(?i)" + f.said).FindStringSubmatch(strings.Join(strings.Fields(page(t, "docs/"+f.page+".md")), " "))
		if said == nil {
			t.Errorf("docs/%s.md does not say %q", f.page, f.said)
			continue
		}
		if all[f.dir] == nil {
			all[f.dir] = constantsOf(t, root+"/pkg/"+f.dir)
		}
		want, is := constant.Int64Val(constant.ToInt(all[f.dir].value(f.constant)))
		have := words[strings.ToLower(said[1])]
		if n, ok := constant.Int64Val(constant.MakeFromLiteral(strings.ReplaceAll(said[1], ",", ""), token.INT, 0)); ok {
			have = n
		}
		if !is || have*f.unit != want {
			t.Errorf("docs/%s.md: %q; pkg/%s: %s is %d of it", f.page, said[0], f.dir, f.constant, want/f.unit)
		}
	}
}

// constants are the expressions of a package's constants.
type constants map[string]ast.Expr

func constantsOf(t *testing.T, dir string) constants {
	t.Helper()
	files, err := filepath.Glob(dir + "/*.go")
	if err != nil {
		t.Fatal(err)
	}
	all := constants{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST {
				for _, spec := range g.Specs {
					v := spec.(*ast.ValueSpec)
					for i, e := range v.Values {
						all[v.Names[i].Name] = e
					}
				}
			}
		}
	}
	return all
}

func (c constants) value(name string) constant.Value { return c.eval(c[name]) }

// eval computes as much as constants with a number consist of.
func (c constants) eval(e ast.Expr) constant.Value {
	switch e := e.(type) {
	case *ast.BasicLit:
		return constant.MakeFromLiteral(e.Value, e.Kind, 0)
	case *ast.ParenExpr:
		return c.eval(e.X)
	case *ast.Ident:
		return c.value(e.Name)
	case *ast.SelectorExpr:
		unit := map[string]time.Duration{"Millisecond": time.Millisecond, "Second": time.Second, "Minute": time.Minute}[e.Sel.Name]
		return constant.MakeInt64(int64(unit))
	case *ast.BinaryExpr:
		x, y := c.eval(e.X), c.eval(e.Y)
		if n, is := constant.Uint64Val(y); e.Op == token.SHL && is {
			return constant.Shift(x, token.SHL, uint(n))
		}
		return constant.BinaryOp(x, e.Op, y)
	}
	return constant.MakeUnknown()
}
