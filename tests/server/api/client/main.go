// Command client holds the API against clients that know nothing of flowtally: Tailscale's official Go client,
// unmodified, over the Unix socket and over TCP, and the linter of Prometheus' own promtool.
//
//	client API_SERVER DIRECTORY RECORDS FLOWS
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	tailscale "tailscale.com/client/tailscale/v2"
)

const token = "0123456789abcdef0123456789abcdef"

// server is a running api_server.
type server struct {
	process *exec.Cmd
	stdin   io.Closer
	socket  string
	tcp     string
}

func start(binary, directory, records, flows string) (*server, error) {
	tokenFile := filepath.Join(directory, "token")
	if err := os.WriteFile(tokenFile, []byte(token+"\n"), 0o600); err != nil {
		return nil, err
	}
	socket := filepath.Join(directory, "api.sock")
	process := exec.Command(binary, directory, socket, records, flows, "127.0.0.1:0", tokenFile)
	process.Stderr = os.Stderr
	stdin, err := process.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := process.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	words := strings.Fields(line)
	if err != nil || len(words) != 3 || words[0] != "ready" {
		return nil, fmt.Errorf("api_server said %q: %w", line, err)
	}
	return &server{process: process, stdin: stdin, socket: socket, tcp: words[2]}, nil
}

func (s *server) stop() {
	s.stdin.Close()
	if err := s.process.Wait(); err != nil {
		fmt.Fprintln(os.Stderr, "api_server:", err)
	}
}

func (s *server) overSocket() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", s.socket)
		},
	}}
}

func localhost(host string) *url.URL { return &url.URL{Scheme: "http", Host: host} }

// sums are of everything that a listing has.
type sums struct {
	records, flows                         int
	txPackets, txBytes, rxPackets, rxBytes uint64
}

func (s *sums) add(log tailscale.NetworkFlowLog) error {
	if log.Logged.IsZero() || log.NodeID == "" || log.Start.IsZero() || !log.End.After(log.Start) {
		return fmt.Errorf("a record lacks logged, nodeId, start or end: %+v", log)
	}
	s.records++
	for _, list := range [][]tailscale.TrafficStats{log.VirtualTraffic, log.SubnetTraffic, log.ExitTraffic} {
		s.flows += len(list)
		for _, flow := range list {
			s.txPackets += flow.TxPkts
			s.txBytes += flow.TxBytes
			s.rxPackets += flow.RxPkts
			s.rxBytes += flow.RxBytes
		}
	}
	return nil
}

var (
	begin = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	far   = begin.Add(365 * 24 * time.Hour)
)

func list(client *tailscale.Client, from, to time.Time) (sums, error) {
	var all sums
	err := client.Logging().GetNetworkFlowLogs(context.Background(),
		tailscale.NetworkFlowLogsRequest{Start: from, End: to}, all.add)
	return all, err
}

// totals are what the records say of themselves, which is counted apart from the flows in them.
func totals(client *http.Client) (sums, error) {
	var all sums
	answer, err := client.Get("http://localhost/api/v2/tailnet/-/logging/network?start=" +
		begin.Format(time.RFC3339) + "&end=" + far.Format(time.RFC3339))
	if err != nil {
		return all, err
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		line := bytes.TrimPrefix(lines.Bytes(), []byte(`{"logs":[`))
		line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte(",")), []byte("]}"))
		var record struct {
			Accounting struct {
				Totals struct{ TxPkts, TxBytes, RxPkts, RxBytes uint64 }
			}
		}
		if err := json.Unmarshal(line, &record); err != nil {
			return all, err
		}
		all.records++
		all.txPackets += record.Accounting.Totals.TxPkts
		all.txBytes += record.Accounting.Totals.TxBytes
		all.rxPackets += record.Accounting.Totals.RxPkts
		all.rxBytes += record.Accounting.Totals.RxBytes
	}
	return all, lines.Err()
}

func checkLogs(s *server, client *tailscale.Client, records, flows int) error {
	started := time.Now()
	all, err := list(client, begin, far)
	if err != nil {
		return err
	}
	fmt.Printf("the Go client read %d records, %d flows in %.1f s: %+v\n", all.records, all.flows,
		time.Since(started).Seconds(), all)
	if all.records != records || all.flows != records*flows {
		return fmt.Errorf("%d records with %d flows are there, not what was written", all.records, all.flows)
	}
	said, err := totals(s.overSocket())
	if err != nil {
		return err
	}
	said.flows = all.flows
	if said != all {
		return fmt.Errorf("the flows add up to %+v, the records say %+v", all, said)
	}
	// Ranges that share a border, as TSFlow asks for them.
	border := begin.Add(time.Duration(records/2) * 5 * time.Second)
	before, err := list(client, begin, border)
	if err != nil {
		return err
	}
	after, err := list(client, border, far)
	if err != nil {
		return err
	}
	if before.records == 0 || after.records == 0 || before.records+after.records != records {
		return fmt.Errorf("%d records before the border and %d after it are not %d", before.records,
			after.records, records)
	}
	none, err := list(client, far, far.Add(time.Hour))
	if err != nil || none.records != 0 {
		return fmt.Errorf("a range without records has %d: %w", none.records, err)
	}
	return nil
}

