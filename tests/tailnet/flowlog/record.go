// Package flowlog compares two network flow logs of the same node: Tailscale's own and flowtally's.
package flowlog

import (
	"tailscale.com/types/netlogtype"
)

// Record is one of flowtally's records: Tailscale's own type, so that what reads Tailscale's logs is shown to read
// these, and the object that flowtally adds.
type Record struct {
	netlogtype.Message
	Accounting *Accounting `json:"accounting,omitempty"`
}

// Accounting is flowtally's addition; docs/formats/record.md has its meaning.
type Accounting struct {
	BootID   string            `json:"bootId"`
	Epoch    uint64            `json:"epoch"`
	Part     int               `json:"part"`
	Parts    int               `json:"parts"`
	Totals   netlogtype.Counts `json:"totals"`
	Coarse   netlogtype.Counts `json:"coarse"`
	Unparsed netlogtype.Counts `json:"unparsed"`
	Excluded netlogtype.Counts `json:"excluded"`
	Dropped  netlogtype.Counts `json:"dropped"`
}

// WithTraffic gives the records that list something. The others tell only of packets that are left out.
func WithTraffic(records []Record) (with []Record) {
	for _, record := range records {
		if len(record.VirtualTraffic)+len(record.SubnetTraffic)+len(record.ExitTraffic)+len(record.PhysicalTraffic) > 0 {
			with = append(with, record)
		}
	}
	return with
}
