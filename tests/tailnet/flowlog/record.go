// Package flowlog compares two network flow logs of the same node: Tailscale's own and flowtally's.
package flowlog

import (
	"time"

	"tailscale.com/types/netlogtype"
)

// Record is one of flowtally's records: Tailscale's own type, so that what reads Tailscale's logs is shown to read
// these, and the object that flowtally adds.
type Record struct {
	netlogtype.Message
	Accounting *Accounting `json:"accounting,omitempty"`
}

// Accounting is what this test needs of flowtally's addition; docs/formats/record.md has all of it. Counts that are
// absent are zero.
type Accounting struct {
	Totals      netlogtype.Counts `json:"totals"`
	Unparsed    netlogtype.Counts `json:"unparsed"`
	Excluded    netlogtype.Counts `json:"excluded"`
	Dropped     netlogtype.Counts `json:"dropped"`
	DroppedLate netlogtype.Counts `json:"droppedLate"`
}

// Conserved tells whether the totals of the record are what it lists, without physical traffic, and what it says that
// it leaves out.
func (r Record) Conserved() bool {
	if r.Accounting == nil {
		return false
	}
	a := r.Accounting
	listed := a.Unparsed.Add(a.Excluded).Add(a.Dropped)
	for class, entries := range lists(&r.Message) {
		for _, entry := range entries {
			if class != Physical {
				listed = listed.Add(entry.Counts)
			}
		}
	}
	return listed == a.Totals
}

// WithTraffic gives the records that list something. The others tell only of packets that are left out.
func WithTraffic(records []Record) (with []Record) {
	for _, record := range records {
		entries := 0
		for _, list := range lists(&record.Message) {
			entries += len(list)
		}
		if entries > 0 {
			with = append(with, record)
		}
	}
	return with
}

// Dropped adds up what, by the records that begin in the span, found the device's ring full: before its record was
// closed, and after.
func Dropped(records []Record, from, to time.Time) (inTime, late netlogtype.Counts) {
	for _, record := range records {
		if record.Accounting != nil && !record.Start.Before(from) && record.Start.Before(to) {
			inTime = inTime.Add(record.Accounting.Dropped)
			late = late.Add(record.Accounting.DroppedLate)
		}
	}
	return inTime, late
}
