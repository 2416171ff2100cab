package lab

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Process is a program that runs in a namespace, with its output in a file.
type Process struct {
	command *exec.Cmd
	done    chan struct{}
	err     error // valid after done
}

// Start starts a program in the namespace. Its output is appended to the file at log.
func (n *Namespace) Start(log string, environment []string, name string, args ...string) (*Process, error) {
	output, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer output.Close()
	command := exec.Command(name, args...)
	command.Stdout, command.Stderr = output, output
	command.Env = append(os.Environ(), environment...)
	if err := n.Do(func() error { return startBound(command) }); err != nil {
		return nil, fmt.Errorf("starting %s in %s: %w", name, n.Name, err)
	}
	p := &Process{command: command, done: make(chan struct{})}
	go func() {
		p.err = command.Wait()
		close(p.done)
	}()
	return p, nil
}

// startBound starts a process that is killed when the calling thread ends, in a process group of its own so that
// Ctrl-C reaches the test alone, which then ends it in order.
func startBound(command *exec.Cmd) error {
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	return command.Start()
}

// Signal sends a signal to this one process.
func (p *Process) Signal(signal os.Signal) error { return p.command.Process.Signal(signal) }

// Exited tells whether the process has ended.
func (p *Process) Exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Stop asks the process to end and kills it after the grace. It gives the exit code; -1 if a signal ended it.
func (p *Process) Stop(grace time.Duration) int {
	if !p.Exited() {
		_ = p.Signal(syscall.SIGTERM)
	}
	select {
	case <-p.done:
	case <-time.After(grace):
		_ = p.Signal(syscall.SIGKILL)
		<-p.done
	}
	return p.command.ProcessState.ExitCode()
}

// Kill ends the process without giving it a chance, and waits until it is gone.
func (p *Process) Kill() {
	_ = p.Signal(syscall.SIGKILL)
	<-p.done
}
