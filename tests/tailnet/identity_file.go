package main

import (
	"os"
	"strings"
	"text/template"

	"flowtally/tailnet/control"
	"flowtally/tailnet/node"
)

// identityFile is what the router's administrator would write where no tailscaled can be asked: what follows from it
// must be the same as what follows from tailscaled's answers. docs/formats/identity.md has the grammar.
var identityFile = template.Must(template.New("identity").Parse(`
node:
  id: {{.Self.ID}}
  name: {{.Self.Name}}
  addresses: ["{{.Self.IPv4}}", "{{.Self.IPv6}}"]
  os: linux
  user: {{.Self.User}}
advertised_routes: ["192.0.2.0/24", "2001:db8:2::/64"]
udp_ports: [41641]
peers:
  - id: {{.Client.ID}}
    name: {{.Client.Name}}
    addresses: ["{{.Client.IPv4}}", "{{.Client.IPv6}}"]
    os: linux
    user: {{.Client.User}}
    endpoints: ["10.77.0.11:41641", "[2001:db8:77::11]:41641"]
  - id: {{.Exit.ID}}
    name: {{.Exit.Name}}
    addresses: ["{{.Exit.IPv4}}", "{{.Exit.IPv6}}"]
    os: linux
    tags: ["tag:exit", "tag:lab"]
    endpoints: ["10.77.0.13:41641", "[2001:db8:77::13]:41641"]
`))

// person is a node as the identity file tells of it.
type person struct{ ID, Name, IPv4, IPv6, User string }

func (t *tailnet) person(n *node.Node) person {
	host := t.hosts[n]
	return person{
		ID:   string(t.byAddress[host.IPv4]),
		Name: n.Name + "." + control.Domain,
		IPv4: host.IPv4.String(),
		IPv6: host.IPv6.String(),
		User: "user-" + strings.TrimPrefix(n.Name, "n") + "@fake-control.example.net",
	}
}

// startAgentByFile starts a second agent on the router, which knows the tailnet by an identity file and asks no
// tailscaled.
func (t *tailnet) startAgentByFile() error {
	path := t.router.File("identity.yaml")
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	people := map[string]person{"Self": t.person(t.router), "Client": t.person(t.client), "Exit": t.person(t.exit)}
	if err := identityFile.Execute(file, people); err != nil {
		return err
	}
	run, err := t.router.StartFlowtally("flowtally-by-file", "--identity", path, "--underlay", underlay)
	t.agents = append(t.agents, agent{name: t.router.Name + " by file", on: t.router, Flowtally: run})
	return err
}
