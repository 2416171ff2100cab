// This program holds flowtally against the network flow log that Tailscale itself writes, on a real tailnet: three
// unmodified tailscaled with TUN devices, a subnet router and an exit node among them, in network namespaces without
// any way to the internet. It is run by scripts/test-tailnet; docs/testing-tailnet.md tells what is compared.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"time"

	"tailscale.com/types/netlogtype"

	"flowtally/tailnet/control"
	"flowtally/tailnet/flowlog"
	"flowtally/tailnet/node"
)

// Timings of Tailscale's log: a record is open for 5 s, and is uploaded 2 s later at most.
const (
	uploadWait    = 7500 * time.Millisecond
	settleTimeout = 30 * time.Second
	// Two spans meet this long before the settling ends: after the last record of the one, and longer before the next
	// one's first packet than a window of flowtally, in which that packet may be.
	cutBack = 1500 * time.Millisecond
)

func main() {
	var programs node.Programs
	directory := flag.String("directory", "", "where the run's files go; must be absent or empty")
	only := flag.String("only", "", "run the first scenario, and those whose names match this regular expression")
	keep := flag.Bool("keep", false, "leave the files of a good run too")
	list := flag.Bool("list", false, "list the scenarios and the exceptions")
	flag.StringVar(&programs.Tailscaled, "tailscaled", "", "tailscaled's path")
	flag.StringVar(&programs.Tailscale, "tailscale", "", "path of its command-line client")
	flag.StringVar(&programs.Flowtally, "flowtally", "", "path of the program under test")
	flag.Parse()
	if *list {
		listAll()
		return
	}
	wanted, err := regexp.Compile(*only)
	if err == nil {
		err = os.MkdirAll(*directory, 0o755)
	}
	if err == nil {
		*directory, err = filepath.Abs(*directory)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "test-tailnet:", err)
		os.Exit(2)
	}
	code := run(*directory, programs, wanted)
	if code == 0 && !*keep {
		_ = os.RemoveAll(*directory)
	}
	os.Exit(code)
}

func listAll() {
	for _, s := range scenarios {
		fmt.Printf("%-18s %s\n", s.name, s.about)
	}
	fmt.Println("\nknown differences:")
	for _, e := range exceptions(scenario{name: "killed", loggerRestarts: true}, &findings{}, nil) {
		fmt.Printf("%-21s %s\n", e.Name, e.Reason)
	}
}

// run gives the exit code: 0 all is well, 1 not.
func run(directory string, programs node.Programs, wanted *regexp.Regexp) int {
	begin := time.Now()
	progress := func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "%5.1fs "+format+"\n", append([]any{time.Since(begin).Seconds()}, args...)...)
	}
	stopped := make(chan os.Signal, 1)
	signal.Notify(stopped, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		// Processes and namespaces belong to this process's threads: they all go with it.
		received := <-stopped
		progress("stopped by %s", received)
		os.Exit(1)
	}()

	progress("building the lab")
	t, err := build(directory, programs)
	defer t.stop()
	if err != nil {
		progress("FAULT: %v", err)
		return 1
	}
	good, cut := true, begin
	for i, s := range scenarios {
		if i > 0 && !wanted.MatchString(s.name) {
			continue
		}
		var well bool
		progress("%s: %s", s.name, s.about)
		cut, well = t.play(s, cut)
		good = good && well
	}
	for _, a := range t.agents {
		if err := a.Stop(); err != nil {
			progress("FAULT: %s: %v", a.name, err)
			good = false
		}
	}
	if !good {
		progress("FAILED; the logs are in %s", directory)
		return 1
	}
	progress("flowtally's records agree with Tailscale's")
	return 0
}

// play runs a scenario whose span begins at `from`; it gives the span's end, and whether all was well.
func (t *tailnet) play(s scenario, from time.Time) (time.Time, bool) {
	f := newFindings(t, from)
	if err := s.run(t, f); err != nil {
		f.fault("%v", err)
	}
	t.settle()
	f.end(time.Now().Add(-cutBack))
	if s.after != nil {
		if err := s.after(t); err != nil {
			f.fault("%v", err)
		}
	}
	return f.to, f.judge(s, os.Stderr)
}

// settle waits until both logs have all of what has passed: until Tailscale must have uploaded it, and has. Where that
// does not come the judge will say what is missing.
func (t *tailnet) settle() {
	deadline := time.Now().Add(settleTimeout)
	begin := time.Now()
	for time.Now().Before(deadline) {
		time.Sleep(100 * time.Millisecond)
		last, uploaded := begin, true
		for _, a := range t.agents {
			records, err := a.Records()
			if err != nil {
				continue
			}
			records = flowlog.WithTraffic(records)
			if len(records) == 0 {
				continue
			}
			newest := records[len(records)-1]
			if newest.End.After(last) {
				last = newest.End
			}
			uploaded = uploaded && t.uploaded(a.on, newest.Start)
		}
		if uploaded && time.Now().After(last.Add(uploadWait)) {
			return
		}
	}
}

// uploaded tells whether the node's tailscaled has uploaded a record that ends after the moment.
func (t *tailnet) uploaded(n *node.Node, moment time.Time) bool {
	return slices.ContainsFunc(t.sink.Records(control.LogID(n.Key())), func(record netlogtype.Message) bool {
		return record.End.After(moment)
	})
}