// checkQuery asks for sums over all flows, which a query makes in its own way.
func checkQuery(s *server, client *tailscale.Client) error {
	all, err := list(client, begin, far)
	if err != nil {
		return err
	}
	answer, err := s.overSocket().Get("http://localhost/api/v1/query?" + url.Values{
		"start": {begin.Format(time.RFC3339)}, "end": {far.Format(time.RFC3339)},
		"filter": {"proto tcp and dst 100.64.0.0/10"}, "group_by": {"proto"},
	}.Encode())
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	var result struct {
		Rows []struct {
			Flows                            int
			TxPkts, TxBytes, RxPkts, RxBytes uint64
		}
	}
	if err := json.NewDecoder(answer.Body).Decode(&result); err != nil || len(result.Rows) != 1 {
		return fmt.Errorf("a query has %d rows: %w", len(result.Rows), err)
	}
	row := result.Rows[0]
	asked := sums{all.records, row.Flows, row.TxPkts, row.TxBytes, row.RxPkts, row.RxBytes}
	if asked != all {
		return fmt.Errorf("a query has %+v, the listing %+v", asked, all)
	}
	return nil
}

func checkErrors(client *tailscale.Client) error {
	if _, err := list(client, far, begin); err == nil || !strings.Contains(err.Error(), "HTTP 400") {
		return fmt.Errorf("an end before the start gave: %v", err)
	}
	if _, err := client.Logging().LogstreamConfiguration(context.Background(), tailscale.LogTypeNetwork); !tailscale.IsNotFound(err) {
		return fmt.Errorf("a stream that is not there gave: %v", err)
	}
	return nil
}

func checkDevices(client *tailscale.Client) error {
	devices, err := client.Devices().ListWithAllFields(context.Background())
	if err != nil {
		return err
	}
	if len(devices) != 3 {
		return fmt.Errorf("there are %d devices, not 3", len(devices))
	}
	first := devices[0]
	if first.NodeID != "nLab01CNTRL" || first.Name != "lab-n1.tailnet-lab.ts.net" || first.Hostname != "lab-n1" ||
		!first.Authorized || first.OS != "linux" || first.LastSeen == nil || len(first.Addresses) != 1 {
		return fmt.Errorf("the first device is %+v", first)
	}
	return nil
}

func checkMetrics(client *http.Client) error {
	answer, err := client.Get("http://localhost/metrics")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	problems, err := promlint.New(answer.Body).Lint()
	if err != nil {
		return err
	}
	for _, problem := range problems {
		err = errors.Join(err, fmt.Errorf("metric %s: %s", problem.Metric, problem.Text))
	}
	return err
}

func checkTCP(s *server, records, flows int) error {
	known := &tailscale.Client{BaseURL: localhost(s.tcp), APIKey: token}
	all, err := list(known, begin, far)
	if err != nil || all.records != records || all.flows != records*flows {
		return fmt.Errorf("over TCP there are %d records with %d flows: %w", all.records, all.flows, err)
	}
	unknown := &tailscale.Client{BaseURL: localhost(s.tcp), APIKey: "tskey-of-somebody-else"}
	if _, err := list(unknown, begin, far); err == nil || !strings.Contains(err.Error(), "HTTP 401") {
		return fmt.Errorf("a wrong token gave: %v", err)
	}
	return nil
}

func run(arguments []string) error {
	if len(arguments) != 5 {
		return errors.New("usage: client API_SERVER DIRECTORY RECORDS FLOWS")
	}
	records, err := strconv.Atoi(arguments[3])
	if err != nil {
		return err
	}
	flows, err := strconv.Atoi(arguments[4])
	if err != nil {
		return err
	}
	s, err := start(arguments[1], arguments[2], arguments[3], arguments[4])
	if err != nil {
		return err
	}
	defer s.stop()
	client := &tailscale.Client{BaseURL: localhost("localhost"), HTTP: s.overSocket()}
	return errors.Join(checkLogs(s, client, records, flows), checkQuery(s, client), checkErrors(client), checkStreams(client), checkDevices(client),
		checkMetrics(s.overSocket()), checkTCP(s, records, flows))
}

