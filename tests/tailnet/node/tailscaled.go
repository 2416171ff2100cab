// Package node is one machine of the tailnet: an unmodified tailscaled in a namespace, with flowtally beside it.
package node

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"tailscale.com/client/local"
	"tailscale.com/ipn/ipnstate"
	"tailscale.com/types/key"

	"flowtally/tailnet/lab"
)

// Device is the name that tailscaled gives its TUN device.
const Device = "tailscale0"

// Programs are the paths of what is run in every node.
type Programs struct{ Tailscaled, Tailscale, Flowtally string }

// Node is a machine of the tailnet. Its name is that of its namespace.
type Node struct {
	*lab.Namespace
	programs  Programs
	directory string // state, socket, logs
	trust     string // the authority's certificate
	daemon    *lab.Process
	key       key.NodePublic
}

// New gives a node that runs nothing yet.
func New(in *lab.Namespace, programs Programs, directory, trust string) (*Node, error) {
	n := &Node{Namespace: in, programs: programs, directory: filepath.Join(directory, in.Name), trust: trust}
	return n, os.MkdirAll(n.directory, 0o755)
}

// Socket is where tailscaled serves its LocalAPI.
func (n *Node) Socket() string { return n.File("tailscaled.sock") }

// File names a file of the node.
func (n *Node) File(name string) string { return filepath.Join(n.directory, name) }

// Key is the node key; known after Up.
func (n *Node) Key() key.NodePublic { return n.key }

// StartDaemon starts tailscaled with a TUN device of its own and waits until it answers.
func (n *Node) StartDaemon() error {
	environment := []string{
		"SSL_CERT_FILE=" + n.trust,
		"SSL_CERT_DIR=/nonexistent",
		// Without iptables on the machine tailscaled chooses nftables by itself, which it speaks without a tool. Where
		// iptables is there it would be asked for kernel modules that a sandbox may lack.
		"TS_DEBUG_FIREWALL_MODE=nftables",
	}
	daemon, err := n.Start(n.File("tailscaled.log"), environment, n.programs.Tailscaled,
		"--statedir="+n.directory, "--state="+n.File("tailscaled.state"), "--socket="+n.Socket(), "--tun="+Device,
		"--port=41641")
	if err != nil {
		return err
	}
	n.daemon = daemon
	return Eventually(10*time.Second, "tailscaled of "+n.Name+" answers", func() error {
		if daemon.Exited() {
			return fmt.Errorf("it ended; see %s", n.File("tailscaled.log"))
		}
		_, err := n.Status()
		return err
	})
}

// KillDaemon ends tailscaled with SIGKILL.
func (n *Node) KillDaemon() { n.daemon.Kill() }

// StopDaemon ends tailscaled in order.
func (n *Node) StopDaemon() {
	if n.daemon != nil {
		n.daemon.Stop(5 * time.Second)
	}
}

// Status asks tailscaled for the tailnet as it sees it.
func (n *Node) Status() (*ipnstate.Status, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	client := local.Client{Socket: n.Socket(), UseSocketOnly: true}
	return client.Status(ctx)
}

// EndpointsOf asks tailscaled where the peer with the address is, as the control server told it.
func (n *Node) EndpointsOf(peer netip.Addr) ([]netip.AddrPort, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	client := local.Client{Socket: n.Socket(), UseSocketOnly: true}
	answer, err := client.WhoIs(ctx, peer.String())
	if err != nil {
		return nil, err
	}
	return answer.Node.Endpoints, nil
}

// Tailscale runs the command-line client.
func (n *Node) Tailscale(args ...string) error {
	return n.Run(n.programs.Tailscale, append([]string{"--socket=" + n.Socket()}, args...)...)
}

// Up joins the tailnet.
func (n *Node) Up(url string, args ...string) error {
	common := []string{"up", "--login-server=" + url, "--hostname=" + n.Name, "--accept-dns=false", "--timeout=30s"}
	if err := n.Tailscale(append(common, args...)...); err != nil {
		return err
	}
	status, err := n.Status()
	if err != nil {
		return err
	}
	n.key = status.Self.PublicKey
	return nil
}

// Eventually asks again and again until there is no error, or gives the last one after the deadline.
func Eventually(deadline time.Duration, what string, ask func() error) error {
	end := time.Now().Add(deadline)
	for {
		err := ask()
		if err == nil {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("not within %s: %s: %w", deadline, what, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// DroppedByDevice is how many buffers the TUN has not taken since it exists.
func (n *Node) DroppedByDevice() (uint64, error) {
	text, err := n.Output("ip", "-s", "-j", "link", "show", Device)
	if err != nil {
		return 0, err
	}
	var links []struct {
		Stats64 struct {
			Tx struct{ Dropped uint64 }
		}
	}
	if err := json.Unmarshal([]byte(text), &links); err != nil || len(links) != 1 {
		return 0, fmt.Errorf("answer of ip: %w: %s", err, text)
	}
	return links[0].Stats64.Tx.Dropped, nil
}
