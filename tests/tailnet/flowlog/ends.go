package flowlog

import (
	"tailscale.com/types/netlogtype"
)

// Ends is how the records of two nodes fit together: what one has sent the other has received.
type Ends struct {
	Flows     int // seen by both nodes
	Packets   uint64
	Lost      uint64 // packets that one sent and the other did not get, by flowtally
	TheirLoss uint64 // the same by Tailscale's logs
	Appeared  uint64 // packets that were received and not sent: impossible
}

// BothEnds compares the virtual traffic of each pair of nodes.
func BothEnds(ours, tailscale map[string]Sums) (ends Ends) {
	for near, sums := range ours {
		for far, others := range ours {
			if near == far {
				continue
			}
			for key, counts := range sums {
				mirror := Key{key.Class, netlogtype.Connection{Proto: key.Proto, Src: key.Dst, Dst: key.Src}}
				received, ok := others[mirror]
				if key.Class != Virtual || !ok {
					continue
				}
				ends.Flows++
				ends.Packets += counts.TxPackets
				ends.Lost += less64(counts.TxPackets, received.RxPackets)
				ends.Appeared += less64(received.RxPackets, counts.TxPackets)
				ends.TheirLoss += less64(tailscale[near][key].TxPackets, tailscale[far][mirror].RxPackets)
			}
		}
	}
	return ends
}

func less64(a, b uint64) uint64 {
	if a < b {
		return 0
	}
	return a - b
}
