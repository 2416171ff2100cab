package main

import (
	"fmt"
	"io"
	"time"

	"tailscale.com/types/netlogtype"

	"flowtally/tailnet/control"
	"flowtally/tailnet/flowlog"
	"flowtally/tailnet/traffic"
)

// findings are what a scenario leaves for the judge.
type findings struct {
	tailnet   *tailnet
	from, to  time.Time
	anonymous bool // exit traffic's ports and destinations are not in the logs, so known flows cannot be looked up
	known     map[string]map[netlogtype.Connection]netlogtype.Counts

	socketDrops map[string]uint64 // by node, at the begin
	overflowed  map[string]bool   // by node: there were more at the end

	flooded uint64 // packets of a flood that the client's device was given
	// What the client's flowtally says the device has dropped: taken off the flows, and too late for that.
	dropped, droppedLate netlogtype.Counts
	notes                []string
	faults               []string
}

func newFindings(t *tailnet, from time.Time) *findings {
	f := &findings{tailnet: t, from: from, known: map[string]map[netlogtype.Connection]netlogtype.Counts{},
		socketDrops: map[string]uint64{}, overflowed: map[string]bool{}}
	f.eachSocketDrops(func(name string, drops uint64) { f.socketDrops[name] = drops })
	return f
}

// end closes the span.
func (f *findings) end(at time.Time) {
	f.to = at
	f.eachSocketDrops(func(name string, drops uint64) {
		if drops > f.socketDrops[name] {
			f.overflowed[name] = true
			f.note("%s: UDP sockets had no room for %d buffers", name, drops-f.socketDrops[name])
		}
	})
}

func (f *findings) eachSocketDrops(use func(name string, drops uint64)) {
	for _, n := range f.tailnet.nodes() {
		drops, err := n.DroppedBySockets()
		if err != nil {
			f.fault("%s: %v", n.Name, err)
		}
		use(n.Name, drops)
	}
}

// expect remembers what the node at the path's begin must have counted. Other hosts count nothing.
func (f *findings) expect(path traffic.Path, flows ...traffic.Known) {
	if f.anonymous {
		return
	}
	for _, n := range f.tailnet.nodes() {
		if n.Namespace != path.From {
			continue
		}
		if f.known[n.Name] == nil {
			f.known[n.Name] = map[netlogtype.Connection]netlogtype.Counts{}
		}
		for _, flow := range flows {
			f.known[n.Name][flow.Connection] = f.known[n.Name][flow.Connection].Add(flow.Counts)
		}
	}
}

func (f *findings) note(format string, args ...any) {
	f.notes = append(f.notes, fmt.Sprintf(format, args...))
}

func (f *findings) fault(format string, args ...any) {
	f.faults = append(f.faults, fmt.Sprintf(format, args...))
}

// judge compares the logs of the scenario's span and prints what it finds. It tells whether all is well.
func (f *findings) judge(s scenario, out io.Writer) bool {
	ours, tailscale := map[string]flowlog.Sums{}, map[string]flowlog.Sums{}
	for _, a := range f.tailnet.agents {
		ours[a.name], tailscale[a.name] = f.sums(a)
		f.checkKnown(a, ours[a.name])
	}
	excuses := exceptions(s, f, tailscale)
	for _, a := range f.tailnet.agents {
		comparison := flowlog.Compare(a.name, tailscale[a.name], ours[a.name], excuses)
		summary(out, comparison)
		if failures := comparison.Failures(); failures > 0 {
			f.fault("%s: %d flows differ", a.name, failures)
		}
		if len(comparison.Differences) > 0 {
			comparison.Print(out)
		}
	}
	f.checkLeast(s, ours)
	f.checkFlood(ours[f.tailnet.client.Name])
	f.checkEnds(s, ours, tailscale)
	for _, text := range f.tailnet.sink.Faults() {
		f.fault("log sink: %s", text)
	}
	for _, note := range f.notes {
		fmt.Fprintf(out, "  %s\n", note)
	}
	for _, fault := range f.faults {
		fmt.Fprintf(out, "  FAULT: %s\n", fault)
	}
	return len(f.faults) == 0
}

