package mount

import (
	"reflect"
	"strings"
	"testing"
)

const sample = `22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
30 22 0:25 / /c/rootfs rw,relatime shared:7 master:3 - overlay overlay rw,lowerdir=/l
31 30 0:26 / /c/rootfs/a\040b rw - tmpfs tmpfs rw
33 34 0:28 / /c/rootfs/late rw - tmpfs none rw
34 31 0:29 / /c/rootfs/a\040b/x rw - tmpfs none
35 22 0:30 /sub /c/rootfs2 ro - ext4 /dev/vdb\0111 rw
36 30 0:31 / /c/rootfs rw - tmpfs upon rw
`

func TestReadTable(t *testing.T) {
	table, err := ReadTable(strings.NewReader(sample))
	if err != nil {
		t.Fatal(err)
	}
	want := Entry{ID: 30, Parent: 22, Dev: "0:25", Target: "/c/rootfs", Type: "overlay", Source: "overlay", Super: "rw,lowerdir=/l"}
	if table[1] != want {
		t.Errorf("got %+v\nwant %+v", table[1], want)
	}
	if table[2].Target != "/c/rootfs/a b" || table[5].Source != "/dev/vdb\t1" {
		t.Errorf("escapes: %+v %+v", table[2], table[5])
	}
}

// Each mount comes before the one it is on, also when it has a smaller number
// and when it covers the other.
func TestInnermostFirst(t *testing.T) {
	table, err := ReadTable(strings.NewReader(sample))
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, e := range InnermostFirst(table, "/c/rootfs") {
		got = append(got, e.ID)
	}
	if want := []int{33, 34, 31, 36, 30}; !reflect.DeepEqual(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
}

func TestBrokenTables(t *testing.T) {
	for _, line := range []string{"", "1 2", "a 1 0:1 / / rw - ext4 x rw", "1 b 0:1 / / rw - ext4 x rw", "1 1 0:1 / / rw ext4 x rw", "1 1 0:1 / / rw - ext4"} {
		if table, err := ReadTable(strings.NewReader(line + "\n")); err == nil {
			t.Errorf("%q: %+v, want an error", line, table)
		}
	}
}

func FuzzTable(f *testing.F) {
	f.Add(sample)
	f.Add(`1 1 0:1 \04 \ rw - x \999`)
	f.Fuzz(func(t *testing.T, text string) {
		table, err := ReadTable(strings.NewReader(text))
		if err != nil {
			return
		}
		if picked := InnermostFirst(table, "/"); len(picked) != len(table) {
			t.Errorf("%d of %d below /", len(picked), len(table))
		}
	})
}

// A long line, as one overlay with all the layers that the kernel allows has, hides
// no other mount.
func TestLongLine(t *testing.T) {
	table := "36 35 0:98 / /a rw - overlay o rw,lowerdir=" + strings.Repeat("x", 3<<20) + "\n37 35 0:99 / /b rw - tmpfs t rw\n"
	got, err := ReadTable(strings.NewReader(table))
	if err != nil || len(got) != 2 || got[1].Target != "/b" {
		t.Errorf("%d entries, %v", len(got), err)
	}
}
