package node

import (
	"io"
	"net"
	"os"
	"sync"
)

// Relay passes a Unix socket on, and can stop doing so: it makes tailscaled's LocalAPI unreachable while tailscaled
// itself goes on.
type Relay struct {
	path, to string

	mu       sync.Mutex
	listener net.Listener
	open     map[net.Conn]bool
}

// NewRelay gives a relay that does not listen yet.
func NewRelay(path, to string) *Relay { return &Relay{path: path, to: to, open: map[net.Conn]bool{}} }

// Connect makes the socket reachable.
func (r *Relay) Connect() error {
	_ = os.Remove(r.path)
	listener, err := net.Listen("unix", r.path)
	if err != nil {
		return err
	}
	// As tailscaled makes its own: every user may ask, and is told what it may know.
	if err := os.Chmod(r.path, 0o666); err != nil {
		return err
	}
	r.mu.Lock()
	r.listener = listener
	r.mu.Unlock()
	go r.accept(listener)
	return nil
}

// Cut takes the socket away and breaks all connections.
func (r *Relay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.listener != nil {
		r.listener.Close() // removes the socket's file too
		r.listener = nil
	}
	for connection := range r.open {
		connection.Close()
	}
	clear(r.open)
}

func (r *Relay) accept(listener net.Listener) {
	for {
		near, err := listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("unix", r.to)
		if err != nil {
			near.Close()
			continue
		}
		r.mu.Lock()
		r.open[near], r.open[far] = true, true
		r.mu.Unlock()
		go r.pass(near, far)
		go r.pass(far, near)
	}
}

func (r *Relay) pass(from, to net.Conn) {
	_, _ = io.Copy(to, from)
	from.Close()
	to.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, from)
	delete(r.open, to)
}
