// Package logsink stands in for Tailscale's log service: it takes what tailscaled uploads, keeps the network flow logs
// and acknowledges the rest.
package logsink

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"tailscale.com/types/logger"
	"tailscale.com/types/netlogtype"
	"tailscale.com/util/zstdframe"

	"flowtally/tailnet/authority"
	"flowtally/tailnet/lab"
)

// HostName is the name under which tailscaled looks for the log service; it cannot be configured.
const HostName = "log.tailscale.com"

const (
	flowCollection = "tailtraffic.log.tailscale.io"
	uploadMax      = 64 << 20 // bytes of one upload, compressed or not
)

// Sink keeps the records by the private log id of the node that sent them.
type Sink struct {
	directory string // raw records are kept here too, for whoever wants to look
	logf      func(format string, args ...any)

	mu      sync.Mutex
	records map[string][]netlogtype.Message
	faults  []string // uploads that were not understood
}

// Start listens on the HTTPS port of the address. It ends with the process.
func Start(in *lab.Namespace, address netip.Addr, security *authority.Authority, directory string,
	logf func(format string, args ...any)) (*Sink, error) {
	config, err := security.Server(HostName)
	if err != nil {
		return nil, err
	}
	s := &Sink{directory: directory, logf: logf, records: map[string][]netlogtype.Message{}}
	err = in.Do(func() error {
		listener, err := net.Listen("tcp", netip.AddrPortFrom(address, 443).String())
		if err != nil {
			return err
		}
		server := &http.Server{Handler: s, TLSConfig: config, ErrorLog: logger.StdLogger(logf)}
		go server.ServeTLS(listener, "", "") //nolint:errcheck // ends with the process
		return nil
	})
	return s, err
}

// ServeHTTP takes POST /c/COLLECTION/PRIVATE_ID.
func (s *Sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	s.logf("log sink: %s %s from %s", r.Method, r.URL.Path, r.RemoteAddr)
	if r.Method != http.MethodPost || len(parts) != 3 || parts[0] != "c" {
		http.Error(w, "not a log upload", http.StatusNotFound)
		return
	}
	if err := s.take(parts[1], parts[2], r); err != nil {
		s.mu.Lock()
		s.faults = append(s.faults, err.Error())
		s.mu.Unlock()
	}
	w.WriteHeader(http.StatusOK)
}

func (s *Sink) take(collection, id string, r *http.Request) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, uploadMax))
	if err != nil || collection != flowCollection {
		return err
	}
	if r.Header.Get("Content-Encoding") == "zstd" {
		if body, err = zstdframe.AppendDecode(nil, body, zstdframe.MaxDecodedSize(uploadMax)); err != nil {
			return fmt.Errorf("upload of %s: %w", id, err)
		}
	}
	entries, err := split(body)
	if err != nil {
		return fmt.Errorf("upload of %s: %w", id, err)
	}
	for _, entry := range entries {
		if err := s.keep(id, entry); err != nil {
			return fmt.Errorf("entry of %s: %w: %s", id, err, entry)
		}
	}
	return nil
}

// split gives the entries of an upload: an array, or one entry alone.
func split(body []byte) ([]json.RawMessage, error) {
	if !strings.HasPrefix(string(body), "[") {
		return []json.RawMessage{body}, nil
	}
	var entries []json.RawMessage
	err := json.Unmarshal(body, &entries)
	return entries, err
}

// keep takes an entry if it is a record; the log's own words, such as the first line of a stream, are no records.
func (s *Sink) keep(id string, entry json.RawMessage) error {
	var record netlogtype.Message
	if err := json.Unmarshal(entry, &record); err != nil {
		return err
	}
	if record.NodeID == "" {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records[id] = append(s.records[id], record)
	path := filepath.Join(s.directory, "tailscale-"+string(record.NodeID)+".ndjson")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.Write(append(entry, '\n'))
	return err
}

// Records gives what has come from a node so far.
func (s *Sink) Records(id string) []netlogtype.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]netlogtype.Message(nil), s.records[id]...)
}

// Faults gives what could not be read. Anything here makes the oracle useless.
func (s *Sink) Faults() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.faults...)
}