// sums reads an agent's records and those of its node's tailscaled, checks what each record must fulfil alone, and
// adds up those of the span.
func (f *findings) sums(a agent) (ours, tailscale flowlog.Sums) {
	all, err := a.Records()
	if err != nil {
		f.fault("%s: %v", a.name, err)
	}
	if a.Exited() {
		f.fault("%s: flowtally has ended: %s", a.name, a.Said())
	}
	for _, record := range all {
		if !record.Conserved() {
			f.fault("%s: the record of %v does not add up: %+v", a.name, record.Start, record.Accounting)
			break
		}
	}
	records, across := flowlog.Within(flowlog.Messages(flowlog.WithTraffic(all)), f.from, f.to)
	theirs, theirAcross := flowlog.Within(f.tailnet.sink.Records(control.LogID(a.on.Key())), f.from, f.to)
	for _, record := range append(across, theirAcross...) {
		f.fault("%s: a record from %v to %v reaches over an end of the span, so nothing is said by sums", a.name,
			record.Start, record.End)
	}
	for _, fault := range flowlog.IdentityFaults(flowlog.WithoutRelayed(theirs), records) {
		f.fault("%s: %s", a.name, fault)
	}
	for _, fault := range flowlog.MissingNodes(records, f.tailnet.byAddress) {
		f.fault("%s: %s", a.name, fault)
	}
	if a.name == f.tailnet.client.Name {
		f.dropped, f.droppedLate = flowlog.Dropped(all, f.from, f.to)
	}
	return flowlog.Sum(records), flowlog.Sum(theirs)
}

// checkKnown holds what was sent against what flowtally has. Pings share a key with the first fragments of larger
// pings, so of flows without ports there may be more.
func (f *findings) checkKnown(a agent, ours flowlog.Sums) {
	for connection, want := range f.known[a.on.Name] {
		var got netlogtype.Counts
		for _, class := range []flowlog.Class{flowlog.Virtual, flowlog.Subnet, flowlog.Exit} {
			got = got.Add(ours[flowlog.Key{Class: class, Connection: connection}])
		}
		if got != want && (connection.Src.Port() != 0 || !atLeast(got, want)) {
			f.fault("%s: %v: sent were %+v, flowtally has %+v", a.name, connection, want, got)
		}
	}
}

func (f *findings) checkLeast(s scenario, ours map[string]flowlog.Sums) {
	for _, want := range s.least {
		keys, counts := ours[want.node].Total(want.class)
		if packets := counts.TxPackets + counts.RxPackets; keys < want.keys || packets < want.packets {
			f.fault("%s: only %d %s flows with %d packets; that proves nothing, %d and %d are expected", want.node,
				keys, want.class, packets, want.keys, want.packets)
		}
	}
}

// checkFlood holds what the device was given against what flowtally lists as sent and what it says was dropped. Of the
// pings that find out when the flood is over some may be dropped too.
func (f *findings) checkFlood(ours flowlog.Sums) {
	if f.flooded == 0 {
		return
	}
	const pingsMax = 50
	var listed uint64
	for key, counts := range ours {
		if key.Class == flowlog.Virtual && key.Src.Port() == floodPort && key.Dst.Port() == floodPort {
			listed += counts.TxPackets
		}
	}
	f.note("flowtally lists %d of them and says that %d were dropped, and of those listed %d later", listed,
		f.dropped.TxPackets, f.droppedLate.TxPackets)
	if sum := listed + f.dropped.TxPackets; sum < f.flooded || sum > f.flooded+pingsMax {
		f.fault("%d packets were offered, %d are accounted for", f.flooded, sum)
	}
}

func (f *findings) checkEnds(s scenario, ours, tailscale map[string]flowlog.Sums) {
	// One agent for each node, or every loss would be counted twice.
	for _, a := range f.tailnet.agents {
		if a.name != a.on.Name {
			delete(ours, a.name)
		}
	}
	ends := flowlog.BothEnds(ours, tailscale)
	f.note("both ends: %d flows, %d packets sent, %d of them not received (by Tailscale's logs %d)", ends.Flows,
		ends.Packets, ends.Lost, ends.TheirLoss)
	if ends.Flows < s.ends {
		f.fault("only %d flows are in the records of both ends, %d are expected", ends.Flows, s.ends)
	}
	if ends.Appeared > 0 {
		f.fault("%d packets were received and not sent", ends.Appeared)
	}
	if ends.Lost != ends.TheirLoss && s.name != "killed" {
		f.fault("%d packets are lost between the nodes, by Tailscale's logs %d", ends.Lost, ends.TheirLoss)
	}
}

// summary is one line for each class that a node has.
func summary(out io.Writer, c flowlog.Comparison) {
	for _, class := range []flowlog.Class{flowlog.Virtual, flowlog.Subnet, flowlog.Exit, flowlog.Physical} {
		keys, counts := c.Equal.Total(class)
		differ, excused := 0, 0
		for _, difference := range c.Differences {
			if difference.Class == class && difference.Excused == "" {
				differ++
			} else if difference.Class == class {
				excused++
			}
		}
		if keys+differ+excused == 0 {
			continue
		}
		fmt.Fprintf(out, "  %-10s %-8s %4d flows equal: tx %d packets, %d bytes, rx %d, %d; %d differ, %d excused\n",
			c.Node, class, keys, counts.TxPackets, counts.TxBytes, counts.RxPackets, counts.RxBytes, differ, excused)
	}
}
