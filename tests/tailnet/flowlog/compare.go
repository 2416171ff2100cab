package flowlog

import (
	"fmt"
	"io"
	"text/tabwriter"

	"tailscale.com/types/netlogtype"
)

// Exception is a difference that is known and has a reason. It says when it applies, as narrowly as can be.
type Exception struct {
	Name    string
	Reason  string
	Applies func(node string, key Key, tailscale, ours netlogtype.Counts) bool
}

// Difference is a key whose counts are not the same in both logs.
type Difference struct {
	Key
	Tailscale, Ours netlogtype.Counts
	Excused         string // the name of the exception; empty: a failure
}

// Comparison is the result for one node.
type Comparison struct {
	Node        string
	Equal       Sums // keys that agree, with their counts
	Differences []Difference
}

// Compare holds flowtally's sums of a node against Tailscale's.
func Compare(node string, tailscale, ours Sums, exceptions []Exception) Comparison {
	result := Comparison{Node: node, Equal: Sums{}}
	all := Sums{}
	for key := range tailscale {
		all[key] = netlogtype.Counts{}
	}
	for key := range ours {
		all[key] = netlogtype.Counts{}
	}
	for _, key := range all.Keys() {
		if tailscale[key] == ours[key] {
			result.Equal[key] = ours[key]
			continue
		}
		difference := Difference{Key: key, Tailscale: tailscale[key], Ours: ours[key]}
		for _, exception := range exceptions {
			if exception.Applies(node, key, tailscale[key], ours[key]) {
				difference.Excused = exception.Name
				break
			}
		}
		result.Differences = append(result.Differences, difference)
	}
	return result
}

// Failures counts the differences without an excuse.
func (c Comparison) Failures() int {
	failures := 0
	for _, difference := range c.Differences {
		if difference.Excused == "" {
			failures++
		}
	}
	return failures
}

// Print writes the differences as a table.
func (c Comparison) Print(to io.Writer) {
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "    node\tclass\tproto\tsrc\tdst\t\ttx pkts\ttx bytes\trx pkts\trx bytes\t")
	for _, difference := range c.Differences {
		excuse := difference.Excused
		if excuse == "" {
			excuse = "DIFFERS"
		}
		key := fmt.Sprintf("    %s\t%s\t%d\t%s\t%s", c.Node, difference.Class, difference.Proto, end(difference.Src),
			end(difference.Dst))
		row(table, key, "tailscale", difference.Tailscale, "")
		row(table, "    \t\t\t\t", "flowtally", difference.Ours, "")
		less(table, difference, excuse)
	}
	table.Flush()
}

func row(to io.Writer, key, who string, counts netlogtype.Counts, note string) {
	fmt.Fprintf(to, "%s\t%s\t%d\t%d\t%d\t%d\t%s\n", key, who, counts.TxPackets, counts.TxBytes, counts.RxPackets,
		counts.RxBytes, note)
}

// less prints flowtally's counts less Tailscale's.
func less(to io.Writer, d Difference, note string) {
	minus := func(a, b uint64) string { return fmt.Sprintf("%+d", int64(a)-int64(b)) }
	fmt.Fprintf(to, "    \t\t\t\t\tdifference\t%s\t%s\t%s\t%s\t%s\n", minus(d.Ours.TxPackets, d.Tailscale.TxPackets),
		minus(d.Ours.TxBytes, d.Tailscale.TxBytes), minus(d.Ours.RxPackets, d.Tailscale.RxPackets),
		minus(d.Ours.RxBytes, d.Tailscale.RxBytes), note)
}

func end(address fmt.Stringer) string {
	if text := address.String(); text != "invalid AddrPort" {
		return text
	}
	return "-"
}
