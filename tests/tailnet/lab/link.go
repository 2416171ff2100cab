package lab

import "fmt"

// Port is one end of a link: a device with addresses (each with its prefix length) in a namespace.
type Port struct {
	In        *Namespace
	Device    string
	Addresses []string
}

// Connect joins two ports by a veth pair and brings both up.
func Connect(a, b Port) error {
	if err := a.In.IP(fmt.Sprintf("link add %s type veth peer name %s netns %s", a.Device, b.Device,
		b.In.Path())); err != nil {
		return err
	}
	if err := a.raise(); err != nil {
		return err
	}
	return b.raise()
}

// Bridge makes a bridge with addresses; Plug puts a port's device on it.
func Bridge(port Port) error {
	if err := port.In.IP("link add " + port.Device + " type bridge"); err != nil {
		return err
	}
	return port.raise()
}

// Plug puts a device of the bridge's namespace on the bridge.
func Plug(bridge Port, device string) error {
	return bridge.In.IP(fmt.Sprintf("link set %s master %s", device, bridge.Device))
}

// raise gives the device its addresses. Without duplicate address detection (nodad, which means nothing to IPv4) an
// IPv6 address is usable at once.
func (p Port) raise() error {
	for _, address := range p.Addresses {
		if err := p.In.IP(fmt.Sprintf("address add %s dev %s nodad", address, p.Device)); err != nil {
			return err
		}
	}
	return p.In.IP(fmt.Sprintf("link set %s up", p.Device))
}
