package main

import (
	"net/netip"

	"tailscale.com/types/ipproto"
	"tailscale.com/types/netlogtype"

	"flowtally/tailnet/flowlog"
)

// derpAddress stands for DERP in Tailscale's physical entries; the port is the region.
var derpAddress = netip.MustParseAddr("127.3.3.40")

// exceptions are the differences between the two logs that are right, in every scenario.
var exceptions = []flowlog.Exception{
	{
		Name: "derp",
		Reason: "what a relay carries is inside one TLS stream for a whole region: from outside its packets cannot be " +
			"told apart, so flowtally lists none",
		Applies: func(_ string, key flowlog.Key, _, ours netlogtype.Counts) bool {
			return key.Class == flowlog.Physical && key.Dst.Addr() == derpAddress && ours.IsZero()
		},
	},
	{
		Name:   "tsmp",
		Reason: "Tailscale's own messages between two tailscaled (protocol 99) never pass the TUN device",
		Applies: func(_ string, key flowlog.Key, _, ours netlogtype.Counts) bool {
			return key.Class == flowlog.Virtual && key.Proto == ipproto.TSMP && ours.IsZero()
		},
	},
}

// exceptionsOfKilled are those of the scenario in which the client's tailscaled is killed: what it had counted and not
// yet uploaded died with it, so there flowtally has more.
var exceptionsOfKilled = []flowlog.Exception{
	{
		Name:   "died with tailscaled",
		Reason: "tailscaled was killed with records that it had not uploaded",
		Applies: func(node string, key flowlog.Key, tailscale, ours netlogtype.Counts) bool {
			steady := key.Class == flowlog.Virtual && key.Src.Port() == killedPort && key.Dst.Port() == killedPort
			return node == "n1" && (steady || key.Class == flowlog.Physical) && atLeast(ours, tailscale)
		},
	},
}

// atLeast tells whether no count of a is below that of b.
func atLeast(a, b netlogtype.Counts) bool {
	return a.TxPackets >= b.TxPackets && a.TxBytes >= b.TxBytes && a.RxPackets >= b.RxPackets && a.RxBytes >= b.RxBytes
}
