// Package traffic makes the packets of the test. Each function sends a bounded amount and returns when the last answer
// has come. Where the number of packets on the wire is known beforehand it is given back: a second opinion beside
// Tailscale's own log.
package traffic

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"tailscale.com/types/ipproto"
	"tailscale.com/types/netlogtype"

	"flowtally/tailnet/lab"
)

// Host is a machine and the addresses by which it is meant.
type Host struct {
	In   *lab.Namespace
	IPv4 netip.Addr
	IPv6 netip.Addr
}

// Path is a way from one host's address to another's, both of one family.
type Path struct {
	From, To *lab.Namespace
	Src, Dst netip.Addr
}

// IPv4 is the path between the IPv4 addresses.
func IPv4(from, to Host) Path { return Path{From: from.In, To: to.In, Src: from.IPv4, Dst: to.IPv4} }

// IPv6 is the path between the IPv6 addresses.
func IPv6(from, to Host) Path { return Path{From: from.In, To: to.In, Src: from.IPv6, Dst: to.IPv6} }

func (p Path) String() string { return fmt.Sprintf("%s to %s", p.Src, p.Dst) }

// Known is a flow as the sending node must have counted it.
type Known = netlogtype.ConnectionCounts

const (
	answerWait  = 5 * time.Second
	headersIPv4 = 20
	headersIPv6 = 40
	headerUDP   = 8
	headerICMP  = 8
	// socketBuffer is asked for where bursts are sent, so that none is lost at the receiving socket.
	socketBuffer = 4 << 20
	floodBuffer  = 64 << 20
)

func (p Path) ipHeader() int {
	if p.Src.Is4() {
		return headersIPv4
	}
	return headersIPv6
}

func (p Path) icmp() ipproto.Proto {
	if p.Src.Is4() {
		return ipproto.ICMPv4
	}
	return ipproto.ICMPv6
}

func (p Path) known(proto ipproto.Proto, srcPort, dstPort uint16, counts netlogtype.Counts) Known {
	return Known{
		Connection: netlogtype.Connection{Proto: proto, Src: netip.AddrPortFrom(p.Src, srcPort),
			Dst: netip.AddrPortFrom(p.Dst, dstPort)},
		Counts: counts,
	}
}

// Ping sends echo requests of `size` bytes of data and fails if one is not answered. Larger than the device's MTU they
// go as fragments, whose counts are not given back.
func Ping(p Path, count, size int) ([]Known, error) {
	err := p.From.Run("ping", "-n", "-q", "-c", strconv.Itoa(count), "-i", "0.02", "-W", "3", "-s", strconv.Itoa(size),
		"-I", p.Src.String(), p.Dst.String())
	packet := p.ipHeader() + headerICMP + size
	if err != nil || packet > 1280 {
		return nil, err
	}
	packets, bytes := uint64(count), uint64(count*packet)
	return []Known{p.known(p.icmp(), 0, 0, netlogtype.Counts{TxPackets: packets, TxBytes: bytes, RxPackets: packets,
		RxBytes: bytes})}, nil
}

// udpSocket is bound to the address in the namespace.
func udpSocket(in *lab.Namespace, address netip.AddrPort) (connection *net.UDPConn, err error) {
	err = in.Do(func() error {
		connection, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(address))
		return err
	})
	if err == nil {
		err = errors.Join(connection.SetReadBuffer(socketBuffer), connection.SetWriteBuffer(socketBuffer))
	}
	return connection, err
}

// pair is a socket at each end of the path, both on the port.
func pair(p Path, port uint16) (near, far *net.UDPConn, err error) {
	if near, err = udpSocket(p.From, netip.AddrPortFrom(p.Src, port)); err != nil {
		return nil, nil, err
	}
	far, err = udpSocket(p.To, netip.AddrPortFrom(p.Dst, port))
	if err != nil {
		near.Close()
	}
	return near, far, err
}

// UDP sends datagrams of `size` bytes, each after the answer to the one before. Larger than the MTU they are
// fragments, whose counts are not given back.
func UDP(p Path, port uint16, count, size int) ([]Known, error) {
	near, far, err := pair(p, port)
	if err != nil {
		return nil, err
	}
	defer near.Close()
	defer far.Close()
	go echo(far)
	buffer := make([]byte, 65536)
	for i := range count {
		if _, err := near.WriteToUDPAddrPort(buffer[:size], netip.AddrPortFrom(p.Dst, port)); err != nil {
			return nil, err
		}
		_ = near.SetReadDeadline(time.Now().Add(answerWait))
		if length, _, err := near.ReadFromUDPAddrPort(buffer); err != nil || length != size {
			return nil, fmt.Errorf("answer %d of %v: %d bytes, %w", i, p, length, err)
		}
	}
	packet := p.ipHeader() + headerUDP + size
	if packet > 1280 {
		return nil, nil
	}
	packets, bytes := uint64(count), uint64(count*packet)
	return []Known{p.known(ipproto.UDP, port, port, netlogtype.Counts{TxPackets: packets, TxBytes: bytes,
		RxPackets: packets, RxBytes: bytes})}, nil
}

func echo(connection *net.UDPConn) {
	buffer := make([]byte, 65536)
	for {
		length, from, err := connection.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return
		}
		_, _ = connection.WriteToUDPAddrPort(buffer[:length], from)
	}
}

