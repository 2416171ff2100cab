package node

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"flowtally/tailnet/flowlog"
	"flowtally/tailnet/lab"
)

// Flowtally is the program under test, running in a node.
type Flowtally struct {
	process *lab.Process
	log     string // what it says
	output  string // its records
}

// agentUser is a user that no host knows.
const agentUser = 65532

// reachable tells whether every user may go into the folder.
func reachable(folder string) bool {
	for {
		info, err := os.Stat(folder)
		if err != nil || info.Mode()&0o001 == 0 {
			return false
		}
		above := filepath.Dir(folder)
		if above == folder {
			return true
		}
		folder = above
	}
}

// StartFlowtally starts `flowtally run` in the node and waits until it says that it is ready: it counts, or waits for
// the device. Its files begin with the given name.
func (n *Node) StartFlowtally(name string, args ...string) (*Flowtally, error) {
	f := &Flowtally{log: n.File(name + ".log"), output: n.File(name + ".ndjson")}
	command := []string{"run", "--no-journal", "--interface", Device, "--interval", "1s", "--output", f.output}
	if reachable(filepath.Dir(f.output)) {
		// The agent is nobody in particular, so tailscaled lets it read and nothing else. Its file is made for it.
		if err := os.WriteFile(f.output, nil, 0o644); err != nil {
			return nil, err
		}
		if err := os.Chown(f.output, agentUser, agentUser); err != nil {
			return nil, err
		}
		command = append(command, "--user", strconv.Itoa(agentUser))
	} else {
		fmt.Fprintf(os.Stderr, "%s: the agent stays root: other users cannot reach %s\n", n.Name, f.output)
	}
	command = append(command, args...)
	process, err := n.Start(f.log, nil, n.programs.Flowtally, command...)
	if err != nil {
		return nil, err
	}
	f.process = process
	return f, Eventually(20*time.Second, name+" of "+n.Name+" is ready", func() error {
		said := f.Said()
		if process.Exited() {
			return fmt.Errorf("it ended: %s", said)
		}
		if strings.Contains(said, "counting "+Device) || strings.Contains(said, "waiting for") {
			return nil
		}
		return fmt.Errorf("it has said only: %s", said)
	})
}

// Said gives all that flowtally has written to its log.
func (f *Flowtally) Said() string {
	text, _ := os.ReadFile(f.log)
	return string(text)
}

// Stop ends it in order and fails if it does not end with exit code 0.
func (f *Flowtally) Stop() error {
	if code := f.process.Stop(10 * time.Second); code != 0 {
		return fmt.Errorf("flowtally ended with exit code %d: %s", code, f.Said())
	}
	return nil
}

// Exited tells whether it has ended, which it must not do by itself.
func (f *Flowtally) Exited() bool { return f.process.Exited() }

// Records reads the whole lines that are written so far.
func (f *Flowtally) Records() ([]flowlog.Record, error) {
	text, err := os.ReadFile(f.output)
	if err != nil {
		return nil, err
	}
	var records []flowlog.Record
	lines := bufio.NewScanner(bytes.NewReader(text[:bytes.LastIndexByte(text, '\n')+1]))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var record flowlog.Record
		if err := json.Unmarshal(lines.Bytes(), &record); err != nil {
			return nil, fmt.Errorf("%s: %w: %s", f.output, err, lines.Text())
		}
		records = append(records, record)
	}
	return records, lines.Err()
}
