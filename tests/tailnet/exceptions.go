package main

import (
	"tailscale.com/types/ipproto"
	"tailscale.com/types/netlogtype"

	"flowtally/tailnet/flowlog"
)

// exceptions are the differences between the two logs that are right, as far as they apply to the scenario. The sums
// are Tailscale's, by node.
func exceptions(s scenario, f *findings, tailscale map[string]flowlog.Sums) []flowlog.Exception {
	all := []flowlog.Exception{relayed, ownMessages, f.socketOverflow(tailscale), f.lateDrops()}
	if s.loggerRestarts {
		all = append(all, keepaliveAtRestart)
	}
	if s.name == "killed" {
		all = append(all, diedWithTailscaled)
	}
	return all
}

var relayed = flowlog.Exception{
	Name: "derp",
	Reason: "what a relay carries is inside one TLS stream for a whole region: from outside its packets cannot be " +
		"told apart, so flowtally lists none",
	Applies: func(_ string, key flowlog.Key, _, ours netlogtype.Counts) bool {
		return key.Relayed() && ours.IsZero()
	},
}

var ownMessages = flowlog.Exception{
	Name:   "tsmp",
	Reason: "Tailscale's own messages between two tailscaled (protocol 99) never pass the TUN device",
	Applies: func(_ string, key flowlog.Key, _, ours netlogtype.Counts) bool {
		return key.Class == flowlog.Virtual && key.Proto == ipproto.TSMP && ours.IsZero()
	},
}

var diedWithTailscaled = flowlog.Exception{
	Name:   "died with tailscaled",
	Reason: "tailscaled was killed with records that it had not uploaded (scenario `killed`, its node only)",
	Applies: func(node string, key flowlog.Key, tailscale, ours netlogtype.Counts) bool {
		steady := key.Class == flowlog.Virtual && key.Src.Port() == killedPort && key.Dst.Port() == killedPort
		return node == "n1" && (steady || key.Class == flowlog.Physical) && atLeast(ours, tailscale)
	},
}

// keepaliveAtRestart: ten seconds after traffic WireGuard sends a keepalive, and the scenarios cannot wait for all.
var keepaliveAtRestart = flowlog.Exception{
	Name:   "keepalive at restart",
	Reason: "Tailscale's logger was restarted or away when a keepalive came, in scenarios where its settings change",
	Applies: func(_ string, key flowlog.Key, theirs, ours netlogtype.Counts) bool {
		const keepaliveBytes, most = 32, 2
		tx, rx := ours.TxPackets-theirs.TxPackets, ours.RxPackets-theirs.RxPackets
		return key.Class == flowlog.Physical && atLeast(ours, theirs) && tx <= most && rx <= most &&
			ours.TxBytes-theirs.TxBytes == tx*keepaliveBytes && ours.RxBytes-theirs.RxBytes == rx*keepaliveBytes
	},
}

// lateDrops is about packets that were counted at the end of a window and dropped at the begin of the next: they are
// listed, and flowtally says in the next record how many they were.
func (f *findings) lateDrops() flowlog.Exception {
	return flowlog.Exception{
		Name:   "dropped late",
		Reason: "the device dropped packets of the flood when their record was closed; the next one counts them apart",
		Applies: func(name string, key flowlog.Key, theirs, ours netlogtype.Counts) bool {
			more := ours.TxPackets - theirs.TxPackets
			return name == "n1" && key.Class == flowlog.Virtual && key.Src.Port() == floodPort &&
				atLeast(ours, theirs) && ours.RxPackets == theirs.RxPackets && more <= f.droppedLate.TxPackets
		},
	}
}

// socketOverflow is about datagrams that reach the node and find tailscaled's socket full. It holds only where the
// kernel counted such, and where flowtally has exactly as many as the sender's tailscaled says it sent.
func (f *findings) socketOverflow(tailscale map[string]flowlog.Sums) flowlog.Exception {
	return flowlog.Exception{
		Name:   "socket overflow",
		Reason: "datagrams arrived at the node that tailscaled's socket had no room for: on the wire, but never read",
		Applies: func(name string, key flowlog.Key, theirs, ours netlogtype.Counts) bool {
			receiver := f.tailnet.nodeNamed(name)
			sender := f.tailnet.nodeAt(key.Src.Addr())
			if key.Class != flowlog.Physical || receiver == nil || sender == nil || !f.overflowed[receiver.Name] {
				return false
			}
			sent := tailscale[sender.Name].SentTo(f.tailnet.hosts[receiver].IPv4, key.Dst.Addr().Is4())
			return ours.TxPackets == theirs.TxPackets && ours.TxBytes == theirs.TxBytes &&
				ours.RxPackets == sent.TxPackets && ours.RxBytes == sent.TxBytes
		},
	}
}

// atLeast tells whether no count of a is below that of b.
func atLeast(a, b netlogtype.Counts) bool {
	return a.TxPackets >= b.TxPackets && a.TxBytes >= b.TxBytes && a.RxPackets >= b.RxPackets && a.RxBytes >= b.RxBytes
}
