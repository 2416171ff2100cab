package node

import (
	"os"
	"slices"
	"strconv"
	"strings"
)

// DroppedBySockets is how many buffers the node's UDP sockets have had no room for, tailscaled's own among them. A
// buffer may be many datagrams, which the kernel has joined.
func (n *Node) DroppedBySockets() (uint64, error) {
	var ipv4, ipv6 []byte
	err := n.Do(func() (err error) {
		if ipv4, err = os.ReadFile("/proc/thread-self/net/snmp"); err == nil {
			ipv6, err = os.ReadFile("/proc/thread-self/net/snmp6")
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	return udpOverflows(string(ipv4)) + udp6Overflows(string(ipv6)), nil
}

// udpOverflows reads snmp: a line of names and a line of values, both of which begin with "Udp:".
func udpOverflows(text string) uint64 {
	var names []string
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] != "Udp:" {
			continue
		}
		if names == nil {
			names = words
			continue
		}
		if i := slices.Index(names, "RcvbufErrors"); i > 0 && i < len(words) {
			value, _ := strconv.ParseUint(words[i], 10, 64)
			return value
		}
	}
	return 0
}

// udp6Overflows reads snmp6: a name and a value in each line.
func udp6Overflows(text string) uint64 {
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); len(words) == 2 && words[0] == "Udp6RcvbufErrors" {
			value, _ := strconv.ParseUint(words[1], 10, 64)
			return value
		}
	}
	return 0
}
