package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"tailscale.com/tailcfg"

	"flowtally/tailnet/flowlog"
	"flowtally/tailnet/node"
	"flowtally/tailnet/traffic"
)

// scenario is some traffic, and how much of it must be found in both logs at least, so that nothing passes by being
// empty.
type scenario struct {
	name  string
	about string
	run   func(t *tailnet, f *findings) error
	after func(t *tailnet) error // back to how it was; when the logs are settled
	least []least
	ends  int // flows that must be in the records of both ends at least

	loggerRestarts bool // Tailscale's logger is ended or restarted at its begin or after the one before it
}

// least is what a node must have counted in a class.
type least struct {
	node    string
	class   flowlog.Class
	keys    int
	packets uint64 // sent and received
}

// snapshotWait is how long flowtally may take to learn of a change of the tailnet: half a second after the message on
// the IPN bus it asks, and the window that is open by then is told by the snapshot of its end.
const snapshotWait = 2500 * time.Millisecond

var scenarios = []scenario{
	{
		name:  "virtual",
		about: "between nodes: ping, fragments, TCP bulk both ways, small UDP, UDP super-packets; IPv4 and IPv6",
		run:   virtualTraffic,
		least: []least{{"n1", flowlog.Virtual, 14, 20000}, {"n2", flowlog.Virtual, 16, 20000},
			{"n3", flowlog.Virtual, 6, 300}, {"n1", flowlog.Physical, 2, 20000}, {"n2", flowlog.Physical, 2, 20000},
			{"n3", flowlog.Physical, 2, 300}},
		ends: 30,
	},
	{
		name:  "subnet",
		about: "the client and a host on the LAN behind the router, either of them first; an address of nobody",
		run:   subnetTraffic,
		least: []least{{"n1", flowlog.Subnet, 10, 5000}, {"n2", flowlog.Subnet, 9, 5000},
			{"n1", flowlog.Physical, 1, 5000}},
	},
	{
		name:  "exit",
		about: "the client and a host outside through the exit node, anonymised as Tailscale does it",
		run:   exitTraffic,
		after: (*tailnet).endExit,
		least: []least{{"n1", flowlog.Exit, 2, 4000}, {"n3", flowlog.Exit, 2, 4000}, {"n1", flowlog.Subnet, 2, 20},
			{"n1", flowlog.Physical, 1, 4000}},
	},
	{
		name:           "exit-destinations",
		about:          "the same with log-exit-flows in the capability map: protocol, ports and destinations are kept",
		run:            exitDestinations,
		loggerRestarts: true,
		after:          (*tailnet).endExit,
		least:          []least{{"n1", flowlog.Exit, 7, 4000}, {"n3", flowlog.Exit, 6, 4000}},
	},
	{
		name:           "flood",
		about:          "UDP faster than tailscaled reads, single and super-packets: what the TUN's ring drops was not sent",
		run:            flood,
		loggerRestarts: true,
		least:          []least{{"n1", flowlog.Virtual, 3, 5000}, {"n2", flowlog.Virtual, 3, 5000}},
		ends:           6,
	},
	{
		name:  "localapi-away",
		about: "LocalAPI unreachable for a while under traffic: classes and names go on",
		run:   localAPIAway,
		least: []least{{"n1", flowlog.Virtual, 3, 100}, {"n1", flowlog.Subnet, 3, 100}},
	},
	{
		name:           "down-up",
		about:          "tailscale down, then up: the device stays",
		run:            downUp,
		loggerRestarts: true,
		least:          []least{{"n1", flowlog.Virtual, 4, 200}, {"n2", flowlog.Virtual, 4, 200}},
	},
	{
		name:  "killed",
		about: "tailscaled killed by SIGKILL and started again under traffic: the device goes and comes",
		run:   killed,
		least: []least{{"n1", flowlog.Virtual, 4, 200}, {"n2", flowlog.Virtual, 4, 200},
			{"n3", flowlog.Virtual, 2, 20}},
	},
}

// families gives the IPv4 and the IPv6 path between two hosts.
func families(from, to traffic.Host) []traffic.Path {
	return []traffic.Path{traffic.IPv4(from, to), traffic.IPv6(from, to)}
}

// exchange sends some of every kind that has an answer over the path, on ports from `port` on.
func exchange(f *findings, path traffic.Path, port uint16, bulk int64) error {
	steps := []func() ([]traffic.Known, error){
		func() ([]traffic.Known, error) { return traffic.Ping(path, 10, 56) },
		func() ([]traffic.Known, error) { return traffic.UDP(path, port, 100, 300) },
		func() ([]traffic.Known, error) { return nil, traffic.TCP(path, port, bulk, bulk) },
	}
	for _, step := range steps {
		known, err := step()
		if err != nil {
			return err
		}
		f.expect(path, known...)
	}
	return nil
}

