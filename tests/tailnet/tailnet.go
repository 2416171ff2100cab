package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tailscale.com/tailcfg"

	"flowtally/tailnet/authority"
	"flowtally/tailnet/control"
	"flowtally/tailnet/lab"
	"flowtally/tailnet/logsink"
	"flowtally/tailnet/node"
	"flowtally/tailnet/traffic"
)

// The lab's addresses are from the ranges for documentation and private use.
//
//	        wan: control, DERP, STUN, log sink
//	     10.77.0.0/24, 2001:db8:77::/64 (a bridge)
//	    /                 |                  \
//	client (n1)       router (n2)         exit (n3)
//	                      |                   |
//	             192.0.2.0/24          198.51.100.0/24
//	            2001:db8:2::/64       2001:db8:51::/64
//	                     lan                outside
var (
	controlIPv4 = netip.MustParseAddr("10.77.0.1")
	controlIPv6 = netip.MustParseAddr("2001:db8:77::1")
	logsIPv4    = netip.MustParseAddr("10.77.0.2")
	lanIPv4     = netip.MustParsePrefix("192.0.2.0/24")
	lanIPv6     = netip.MustParsePrefix("2001:db8:2::/64")
	everyIPv4   = netip.MustParsePrefix("0.0.0.0/0")
	everyIPv6   = netip.MustParsePrefix("::/0")
)

// underlay is the nodes' device towards the wan.
const underlay = "eth0"

// agent is a running flowtally, by the name under which its findings are printed.
type agent struct {
	name string
	on   *node.Node
	*node.Flowtally
}

// tailnet is the lab with everything that runs in it.
type tailnet struct {
	directory string
	programs  node.Programs
	control   *control.Control
	sink      *logsink.Sink
	trust     string
	bridge    lab.Port

	client, router, exit *node.Node
	relay                *node.Relay // between the client's flowtally and tailscaled's LocalAPI
	agents               []agent
	lan, outside, wan    traffic.Host

	hosts     map[*node.Node]traffic.Host
	byAddress map[netip.Addr]tailcfg.StableNodeID
}

// build makes the lab and joins the nodes. flowtally is started first of all, as it may be at a boot: it waits for the
// device and for tailscaled.
func build(directory string, programs node.Programs) (*tailnet, error) {
	t := &tailnet{directory: directory, programs: programs, hosts: map[*node.Node]traffic.Host{},
		byAddress: map[netip.Addr]tailcfg.StableNodeID{}}
	steps := []func() error{t.buildWan, t.buildNodes, t.buildBehind, t.startAgents, t.join, t.startAgentByFile,
		t.approve, t.acquaint}
	for _, step := range steps {
		if err := step(); err != nil {
			return t, err
		}
	}
	return t, nil
}

func (t *tailnet) nodes() []*node.Node { return []*node.Node{t.client, t.router, t.exit} }

// nodeNamed gives the node with the name, or on which the agent with the name runs.
func (t *tailnet) nodeNamed(name string) *node.Node {
	for _, a := range t.agents {
		if a.name == name {
			return a.on
		}
	}
	return nil
}

// nodeAt gives the node that has the Tailscale address.
func (t *tailnet) nodeAt(address netip.Addr) *node.Node {
	for n, host := range t.hosts {
		if host.IPv4 == address || host.IPv6 == address {
			return n
		}
	}
	return nil
}

func (t *tailnet) file(name string) string { return filepath.Join(t.directory, name) }