// Segments sends super-packets that the kernel hands to the TUN whole: `segments` datagrams of `size` bytes in one
// send (UDP_SEGMENT). Each send waits until all its datagrams have arrived.
func Segments(p Path, port uint16, sends, segments, size int) ([]Known, error) {
	near, far, err := pair(p, port)
	if err != nil {
		return nil, err
	}
	defer near.Close()
	defer far.Close()
	if err := setSegment(near, size); err != nil {
		return nil, err
	}
	buffer := make([]byte, 65536)
	for range sends {
		if _, err := near.WriteToUDPAddrPort(buffer[:segments*size], netip.AddrPortFrom(p.Dst, port)); err != nil {
			return nil, err
		}
		for range segments {
			_ = far.SetReadDeadline(time.Now().Add(answerWait))
			if _, _, err := far.ReadFromUDPAddrPort(buffer); err != nil {
				return nil, fmt.Errorf("datagrams of %v: %w", p, err)
			}
		}
	}
	packets := uint64(sends * segments)
	bytes := packets * uint64(p.ipHeader()+headerUDP+size)
	return []Known{p.known(ipproto.UDP, port, port, netlogtype.Counts{TxPackets: packets, TxBytes: bytes})}, nil
}

func setSegment(connection *net.UDPConn, size int) error {
	raw, err := connection.SyscallConn()
	if err != nil {
		return err
	}
	var failure error
	err = raw.Control(func(fd uintptr) {
		failure = unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_SEGMENT, size)
	})
	return errors.Join(err, failure)
}

// Flood sends as fast as the socket takes it, `count` times, and waits for nobody: more than tailscaled reads, so that
// the TUN's ring drops some. With `segments` above 1 each send is a super-packet. It gives the number of packets that
// the device was given.
func Flood(p Path, port uint16, count, segments, size int) (offered uint64, err error) {
	near, far, err := pair(p, port)
	if err != nil {
		return 0, err
	}
	defer near.Close()
	defer far.Close()
	go io.Copy(io.Discard, far) //nolint:errcheck // ends when far is closed
	if segments > 1 {
		if err := setSegment(near, size); err != nil {
			return 0, err
		}
	}
	// More than the device's ring holds, or the sender would be held back in time.
	if err := near.SetWriteBuffer(floodBuffer); err != nil {
		return 0, err
	}
	raw, err := near.SyscallConn()
	if err != nil {
		return 0, err
	}
	buffer, to := make([]byte, segments*size), sockaddr(netip.AddrPortFrom(p.Dst, port))
	var failure error
	err = raw.Write(func(fd uintptr) bool {
		for range count {
			err := unix.Sendto(int(fd), buffer, 0, to)
			if err == nil {
				offered += uint64(segments)
			} else if !errors.Is(err, syscall.EAGAIN) {
				failure = err
			}
		}
		return true
	})
	return offered, errors.Join(err, failure)
}

func sockaddr(address netip.AddrPort) unix.Sockaddr {
	if address.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(address.Port()), Addr: address.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(address.Port()), Addr: address.Addr().As16()}
}

// TCP sends `up` bytes one way and then `down` bytes the other way over one connection.
func TCP(p Path, port uint16, up, down int64) error {
	var listener net.Listener
	address := netip.AddrPortFrom(p.Dst, port).String()
	err := p.To.Do(func() (err error) {
		listener, err = net.Listen("tcp", address)
		return err
	})
	if err != nil {
		return err
	}
	defer listener.Close()
	served := make(chan error, 1)
	go func() { served <- serve(listener, up, down) }()

	var connection net.Conn
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(p.Src, 0)), Timeout: answerWait}
	err = p.From.Do(func() (err error) {
		connection, err = dialer.Dial("tcp", address) // an address, so it is dialled on this very thread
		return err
	})
	if err != nil {
		return err
	}
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.Copy(connection, io.LimitReader(zeros{}, up)); err != nil {
		return err
	}
	if got, err := io.Copy(io.Discard, connection); err != nil || got != down {
		return fmt.Errorf("%v: %d of %d bytes came back: %w", p, got, down, err)
	}
	return <-served
}

func serve(listener net.Listener, up, down int64) error {
	connection, err := listener.Accept()
	if err != nil {
		return err
	}
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.CopyN(io.Discard, connection, up); err != nil {
		return err
	}
	_, err = io.Copy(connection, io.LimitReader(zeros{}, down))
	return err
}

type zeros struct{}

func (zeros) Read(to []byte) (int, error) {
	clear(to)
	return len(to), nil
}

// Steady sends a datagram of `size` bytes every `pause`, both ways, until stop is closed; what the network cannot take
// is passed over. It tells how many it has sent from near to far.
func Steady(p Path, port uint16, size int, pause time.Duration, stop <-chan struct{}) (func() int, error) {
	near, far, err := pair(p, port)
	if err != nil {
		return nil, err
	}
	sent := make(chan int, 1)
	go func() {
		defer near.Close()
		defer far.Close()
		tick := time.NewTicker(pause)
		defer tick.Stop()
		buffer, count := make([]byte, size), 0
		for {
			select {
			case <-stop:
				sent <- count
				return
			case <-tick.C:
			}
			if _, err := near.WriteToUDPAddrPort(buffer, netip.AddrPortFrom(p.Dst, port)); err == nil {
				count++
			}
			_, _ = far.WriteToUDPAddrPort(buffer, netip.AddrPortFrom(p.Src, port))
		}
	}()
	return func() int { return <-sent }, nil
}

// Datagrams sends to an address at which nobody is.
func Datagrams(p Path, port uint16, count, size int) ([]Known, error) {
	near, err := udpSocket(p.From, netip.AddrPortFrom(p.Src, port))
	if err != nil {
		return nil, err
	}
	defer near.Close()
	for range count {
		if _, err := near.WriteToUDPAddrPort(make([]byte, size), netip.AddrPortFrom(p.Dst, port)); err != nil {
			return nil, err
		}
	}
	packets := uint64(count)
	return []Known{p.known(ipproto.UDP, port, port, netlogtype.Counts{TxPackets: packets,
		TxBytes: packets * uint64(p.ipHeader()+headerUDP+size)})}, nil
}