func virtualTraffic(t *tailnet, f *findings) error {
	client, router, exit := t.hosts[t.client], t.hosts[t.router], t.hosts[t.exit]
	// The first packets make the direct paths; until then some go by DERP.
	for _, path := range slices.Concat(families(client, router), families(client, exit), families(router, exit)) {
		known, err := traffic.Ping(path, 20, 56)
		if err != nil {
			return err
		}
		f.expect(path, known...)
	}
	for i, path := range families(client, router) {
		if err := exchange(f, path, uint16(4000+i), 6<<20); err != nil {
			return err
		}
		segments, err := traffic.Segments(path, uint16(4010+i), 10, 40, 1200)
		if err != nil {
			return err
		}
		f.expect(path, segments...)
		if _, err := traffic.Ping(path, 5, 3000); err != nil {
			return fmt.Errorf("fragments: %w", err)
		}
		if _, err := traffic.UDP(path, uint16(4020+i), 5, 4000); err != nil {
			return fmt.Errorf("fragments: %w", err)
		}
	}
	for i, path := range families(exit, router) {
		if err := traffic.TCP(path, uint16(4030+i), 1<<20, 1<<20); err != nil {
			return err
		}
	}
	return nil
}

func subnetTraffic(t *tailnet, f *findings) error {
	client := t.hosts[t.client]
	for i, path := range families(client, t.lan) {
		if err := exchange(f, path, uint16(4100+i), 2<<20); err != nil {
			return err
		}
		known, err := traffic.Segments(path, uint16(4110+i), 5, 30, 1200)
		if err != nil {
			return err
		}
		f.expect(path, known...)
	}
	for i, path := range families(t.lan, client) {
		if err := traffic.TCP(path, uint16(4120+i), 1<<18, 1<<18); err != nil {
			return err
		}
	}
	// Routed to the device by the range, though no peer has it.
	nobody := traffic.Path{From: t.client.Namespace, Src: client.IPv6,
		Dst: netip.MustParseAddr("fd7a:115c:a1e0::4242")}
	known, err := traffic.Datagrams(nobody, 4130, 5, 100)
	f.expect(nobody, known...)
	return err
}

func exitTraffic(t *tailnet, f *findings) error {
	if err := t.client.Tailscale("set", "--exit-node="+t.hosts[t.exit].IPv4.String()); err != nil {
		return err
	}
	time.Sleep(snapshotWait)
	f.anonymous = true
	return t.sendOutside(f, 4200)
}

// sendOutside sends through the exit node: to the host outside; to the client's own network, which without LAN access
// goes that way too and which the exit node refuses, because it is on it; and to an address in Tailscale's range that
// nobody has.
func (t *tailnet) sendOutside(f *findings, port uint16) error {
	client := t.hosts[t.client]
	for i, path := range families(client, t.outside) {
		if err := exchange(f, path, port+uint16(i), 2<<20); err != nil {
			return err
		}
	}
	for i, path := range families(client, t.wan) {
		known, err := traffic.Datagrams(path, port+uint16(10+i), 10, 200)
		if err != nil {
			return err
		}
		f.expect(path, known...)
	}
	nobody := traffic.Path{From: t.client.Namespace, Src: client.IPv4, Dst: netip.MustParseAddr("100.64.9.9")}
	known, err := traffic.Datagrams(nobody, port+20, 5, 100)
	f.expect(nobody, known...)
	return err
}

