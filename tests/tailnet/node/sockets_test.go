package node

import "testing"

func TestOverflowsAreReadByName(t *testing.T) {
	snmp := "Ip: Forwarding\nIp: 1\n" +
		"Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors\n" +
		"Udp: 10 2 3 4 17 6\n" +
		"UdpLite: InDatagrams RcvbufErrors\nUdpLite: 0 99\n"
	if got := udpOverflows(snmp); got != 17 {
		t.Errorf("IPv4: %d", got)
	}
	if got := udp6Overflows("Udp6InDatagrams \t 5\nUdp6RcvbufErrors\t23\n"); got != 23 {
		t.Errorf("IPv6: %d", got)
	}
}
