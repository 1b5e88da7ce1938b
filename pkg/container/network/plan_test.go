package network

import (
	"reflect"
	"testing"

	"slipway/pkg/bundle"
)

func TestPlan(t *testing.T) {
	r := bundle.Runtime{
		Interfaces: []bundle.Interface{
			{Name: "wg0", Add: "wireguard", CreateInRoot: true}, {Name: "veth0", Peer: "veth1"}, {Name: "eth1"}, {Name: "d0", Add: "dummy"}, {Name: "d1", Add: "dummy", Peer: "d2"},
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
		"nsenter -t $PID -n ip link add d1 type dummy",
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