func exitDestinations(t *tailnet, f *findings) error {
	if err := t.client.Tailscale("set", "--exit-node="+t.hosts[t.exit].IPv4.String()); err != nil {
		return err
	}
	t.control.LogExitFlows(true)
	err := node.Eventually(10*time.Second, "all nodes have log-exit-flows", func() error {
		for _, n := range t.nodes() {
			status, err := n.Status()
			if err != nil {
				return err
			}
			if !status.Self.HasCap(tailcfg.NodeAttrLogExitFlows) {
				return fmt.Errorf("%s has not", n.Name)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	time.Sleep(snapshotWait)
	return t.sendOutside(f, 4300)
}

// endExit goes back to how it was. It is called when the logs are settled, because the capability's change restarts
// Tailscale's logger, which then was seen to lose what it had not uploaded.
func (t *tailnet) endExit() error {
	t.control.LogExitFlows(false)
	err := t.client.Tailscale("set", "--exit-node=")
	time.Sleep(snapshotWait)
	return err
}

// floodPort is the port of both floods, and no other traffic's.
const floodPort = 4400

func flood(t *tailnet, f *findings) error {
	before, err := t.client.DroppedByDevice()
	if err != nil {
		return err
	}
	paths := families(t.hosts[t.client], t.hosts[t.router])
	single, err := traffic.Flood(paths[0], floodPort, 40000, 1, 1100)
	if err != nil {
		return err
	}
	super, err := traffic.Flood(paths[1], floodPort, 2000, 40, 1200)
	if err != nil {
		return err
	}
	f.flooded = single + super
	after, err := t.client.DroppedByDevice()
	if err == nil && after-before < 500 {
		err = fmt.Errorf("the device has dropped only %d packets: this was no flood", after-before)
	}
	f.note("offered were %d packets, the device has dropped %d buffers", f.flooded, after-before)
	if err != nil {
		return err
	}
	// Small traffic after it, once the ring is empty again.
	if err := node.Eventually(10*time.Second, "the client reaches the router again", func() error {
		_, err := traffic.Ping(paths[0], 1, 56)
		return err
	}); err != nil {
		return err
	}
	known, err := traffic.UDP(paths[0], 4402, 50, 100)
	f.expect(paths[0], known...)
	return err
}

func localAPIAway(t *tailnet, f *findings) error {
	t.relay.Cut()
	time.Sleep(snapshotWait)
	client := t.hosts[t.client]
	for i, path := range slices.Concat(families(client, t.hosts[t.router]), families(client, t.lan)) {
		if err := exchange(f, path, uint16(4500+i), 1<<18); err != nil {
			return err
		}
	}
	time.Sleep(snapshotWait)
	return t.relay.Connect()
}

func downUp(t *tailnet, f *findings) error {
	paths := families(t.hosts[t.client], t.hosts[t.router])
	if err := exchange(f, paths[0], 4600, 1<<18); err != nil {
		return err
	}
	t.settle() // `down` ends Tailscale's logger, which then was seen to lose what it had not uploaded
	if err := t.client.Tailscale("down"); err != nil {
		return err
	}
	time.Sleep(snapshotWait)
	if err := t.client.Tailscale("up", "--login-server="+t.control.URL(), "--hostname="+t.client.Name,
		"--accept-dns=false", "--accept-routes", "--timeout=20s"); err != nil {
		return err
	}
	time.Sleep(snapshotWait)
	for i, path := range paths {
		if err := exchange(f, path, uint16(4610+i), 1<<18); err != nil {
			return err
		}
	}
	return nil
}

// killedPort is the port of the traffic that goes on while tailscaled is dead: its counts cannot be equal, because
// what tailscaled had counted and not uploaded died with it.
const killedPort = 4700

func killed(t *tailnet, f *findings) error {
	path := traffic.IPv4(t.hosts[t.client], t.hosts[t.router])
	stop := make(chan struct{})
	sent, err := traffic.Steady(path, killedPort, 200, 5*time.Millisecond, stop)
	if err != nil {
		return err
	}
	time.Sleep(1500 * time.Millisecond)
	t.client.KillDaemon()
	time.Sleep(1500 * time.Millisecond)
	if err := t.client.StartDaemon(); err != nil {
		return err
	}
	err = node.Eventually(20*time.Second, "the client is back", func() error {
		_, err := traffic.Ping(path, 1, 56)
		return err
	})
	time.Sleep(time.Second)
	close(stop)
	f.note("%d datagrams were sent from the client in that time", sent())
	if err != nil {
		return err
	}
	said := t.agents[0].Said()
	if !strings.Contains(said, node.Device+" is gone") || strings.Count(said, "counting "+node.Device) < 2 {
		return fmt.Errorf("flowtally has not said that the device went and came: %s", said)
	}
	time.Sleep(snapshotWait)
	client := t.hosts[t.client]
	for i, path := range slices.Concat(families(client, t.hosts[t.router]), families(client, t.hosts[t.exit])) {
		// The direct path is made anew, and what is under way when it changes may be lost.
		if err := node.Eventually(10*time.Second, fmt.Sprintf("ten pings over %s are answered", path), func() error {
			_, err := traffic.Ping(path, 10, 56)
			return err
		}); err != nil {
			return err
		}
		known, err := traffic.UDP(path, uint16(killedPort+1+i), 100, 300)
		if err != nil {
			return err
		}
		f.expect(path, known...)
	}
	return nil
}
