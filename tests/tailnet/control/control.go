// Package control is the tailnet's control plane and what belongs to it: a coordination server on Tailscale's own
// testcontrol package, a DERP relay and a STUN server, all in one namespace.
package control

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"

	"tailscale.com/derp/derpserver"
	"tailscale.com/net/stun"
	"tailscale.com/tailcfg"
	"tailscale.com/tstest/integration/testcontrol"
	"tailscale.com/types/key"
	"tailscale.com/types/logger"

	"flowtally/tailnet/authority"
	"flowtally/tailnet/lab"
)

// Domain is the MagicDNS domain: a node's name is its host name, a dot and this.
const Domain = "lab.ts.net"

const (
	controlPort = 8080
	derpPort    = 3340
	stunPort    = 3478
	derpName    = "derp.lab"
)

// Place is where the services listen.
type Place struct {
	In       *lab.Namespace
	IPv4     netip.Addr
	IPv6     netip.Addr
	Security *authority.Authority
	Logf     func(format string, args ...any)
}

// Control is the running control plane. It ends with the process.
type Control struct {
	server *testcontrol.Server
	url    string

	mu           sync.Mutex
	capabilities tailcfg.NodeCapMap // of every node
}

// Start starts everything. Nodes get network flow logging, as if the tailnet's plan had it.
func Start(place Place) (*Control, error) {
	c := &Control{url: "http://" + net.JoinHostPort(place.IPv4.String(), strconv.Itoa(controlPort))}
	c.capabilities = tailcfg.NodeCapMap{tailcfg.CapabilityDataPlaneAuditLogs: nil}
	c.server = &testcontrol.Server{
		Logf:                   place.Logf,
		ExplicitBaseURL:        c.url,
		MagicDNSDomain:         Domain,
		DERPMap:                derpMap(place),
		AllOnline:              true,
		TagOwners:              map[string][]string{"tag:exit": nil, "tag:lab": nil},
		ModifyFirstMapResponse: c.turnLoggingOn,
	}
	if err := place.In.Do(func() error { return serveHTTP(place, controlPort, c.server, nil) }); err != nil {
		return nil, err
	}
	if err := startDERP(place); err != nil {
		return nil, err
	}
	return c, startSTUN(place)
}

// URL is for `tailscale up --login-server`.
func (c *Control) URL() string { return c.url }

// LogID is the private id under which a node's tailscaled uploads its network flow log.
func LogID(node key.NodePublic) string { return logID(node.String()) }

func logID(of string) string {
	sum := sha256.Sum256([]byte(of))
	return hex.EncodeToString(sum[:])
}

// turnLoggingOn adds to the first message of a session what the real control server sends a tailnet that has network
// flow logging, and puts it into the server's node, so that later messages have it too.
func (c *Control) turnLoggingOn(response *tailcfg.MapResponse, request *tailcfg.MapRequest) {
	id := LogID(request.NodeKey)
	if node := c.server.Node(request.NodeKey); node != nil && node.DataPlaneAuditLogID != id {
		node.DataPlaneAuditLogID = id
		c.server.UpdateNode(node)
	}
	c.mu.Lock()
	capabilities := maps.Clone(c.capabilities)
	c.mu.Unlock()
	c.server.SetNodeCapMap(request.NodeKey, capabilities)
	response.DomainDataPlaneAuditLogID = logID(Domain)
	response.Node.DataPlaneAuditLogID = id
	response.Node.CapMap = capabilities
}

// LogExitFlows turns the logging of exit traffic's destinations on or off, for all nodes.
func (c *Control) LogExitFlows(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.capabilities = maps.Clone(c.capabilities)
	delete(c.capabilities, tailcfg.NodeAttrLogExitFlows)
	if on {
		c.capabilities[tailcfg.NodeAttrLogExitFlows] = nil
	}
	for _, node := range c.server.AllNodes() {
		c.server.SetNodeCapMap(node.Key, maps.Clone(c.capabilities))
	}
}

// ApproveRoutes makes the node the primary router of these prefixes, which it must advertise too.
func (c *Control) ApproveRoutes(node key.NodePublic, prefixes ...netip.Prefix) {
	c.server.SetSubnetRoutes(node, prefixes)
}

func derpMap(place Place) *tailcfg.DERPMap {
	node := &tailcfg.DERPNode{
		Name:     "1a",
		RegionID: 1,
		HostName: derpName,
		IPv4:     place.IPv4.String(),
		IPv6:     place.IPv6.String(),
		STUNPort: stunPort,
		DERPPort: derpPort,
	}
	region := &tailcfg.DERPRegion{RegionID: 1, RegionCode: "lab", RegionName: "Lab", Nodes: []*tailcfg.DERPNode{node}}
	return &tailcfg.DERPMap{OmitDefaultRegions: true, Regions: map[int]*tailcfg.DERPRegion{1: region}}
}

func startDERP(place Place) error {
	config, err := place.Security.Server(derpName)
	if err != nil {
		return err
	}
	server := derpserver.New(key.NewNode(), place.Logf)
	mux := http.NewServeMux()
	mux.Handle("/derp", derpserver.Handler(server))
	mux.HandleFunc("/derp/probe", derpserver.ProbeHandler)
	mux.HandleFunc("/derp/latency-check", derpserver.ProbeHandler)
	mux.HandleFunc("/generate_204", derpserver.ServeNoContent)
	return place.In.Do(func() error { return serveHTTP(place, derpPort, mux, config) })
}

// serveHTTP serves on both addresses, for as long as the process lives. Called on the namespace's thread.
func serveHTTP(place Place, port int, handler http.Handler, config *tls.Config) error {
	for _, address := range []netip.Addr{place.IPv4, place.IPv6} {
		listener, err := net.Listen("tcp", netip.AddrPortFrom(address, uint16(port)).String())
		if err != nil {
			return err
		}
		server := &http.Server{Handler: handler, ErrorLog: logger.StdLogger(place.Logf)}
		if config != nil {
			// HTTP/1 only: DERP takes the connection over.
			config = config.Clone()
			config.NextProtos = []string{"http/1.1"}
			listener = tls.NewListener(listener, config)
		}
		go server.Serve(listener) //nolint:errcheck // ends with the process
	}
	return nil
}

func startSTUN(place Place) error {
	for _, address := range []netip.Addr{place.IPv4, place.IPv6} {
		var connection *net.UDPConn
		err := place.In.Do(func() (err error) {
			where := net.UDPAddrFromAddrPort(netip.AddrPortFrom(address, stunPort))
			connection, err = net.ListenUDP("udp", where)
			return err
		})
		if err != nil {
			return fmt.Errorf("STUN: %w", err)
		}
		go answerSTUN(connection)
	}
	return nil
}

func answerSTUN(connection *net.UDPConn) {
	buffer := make([]byte, 2048)
	for {
		length, from, err := connection.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		if id, err := stun.ParseBindingRequest(buffer[:length]); err == nil {
			_, _ = connection.WriteToUDPAddrPort(stun.Response(id, from), from)
		}
	}
}
