package flowlog

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"tailscale.com/tailcfg"
	"tailscale.com/types/ipproto"
	"tailscale.com/types/netlogtype"
)

var (
	near  = netip.MustParseAddr("100.64.0.1")
	far   = netip.MustParseAddr("100.64.0.2")
	start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

func udp(src, dst netip.Addr, counts netlogtype.Counts) netlogtype.ConnectionCounts {
	return netlogtype.ConnectionCounts{
		Connection: netlogtype.Connection{Proto: ipproto.UDP, Src: netip.AddrPortFrom(src, 53),
			Dst: netip.AddrPortFrom(dst, 53)},
		Counts: counts,
	}
}

// record has one virtual entry and lasts a second from `after` on.
func record(after time.Duration, entry netlogtype.ConnectionCounts) netlogtype.Message {
	return netlogtype.Message{NodeID: "n1", Start: start.Add(after), End: start.Add(after + time.Second),
		VirtualTraffic: []netlogtype.ConnectionCounts{entry}}
}

func TestSumsOfDifferentWindowsAreEqual(t *testing.T) {
	one := Sum([]netlogtype.Message{record(0, udp(near, far, netlogtype.Counts{TxPackets: 3, TxBytes: 300}))})
	two := Sum([]netlogtype.Message{
		record(0, udp(near, far, netlogtype.Counts{TxPackets: 1, TxBytes: 100})),
		record(time.Second, udp(near, far, netlogtype.Counts{TxPackets: 2, TxBytes: 200})),
	})
	if c := Compare("n1", one, two, nil); len(c.Differences) != 0 || len(c.Equal) != 1 {
		t.Errorf("differences %v, equal %v", c.Differences, c.Equal)
	}
}

func TestOnePacketMoreIsADifference(t *testing.T) {
	one := Sum([]netlogtype.Message{record(0, udp(near, far, netlogtype.Counts{TxPackets: 3, TxBytes: 300}))})
	two := Sum([]netlogtype.Message{record(0, udp(near, far, netlogtype.Counts{TxPackets: 4, TxBytes: 300}))})
	for _, c := range []Comparison{Compare("n1", one, two, nil), Compare("n1", two, one, nil),
		Compare("n1", one, Sums{}, nil), Compare("n1", Sums{}, one, nil)} {
		if c.Failures() != 1 {
			t.Errorf("%d failures", c.Failures())
		}
	}
	var text strings.Builder
	c := Compare("n1", one, two, nil)
	c.Print(&text)
	if !strings.Contains(text.String(), "DIFFERS") || !strings.Contains(text.String(), "+1") {
		t.Error(text.String())
	}
}

func TestAnotherClassIsADifference(t *testing.T) {
	one := record(0, udp(near, far, netlogtype.Counts{TxPackets: 1, TxBytes: 60}))
	two := one
	two.VirtualTraffic, two.SubnetTraffic = nil, one.VirtualTraffic
	if c := Compare("n1", Sum([]netlogtype.Message{one}), Sum([]netlogtype.Message{two}), nil); c.Failures() != 2 {
		t.Errorf("%d failures", c.Failures())
	}
}

func TestAnExceptionExcusesWhatItNames(t *testing.T) {
	exception := Exception{Name: "known", Applies: func(_ string, key Key, _, _ netlogtype.Counts) bool {
		return key.Dst.Addr() == far
	}}
	theirs := Sum([]netlogtype.Message{
		record(0, udp(near, far, netlogtype.Counts{TxPackets: 1, TxBytes: 60})),
		record(0, udp(far, near, netlogtype.Counts{TxPackets: 1, TxBytes: 60})),
	})
	if c := Compare("n1", theirs, Sums{}, []Exception{exception}); len(c.Differences) != 2 || c.Failures() != 1 {
		t.Errorf("%d differences, %d failures", len(c.Differences), c.Failures())
	}
}

func TestARecordOverAnEndOfTheSpanIsTold(t *testing.T) {
	records := []netlogtype.Message{
		record(-500*time.Millisecond, udp(near, far, netlogtype.Counts{})),
		record(time.Second, udp(near, far, netlogtype.Counts{})),
		record(3*time.Second, udp(near, far, netlogtype.Counts{})),
	}
	within, across := Within(records, start, start.Add(3*time.Second))
	if len(within) != 1 || len(across) != 1 {
		t.Errorf("%d within, %d across", len(within), len(across))
	}
}

func TestBothEndsTellLossAndMiracles(t *testing.T) {
	ours := map[string]Sums{
		"n1": Sum([]netlogtype.Message{record(0, udp(near, far, netlogtype.Counts{TxPackets: 5, RxPackets: 3}))}),
		"n2": Sum([]netlogtype.Message{record(0, udp(far, near, netlogtype.Counts{TxPackets: 2, RxPackets: 4}))}),
	}
	ends := BothEnds(ours, ours)
	if ends.Flows != 2 || ends.Packets != 7 || ends.Lost != 1 || ends.TheirLoss != 1 || ends.Appeared != 1 {
		t.Errorf("%+v", ends)
	}
}

func TestNamesMustBeTailscales(t *testing.T) {
	theirs := record(0, udp(near, far, netlogtype.Counts{TxPackets: 1}))
	theirs.SrcNode = netlogtype.Node{NodeID: "n1", Name: "one.lab.ts.net"}
	theirs.DstNodes = []netlogtype.Node{{NodeID: "n2", Tags: []string{"tag:lab"}}}
	ours := theirs
	if faults := IdentityFaults([]netlogtype.Message{theirs}, []netlogtype.Message{ours}); len(faults) != 0 {
		t.Error(faults)
	}
	ours.SrcNode.Name = "one"
	ours.DstNodes = nil
	if faults := IdentityFaults([]netlogtype.Message{theirs}, []netlogtype.Message{ours}); len(faults) != 2 {
		t.Error(faults)
	}
	nodes := map[netip.Addr]tailcfg.StableNodeID{near: "n1", far: "n2"}
	if faults := MissingNodes([]netlogtype.Message{theirs}, nodes); len(faults) != 0 {
		t.Error(faults)
	}
	if faults := MissingNodes([]netlogtype.Message{ours}, nodes); len(faults) != 1 {
		t.Error(faults)
	}
}

func TestWhatIsNamedForARelayAloneGoes(t *testing.T) {
	other := netip.MustParseAddr("100.64.0.3")
	physical := func(peer netip.Addr, endpoint string) netlogtype.ConnectionCounts {
		return netlogtype.ConnectionCounts{Connection: netlogtype.Connection{Src: netip.AddrPortFrom(peer, 0),
			Dst: netip.MustParseAddrPort(endpoint)}, Counts: netlogtype.Counts{TxPackets: 1}}
	}
	relayedOnly := netlogtype.Message{NodeID: "n1",
		PhysicalTraffic: []netlogtype.ConnectionCounts{physical(far, "127.3.3.40:1")}}
	both := netlogtype.Message{NodeID: "n1",
		DstNodes: []netlogtype.Node{{NodeID: "n2", Addresses: []netip.Addr{far}},
			{NodeID: "n3", Addresses: []netip.Addr{other}}},
		PhysicalTraffic: []netlogtype.ConnectionCounts{physical(far, "127.3.3.40:1"),
			physical(other, "192.0.2.7:41641")}}
	rest := WithoutRelayed([]netlogtype.Message{relayedOnly, both})
	if len(rest) != 1 || len(rest[0].PhysicalTraffic) != 1 || len(rest[0].DstNodes) != 1 ||
		rest[0].DstNodes[0].NodeID != "n3" {
		t.Errorf("%+v", rest)
	}
	if len(both.DstNodes) != 2 || len(both.PhysicalTraffic) != 2 {
		t.Error("the records given are changed")
	}
}