// streams are one of each kind, with every field that the kind has.
var streams = []tailscale.SetLogstreamConfigurationRequest{
	{DestinationType: tailscale.LogstreamSplunkEndpoint, URL: "https://siem:8088/services/collector/event", User: "u", Token: "secret"},
	{DestinationType: tailscale.LogstreamElasticEndpoint, URL: "https://siem:9200/flows/_bulk?pretty", User: "u", Token: "secret"},
	{DestinationType: tailscale.LogstreamPantherEndpoint, URL: "https://logs.example/http", Token: "secret"},
	{DestinationType: tailscale.LogstreamCriblEndpoint, URL: "https://cribl:10080", Token: "secret", CompressionFormat: tailscale.CompressionFormatNone},
	{DestinationType: tailscale.LogstreamDatadogEndpoint, URL: "https://http-intake.logs.example", Token: "secret"},
	{DestinationType: tailscale.LogstreamAxiomEndpoint, URL: "https://api.axiom.example/v1/datasets/d/ingest", Token: "secret", CompressionFormat: tailscale.CompressionFormatZstd},
	{DestinationType: tailscale.LogstreamS3Endpoint, URL: "https://s3.example", UploadPeriodMinutes: 5, CompressionFormat: tailscale.CompressionFormatGzip,
		S3Bucket: "b", S3Region: "r", S3KeyPrefix: "p/", S3AuthenticationType: tailscale.S3AccessKeyAuthentication, S3AccessKeyID: "id", S3SecretAccessKey: "secret"},
	{DestinationType: tailscale.LogstreamS3Endpoint, S3Bucket: "b", S3Region: "r", S3AuthenticationType: tailscale.S3RoleARNAuthentication,
		S3RoleARN: "arn:aws:iam::1:role/x", S3ExternalID: "e"},
	{DestinationType: tailscale.LogstreamGCSEndpoint, GCSBucket: "b", GCSKeyPrefix: "p/", GCSScopes: []string{"a", "b"}, GCSCredentials: `{"type":"service_account"}`},
	// As Terraform's provider sends them: empty values that have to come back too.
	{DestinationType: tailscale.LogstreamAxiomEndpoint, URL: "https://x.example", Token: "secret", CompressionFormat: tailscale.CompressionFormatNone, GCSScopes: []string{}},
}

// checkStreams puts each, gets it back as it was but for its secrets, and deletes it.
func checkStreams(client *tailscale.Client) error {
	ctx := context.Background()
	for _, logType := range []tailscale.LogType{tailscale.LogTypeNetwork, tailscale.LogTypeConfig} {
		for _, put := range streams {
			if err := client.Logging().SetLogstreamConfiguration(ctx, logType, put); err != nil {
				return fmt.Errorf("PUT %+v: %w", put, err)
			}
			got, err := client.Logging().LogstreamConfiguration(ctx, logType)
			if err != nil {
				return fmt.Errorf("GET %s: %w", put.DestinationType, err)
			}
			want := tailscale.LogstreamConfiguration{LogType: logType, DestinationType: put.DestinationType, URL: put.URL, User: put.User,
				UploadPeriodMinutes: put.UploadPeriodMinutes, CompressionFormat: put.CompressionFormat, S3Bucket: put.S3Bucket,
				S3Region: put.S3Region, S3KeyPrefix: put.S3KeyPrefix, S3AuthenticationType: put.S3AuthenticationType,
				S3AccessKeyID: put.S3AccessKeyID, S3RoleARN: put.S3RoleARN, S3ExternalID: put.S3ExternalID, GCSBucket: put.GCSBucket,
				GCSKeyPrefix: put.GCSKeyPrefix, GCSScopes: put.GCSScopes, GCSCredentials: put.GCSCredentials}
			if !reflect.DeepEqual(*got, want) {
				return fmt.Errorf("a stream came back as %+v, not %+v", *got, want)
			}
		}
		if err := client.Logging().DeleteLogstreamConfiguration(ctx, logType); err != nil {
			return err
		}
		if _, err := client.Logging().LogstreamConfiguration(ctx, logType); !tailscale.IsNotFound(err) {
			return fmt.Errorf("a deleted stream: %v, not 404", err)
		}
	}
	if err := client.Logging().SetLogstreamConfiguration(ctx, tailscale.LogTypeNetwork,
		tailscale.SetLogstreamConfigurationRequest{DestinationType: "nobody"}); err == nil {
		return errors.New("a stream to nobody was taken")
	}
	return nil
}

func main() {
	if err := run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("Tailscale's Go client and Prometheus' linter find nothing wrong")
}
