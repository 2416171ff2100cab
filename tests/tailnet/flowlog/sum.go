package flowlog

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"tailscale.com/types/netlogtype"
)

// Class is one of the four lists of a record.
type Class string

// The classes, by the names of their lists.
const (
	Virtual  Class = "virtual"
	Subnet   Class = "subnet"
	Exit     Class = "exit"
	Physical Class = "physical"
)

// Key is what counts are summed over.
type Key struct {
	Class Class
	netlogtype.Connection
}

// Sums are the counts of a log over a span of time.
type Sums map[Key]netlogtype.Counts

// lists gives the four lists of a record with their classes.
func lists(record *netlogtype.Message) map[Class][]netlogtype.ConnectionCounts {
	return map[Class][]netlogtype.ConnectionCounts{
		Virtual:  record.VirtualTraffic,
		Subnet:   record.SubnetTraffic,
		Exit:     record.ExitTraffic,
		Physical: record.PhysicalTraffic,
	}
}

// Sum adds up the records.
func Sum(records []netlogtype.Message) Sums {
	sums := Sums{}
	for i := range records {
		for class, entries := range lists(&records[i]) {
			for _, entry := range entries {
				key := Key{class, entry.Connection}
				sums[key] = sums[key].Add(entry.Counts)
			}
		}
	}
	return sums
}

// Messages gives flowtally's records without what it adds.
func Messages(records []Record) []netlogtype.Message {
	messages := make([]netlogtype.Message, 0, len(records))
	for _, record := range records {
		messages = append(messages, record.Message)
	}
	return messages
}

// Within gives the records that begin in the span, and those of them or before them that reach over one of its ends:
// where there are any the span says nothing.
func Within(records []netlogtype.Message, from, to time.Time) (within, across []netlogtype.Message) {
	for _, record := range records {
		over := func(cut time.Time) bool { return record.Start.Before(cut) && record.End.After(cut) }
		if over(from) || over(to) {
			across = append(across, record)
		} else if !record.Start.Before(from) && record.Start.Before(to) {
			within = append(within, record)
		}
	}
	return within, across
}

// Keys gives the keys in the order of Tailscale's lists.
func (s Sums) Keys() []Key {
	keys := make([]Key, 0, len(s))
	for key := range s {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b Key) int {
		return cmp.Or(cmp.Compare(a.Class, b.Class), compareEnds(a.Src, b.Src), compareEnds(a.Dst, b.Dst),
			cmp.Compare(a.Proto, b.Proto))
	})
	return keys
}

func compareEnds(a, b netip.AddrPort) int { return a.Compare(b) }

// Total is how many keys a class has, and the sum of their counts.
func (s Sums) Total(class Class) (keys int, counts netlogtype.Counts) {
	for key, value := range s {
		if key.Class == class {
			keys++
			counts = counts.Add(value)
		}
	}
	return keys, counts
}

// SentTo is what a node has sent to a peer by one family of the underlay. In physical entries the peer, by its first
// address, is the source.
func (s Sums) SentTo(peer netip.Addr, byIPv4 bool) (sent netlogtype.Counts) {
	for key, counts := range s {
		if key.Class == Physical && key.Src.Addr() == peer && key.Dst.Addr().Is4() == byIPv4 {
			sent = sent.Add(counts)
		}
	}
	return netlogtype.Counts{TxPackets: sent.TxPackets, TxBytes: sent.TxBytes}
}
