package flowlog

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"

	"tailscale.com/tailcfg"
	"tailscale.com/types/netlogtype"
)

// Nodes collects what a log says of nodes: the reporter under its own id, and the others.
func Nodes(records []netlogtype.Message) (self, others map[tailcfg.StableNodeID]netlogtype.Node) {
	self, others = map[tailcfg.StableNodeID]netlogtype.Node{}, map[tailcfg.StableNodeID]netlogtype.Node{}
	for _, record := range records {
		self[record.NodeID] = record.SrcNode
		for _, node := range record.DstNodes {
			others[node.NodeID] = node
		}
	}
	return self, others
}

// IdentityFaults says where flowtally's records name nodes otherwise than Tailscale's.
func IdentityFaults(tailscale, ours []netlogtype.Message) (faults []string) {
	wantSelf, want := Nodes(tailscale)
	self, others := Nodes(ours)
	faults = append(faults, differentNodes("srcNode", wantSelf, self)...)
	return append(faults, differentNodes("dstNodes", want, others)...)
}

func differentNodes(field string, want, got map[tailcfg.StableNodeID]netlogtype.Node) (faults []string) {
	for id, node := range want {
		if found, ok := got[id]; !ok {
			faults = append(faults, fmt.Sprintf("%s: %s is only in Tailscale's log", field, id))
		} else if !reflect.DeepEqual(found, node) {
			faults = append(faults, fmt.Sprintf("%s: %+v, Tailscale has %+v", field, found, node))
		}
	}
	for id := range got {
		if _, ok := want[id]; !ok {
			faults = append(faults, fmt.Sprintf("%s: %s is not in Tailscale's log", field, id))
		}
	}
	return faults
}

// relay stands for DERP in Tailscale's physical entries; the port is the region.
var relay = netip.MustParseAddr("127.3.3.40")

// Relayed tells whether the entry is of what went by DERP.
func (k Key) Relayed() bool { return k.Class == Physical && k.Dst.Addr() == relay }

// WithoutRelayed gives the records as they were if nothing had gone by DERP: without those entries, without the nodes
// that are named because of them alone, and without the records that then tell nothing.
func WithoutRelayed(records []netlogtype.Message) (rest []netlogtype.Message) {
	for _, record := range records {
		record.PhysicalTraffic = slices.DeleteFunc(slices.Clone(record.PhysicalTraffic),
			func(entry netlogtype.ConnectionCounts) bool { return Key{Physical, entry.Connection}.Relayed() })
		listed := map[netip.Addr]bool{}
		for _, entries := range lists(&record) {
			for _, entry := range entries {
				listed[entry.Src.Addr()], listed[entry.Dst.Addr()] = true, true
			}
		}
		if len(listed) == 0 {
			continue
		}
		record.DstNodes = slices.DeleteFunc(slices.Clone(record.DstNodes), func(node netlogtype.Node) bool {
			return !slices.ContainsFunc(node.Addresses, func(address netip.Addr) bool { return listed[address] })
		})
		rest = append(rest, record)
	}
	return rest
}

const faultsMax = 3

// MissingNodes says which records of flowtally do not name exactly the nodes whose addresses they list, the reporter
// aside: the rule by which Tailscale fills dstNodes.
func MissingNodes(ours []netlogtype.Message, byAddress map[netip.Addr]tailcfg.StableNodeID) (faults []string) {
	for i := range ours {
		listed, named := map[tailcfg.StableNodeID]bool{}, map[tailcfg.StableNodeID]bool{}
		for _, entries := range lists(&ours[i]) {
			for _, entry := range entries {
				for _, address := range []netip.Addr{entry.Src.Addr(), entry.Dst.Addr()} {
					if id, ok := byAddress[address]; ok && id != ours[i].NodeID {
						listed[id] = true
					}
				}
			}
		}
		for _, node := range ours[i].DstNodes {
			named[node.NodeID] = true
		}
		if !reflect.DeepEqual(listed, named) {
			if len(faults) == faultsMax {
				return faults // the next ones are like these
			}
			faults = append(faults, fmt.Sprintf("the record of %s names %v and lists addresses of %v", ours[i].Start,
				named, listed))
		}
	}
	return faults
}
