// Package lab makes the machines of the test: network namespaces with links between them, and processes in them.
//
// A namespace has no name in the file system. It belongs to a thread of this process, and every process in it is
// killed when that thread ends; so nothing is left behind however the test ends, even by SIGKILL.
package lab

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Namespace is a network namespace with a mount namespace beside it, held by a thread of its own.
type Namespace struct {
	Name  string
	calls chan func()
	file  *os.File // the network namespace; `ip` is given it by path
}

// Bind is a file that is seen in place of another one, in the namespace only.
type Bind struct{ Source, Target string }

// NewNamespace makes a namespace with `lo` up. The binds are mounted in its mount namespace.
func NewNamespace(name string, binds ...Bind) (*Namespace, error) {
	n := &Namespace{Name: name, calls: make(chan func())}
	ready := make(chan error)
	go n.thread(binds, ready)
	if err := <-ready; err != nil {
		return nil, fmt.Errorf("namespace %s: %w", name, err)
	}
	return n, n.IP("link set lo up")
}

// thread never unlocks, so that the thread, which is in the namespace for good, goes with the goroutine.
func (n *Namespace) thread(binds []Bind, ready chan<- error) {
	runtime.LockOSThread()
	err := n.enterFresh(binds)
	ready <- err
	if err != nil {
		return
	}
	for call := range n.calls {
		call()
	}
}

func (n *Namespace) enterFresh(binds []Bind) error {
	if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	for _, bind := range binds {
		if err := unix.Mount(bind.Source, bind.Target, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mounting %s on %s: %w", bind.Source, bind.Target, err)
		}
	}
	file, err := os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()))
	n.file = file
	return err
}

// Do runs f on the namespace's thread: sockets that f makes and processes that it starts belong to the namespace.
// Calls come one after another, so f must not wait for anything.
func (n *Namespace) Do(f func() error) error {
	done := make(chan error)
	n.calls <- func() { done <- f() }
	return <-done
}

// Path names the network namespace for as long as this process lives.
func (n *Namespace) Path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), n.file.Fd()) }

// Run runs a command in the namespace to its end. The error has what it printed.
func (n *Namespace) Run(name string, args ...string) error {
	_, err := n.Output(name, args...)
	return err
}

// Output is Run that gives what was printed.
func (n *Namespace) Output(name string, args ...string) (string, error) {
	var text strings.Builder
	command := exec.Command(name, args...)
	command.Stdout, command.Stderr = &text, &text
	if err := n.Do(func() error { return startBound(command) }); err != nil {
		return "", fmt.Errorf("%s: %w", n.Name, err)
	}
	if err := command.Wait(); err != nil {
		return text.String(), fmt.Errorf("%s: %s %s: %w: %s", n.Name, name, strings.Join(args, " "), err,
			strings.TrimSpace(text.String()))
	}
	return text.String(), nil
}

// IP runs `ip` with words separated by spaces, one command after another.
func (n *Namespace) IP(commands ...string) error {
	for _, words := range commands {
		if err := n.Run("ip", strings.Fields(words)...); err != nil {
			return err
		}
	}
	return nil
}

// Sysctl writes a value below /proc/sys/net, which is that of the namespace of the writing thread.
func (n *Namespace) Sysctl(path, value string) error {
	return n.Do(func() error { return os.WriteFile("/proc/sys/net/"+path, []byte(value), 0) })
}