// buildWan makes the network between the nodes, and on it all that tailscaled talks to.
func (t *tailnet) buildWan() error {
	wan, err := lab.NewNamespace("wan")
	if err != nil {
		return err
	}
	t.wan = traffic.Host{In: wan, IPv4: controlIPv4, IPv6: controlIPv6}
	t.bridge = lab.Port{In: wan, Device: "br0", Addresses: []string{controlIPv4.String() + "/24",
		logsIPv4.String() + "/24", controlIPv6.String() + "/64"}}
	if err := lab.Bridge(t.bridge); err != nil {
		return err
	}
	security, err := authority.New()
	if err != nil {
		return err
	}
	t.trust = t.file("authority.pem")
	if err := security.Write(t.trust); err != nil {
		return err
	}
	log, err := os.Create(t.file("control.log"))
	if err != nil {
		return err
	}
	logf := func(format string, args ...any) {
		text := strings.TrimSpace(fmt.Sprintf(format, args...))
		fmt.Fprintf(log, "%s %s\n", time.Now().Format(time.RFC3339Nano), text)
	}
	t.control, err = control.Start(control.Place{In: wan, IPv4: controlIPv4, IPv6: controlIPv6, Security: security,
		Logf: logf})
	if err != nil {
		return err
	}
	t.sink, err = logsink.Start(wan, logsIPv4, security, t.directory, logf)
	return err
}

