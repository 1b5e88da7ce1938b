package network

import (
	"encoding/binary"
	"errors"
	"reflect"
	"testing"

	"slipway/pkg/bundle"

	"golang.org/x/sys/unix"
)

func TestPlan(t *testing.T) {
	r := bundle.Runtime{
		Interfaces: []bundle.Interface{
			{Name: "wg0", Add: "wireguard", CreateInRoot: true}, {Name: "veth0", Peer: "veth1"}, {Name: "eth1"}, {Name: "d0", Add: "dummy"},
		},
		BindNS: bundle.BindNS{Uts: "/run/uts/wg", Net: "/run/netns/wg"},
	}
	want := []string{
		"umount -l /run/netns/wg # if bound",
		"umount -l /run/uts/wg # if bound",
		"ip link add wg0 netns $PID type wireguard",
		"ip link add veth0 netns $PID type veth peer name veth1",
		"ip link set eth1 netns $PID",
		"nsenter -t $PID -n ip link add d0 type dummy",
		"mount --bind /proc/$PID/ns/net /run/netns/wg",
		"mount --bind /proc/$PID/ns/uts /run/uts/wg",
	}
	var got []string
	for _, s := range Plan(r) {
		got = append(got, s.String())
		if !s.Lasting() {
			t.Errorf("%s does not last", s)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("plan %q\nwant %q", got, want)
	}
	if len(Plan(bundle.Runtime{})) != 0 {
		t.Error("nothing is asked for, but something planned")
	}
}

func message(kind uint16, payload []byte) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(16+len(payload)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	return append(append(b, make([]byte, 10)...), payload...)
}

func TestParseAnswer(t *testing.T) {
	link := message(unix.RTM_NEWLINK, ifinfo(7))
	ack := message(unix.NLMSG_ERROR, make([]byte, 20))
	exists := int32(-int32(unix.EEXIST))
	refused := message(unix.NLMSG_ERROR, number(int(uint32(exists))))
	if answer, done, err := parseAnswer(append(link, ack...)); !done || err != nil || len(answer) != unix.SizeofIfInfomsg {
		t.Errorf("answer and acknowledgement: %v %v %v", answer, done, err)
	}
	if _, done, err := parseAnswer(link); done || err != nil {
		t.Errorf("answer alone: %v %v", done, err)
	}
	if _, _, err := parseAnswer(refused); !errors.Is(err, unix.EEXIST) {
		t.Errorf("refusal: %v", err)
	}
}

func FuzzParseAnswer(f *testing.F) {
	f.Add(message(unix.RTM_NEWLINK, ifinfo(7)))
	f.Add(message(unix.NLMSG_ERROR, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if answer, _, _ := parseAnswer(b); len(answer) > len(b) {
			t.Error("an answer longer than what was received")
		}
	})
}