// buildNodes makes the three machines. Each sees a hosts file in which the log service is ours.
func (t *tailnet) buildNodes() error {
	hosts, resolver := t.file("hosts"), t.file("resolv.conf")
	names := fmt.Sprintf("127.0.0.1 localhost\n%s %s\n", logsIPv4, logsink.HostName)
	if err := os.WriteFile(hosts, []byte(names), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(resolver, []byte("nameserver 127.0.0.1\n"), 0o644); err != nil {
		return err
	}
	binds := []lab.Bind{{Source: hosts, Target: "/etc/hosts"}, {Source: resolver, Target: "/etc/resolv.conf"}}
	for i, place := range []**node.Node{&t.client, &t.router, &t.exit} {
		number := i + 1
		in, err := lab.NewNamespace(fmt.Sprintf("n%d", number), binds...)
		if err != nil {
			return err
		}
		addresses := []string{fmt.Sprintf("10.77.0.1%d/24", number), fmt.Sprintf("2001:db8:77::1%d/64", number)}
		err = lab.Connect(lab.Port{In: in, Device: underlay, Addresses: addresses},
			lab.Port{In: t.bridge.In, Device: in.Name})
		if err != nil {
			return err
		}
		if err := lab.Plug(t.bridge, in.Name); err != nil {
			return err
		}
		if err := in.IP("route add default via "+controlIPv4.String(),
			"route add default via "+controlIPv6.String()); err != nil {
			return err
		}
		if *place, err = node.New(in, t.programs, t.directory, t.trust); err != nil {
			return err
		}
	}
	return nil
}

// buildBehind makes the LAN behind the router and the host outside behind the exit node.
func (t *tailnet) buildBehind() (err error) {
	if t.lan, err = behind(t.router, "lan", "192.0.2.", "2001:db8:2::"); err != nil {
		return err
	}
	t.outside, err = behind(t.exit, "outside", "203.0.113.", "2001:db8:53::")
	if err != nil {
		return err
	}
	next4, next6 := t.outside.IPv4, t.outside.IPv6
	t.outside.IPv4, t.outside.IPv6 = netip.MustParseAddr("198.51.100.10"), netip.MustParseAddr("2001:db8:51::10")
	if err := t.outside.In.IP(fmt.Sprintf("address add %s/32 dev lo", t.outside.IPv4),
		fmt.Sprintf("address add %s/128 dev lo", t.outside.IPv6)); err != nil {
		return err
	}
	return t.exit.IP(fmt.Sprintf("route add %s via %s", t.outside.IPv4, next4),
		fmt.Sprintf("route add %s via %s", t.outside.IPv6, next6))
}

func behind(through *node.Node, name, ipv4, ipv6 string) (traffic.Host, error) {
	host := traffic.Host{IPv4: netip.MustParseAddr(ipv4 + "10"), IPv6: netip.MustParseAddr(ipv6 + "10")}
	in, err := lab.NewNamespace(name)
	if err != nil {
		return host, err
	}
	host.In = in
	err = lab.Connect(lab.Port{In: through.Namespace, Device: name, Addresses: []string{ipv4 + "1/24", ipv6 + "1/64"}},
		lab.Port{In: in, Device: "eth0", Addresses: []string{host.IPv4.String() + "/24", host.IPv6.String() + "/64"}})
	if err != nil {
		return host, err
	}
	for _, family := range []string{"ipv4/ip_forward", "ipv6/conf/all/forwarding"} {
		if err := through.Sysctl(family, "1"); err != nil {
			return host, err
		}
	}
	return host, in.IP("route add default via "+ipv4+"1", "route add default via "+ipv6+"1")
}

// startAgents starts flowtally on each node.
func (t *tailnet) startAgents() error {
	t.relay = node.NewRelay(t.client.File("relay.sock"), t.client.Socket())
	if err := t.relay.Connect(); err != nil {
		return err
	}
	for _, n := range t.nodes() {
		socket := n.Socket()
		if n == t.client {
			socket = t.client.File("relay.sock")
		}
		run, err := n.StartFlowtally("flowtally", "--tailscaled-socket", socket, "--underlay", underlay)
		if err != nil {
			return err
		}
		t.agents = append(t.agents, agent{name: n.Name, on: n, Flowtally: run})
	}
	return nil
}

// join starts tailscaled on the nodes, one after the other so that their addresses are always the same. The exit node
// has a tag, the others a user.
func (t *tailnet) join() error {
	options := map[*node.Node][]string{
		t.client: {"--accept-routes"},
		t.router: {fmt.Sprintf("--advertise-routes=%s,%s", lanIPv4, lanIPv6)},
		t.exit:   {"--advertise-exit-node", "--advertise-tags=tag:lab,tag:exit"},
	}
	for _, n := range t.nodes() {
		if err := n.StartDaemon(); err != nil {
			return err
		}
		if err := n.Up(t.control.URL(), options[n]...); err != nil {
			return err
		}
		status, err := n.Status()
		if err != nil {
			return err
		}
		addresses := status.Self.TailscaleIPs
		t.hosts[n] = traffic.Host{In: n.Namespace, IPv4: addresses[0], IPv6: addresses[1]}
		for _, address := range addresses {
			t.byAddress[address] = status.Self.ID
		}
	}
	return nil
}

func (t *tailnet) approve() error {
	t.control.ApproveRoutes(t.router.Key(), lanIPv4, lanIPv6)
	t.control.ApproveRoutes(t.exit.Key(), everyIPv4, everyIPv6)
	return node.Eventually(10*time.Second, "the client knows the LAN and the exit node", func() error {
		status, err := t.client.Status()
		if err != nil {
			return err
		}
		routes, exits := 0, 0
		for _, peer := range status.Peer {
			if peer.PrimaryRoutes != nil {
				routes += peer.PrimaryRoutes.Len()
			}
			if peer.ExitNodeOption {
				exits++
			}
		}
		if routes < 4 || exits != 1 {
			return fmt.Errorf("%d routes, %d exit nodes", routes, exits)
		}
		return nil
	})
}

// acquaint waits until each tailscaled has been told where its peers are. Before that nobody can say whose a datagram
// is that comes from there, and flowtally counts it as unmapped.
func (t *tailnet) acquaint() error {
	const perPeer = 2 // IPv4 and IPv6
	return node.Eventually(10*time.Second, "all nodes know where the others are", func() error {
		for _, n := range t.nodes() {
			for _, peer := range t.nodes() {
				if peer == n {
					continue
				}
				endpoints, err := n.EndpointsOf(t.hosts[peer].IPv4)
				if err != nil {
					return err
				}
				if len(endpoints) < perPeer {
					return fmt.Errorf("%s knows %d endpoints of %s", n.Name, len(endpoints), peer.Name)
				}
			}
		}
		return nil
	})
}

// stop ends what runs. Whatever is left goes with this process.
func (t *tailnet) stop() {
	for _, n := range t.nodes() {
		if n != nil {
			n.StopDaemon()
		}
	}
}
