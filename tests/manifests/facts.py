"""What must be true of whatever the chart renders, beyond what Kubernetes' own schema says.

Each fact is a function from the rendered objects and the values to a list of faults. manifests.py runs them all over
every rendering, and shows with spoiled renderings that each can fail.
"""
import re

OWN_CAPABILITIES = ["BPF", "NET_ADMIN", "PERFMON", "SETUID", "SETGID", "CHOWN"]
# Where pins are made, in the container: see what AppArmor forbids below.
BPFFS = "/bpf"
MOUNTS = {"bpffs": BPFFS, "state": "/var/lib/flowtally", "socket": "/run/flowtally",
          "tailscale": "/var/run/tailscale"}
TYPES = {"bpffs": "Directory", "state": "DirectoryOrCreate", "socket": "DirectoryOrCreate",
         "tailscale": "DirectoryOrCreate"}


def of_kind(objects, kind):
    return [thing for thing in objects if thing["kind"] == kind]


def daemon_set(objects):
    return of_kind(objects, "DaemonSet")[0]


def pod(objects):
    return daemon_set(objects)["spec"]["template"]["spec"]


def containers(objects):
    return pod(objects).get("initContainers", []) + pod(objects)["containers"]


def container(objects, name):
    return next((one for one in containers(objects) if one["name"] == name), None)


def only_what_is_needed_is_there(objects, values):
    wanted = {"DaemonSet"}
    if not values["detach"]:
        wanted.add("ConfigMap")
        if values["secrets"] and not values["existingSecret"]:
            wanted.add("Secret")
    if values["serviceAccount"]["create"]:
        wanted.add("ServiceAccount")
    if values["namespace"]["create"]:
        wanted.add("Namespace")
    if values["resourceQuota"]["create"]:
        wanted.add("ResourceQuota")
    kinds = [thing["kind"] for thing in objects]
    return [] if sorted(kinds) == sorted(wanted) else [f"kinds are {sorted(kinds)}, wanted {sorted(wanted)}"]


def nobody_can_ask_the_cluster(objects, _values):
    faults = []
    if pod(objects).get("automountServiceAccountToken") is not False:
        faults.append("the pod gets a token")
    for account in of_kind(objects, "ServiceAccount"):
        if account.get("automountServiceAccountToken") is not False:
            faults.append("the account gives tokens")
        if account["metadata"]["name"] != pod(objects)["serviceAccountName"]:
            faults.append("the pod has another account")
    return faults


def selector_finds_the_pods(objects, _values):
    wanted = daemon_set(objects)["spec"]["selector"]["matchLabels"]
    labels = daemon_set(objects)["spec"]["template"]["metadata"]["labels"]
    lost = {key for key, value in wanted.items() if labels.get(key) != value}
    return [f"the selector does not find the pods by {sorted(lost)}"] if lost else []


def the_pod_is_the_nodes(objects, values):
    spec = pod(objects)
    faults = []
    if spec.get("hostNetwork") is not True or spec.get("dnsPolicy") != "ClusterFirstWithHostNet":
        faults.append("not in the node's network, or without the cluster's names")
    if spec.get("hostPID") or spec.get("hostIPC"):
        faults.append("shares more with the node than its network")
    for key in ("tolerations", "nodeSelector"):
        if (spec.get(key) or type(values[key])()) != values[key]:
            faults.append(f"{key} are not those of the values")
    if spec.get("priorityClassName", "") != values["priorityClassName"]:
        faults.append("another priority")
    return faults


def a_quota_allows_the_priority(objects, values):
    faults = []
    for quota in of_kind(objects, "ResourceQuota"):
        wanted = {"scopeName": "PriorityClass", "operator": "In", "values": [pod(objects).get("priorityClassName")]}
        if quota["spec"].get("scopeSelector") != {"matchExpressions": [wanted]}:
            faults.append(f"the quota is for {quota['spec'].get('scopeSelector')}")
        if quota["spec"].get("hard") != {"pods": "1G"}:
            faults.append(f"the quota limits {quota['spec'].get('hard')}")
    if not values["priorityClassName"] and "priorityClassName" in pod(objects):
        faults.append("a priority that nobody asked for: clusters with a quota for it would admit no pod")
    return faults


def volumes_and_mounts_agree(objects, _values):
    volumes = [volume["name"] for volume in pod(objects)["volumes"]]
    faults = []
    if len(set(volumes)) != len(volumes):
        faults.append(f"a volume is there twice: {volumes}")
    used = set()
    for one in containers(objects):
        mounts = one.get("volumeMounts", [])
        used |= {mount["name"] for mount in mounts}
        paths = [mount["mountPath"] for mount in mounts]
        if len(set(paths)) != len(paths):
            faults.append(f"{one['name']} has two mounts at one place")
    if used != set(volumes):
        faults.append(f"volumes are {sorted(volumes)}, mounted are {sorted(used)}")
    return faults


def host_paths_are_those_of_the_values(objects, values):
    folders = values["hostPaths"]
    faults = []
    volumes = {volume["name"]: volume for volume in pod(objects)["volumes"]}
    for name, kind in TYPES.items():
        if values["detach"] and name != "bpffs":
            continue
        if volumes.get(name, {}).get("hostPath") != {"path": folders[name], "type": kind}:
            faults.append(f"{name} is not {folders[name]} of the node as {kind}")
    for one in containers(objects):
        for mount in one.get("volumeMounts", []):
            if mount["name"] in MOUNTS and mount["mountPath"] != MOUNTS[mount["name"]]:
                faults.append(f"{mount['name']} is mounted at {mount['mountPath']} in {one['name']}")
            if mount["name"] in ("tailscale", "config", "secrets") and not mount.get("readOnly"):
                faults.append(f"{one['name']} may write {mount['name']}")
    return faults


def rights_are_those_of_the_variant(objects, values):
    wanted = list(OWN_CAPABILITIES) + (["SYS_RESOURCE"] if values["kernelsBefore511"] else [])
    faults = []
    for name in ("check", "detach", "flowtally"):
        one = container(objects, name)
        if one is None or values["detach"] and name == "flowtally":
            continue
        context = one["securityContext"]
        if (context.get("runAsUser"), context.get("runAsGroup")) != (0, values["group"]):
            faults.append(f"{name} begins as another user than root in the agent's group")
        if not context.get("readOnlyRootFilesystem"):
            faults.append(f"{name} may write into its image")
        if values["variant"] == "privileged":
            # The API server refuses the two together.
            if context.get("privileged") is not True or "allowPrivilegeEscalation" in context:
                faults.append(f"{name} is not privileged, or the API server refuses it")
            continue
        if context.get("privileged") or context.get("allowPrivilegeEscalation") is not False:
            faults.append(f"{name} can get more rights")
        if context.get("capabilities") != {"drop": ["ALL"], "add": wanted}:
            faults.append(f"{name} has capabilities {context.get('capabilities')}")
        if context.get("seccompProfile") != values["seccompProfile"]:
            faults.append(f"{name} has seccomp {context.get('seccompProfile')}")
        if context.get("seLinuxOptions", {}) != values["seLinuxOptions"]:
            faults.append(f"{name} has another SELinux label")
    return faults


def what_touches_no_kernel_has_no_right(objects, values):
    faults = []
    for one in containers(objects):
        if one["name"] != "config" and not (values["detach"] and one["name"] == "flowtally"):
            continue
        context = one["securityContext"]
        if (context.get("privileged") or context.get("allowPrivilegeEscalation") is not False
                or context.get("capabilities") != {"drop": ["ALL"]} or context.get("runAsNonRoot") is not True
                or context.get("runAsUser") != values["user"]
                or context.get("seccompProfile") != {"type": "RuntimeDefault"}):
            faults.append(f"{one['name']} has rights")
    return faults


def apparmor_lets_pins_be_made(objects, _values):
    """The default profiles of Docker, containerd and podman have `deny /sys/fs/[^c]*/** wklx`."""
    faults = []
    for one in containers(objects):
        command = one["command"]
        if "bpffs" not in [mount["name"] for mount in one.get("volumeMounts", [])]:
            continue
        if command[2:4] != ["--bpffs", BPFFS]:
            faults.append(f"{one['name']} is not told where the BPF file system is: {command}")
        for mount in one["volumeMounts"]:
            if mount["name"] == "bpffs" and (mount["mountPath"] + "/").startswith("/sys/"):
                faults.append(f"{one['name']} may make no pins in {mount['mountPath']}")
    if not any(mount["name"] == "bpffs" for one in containers(objects) for mount in one.get("volumeMounts", [])):
        faults.append("nobody has the BPF file system")
    return faults


def whoever_reads_the_configuration_has_its_files(objects, values):
    """What comes by extraVolumes too: a secret from a CSI driver, certificates."""
    if values["detach"]:
        return []
    faults = []
    for name in ("config", "flowtally"):
        mounts = container(objects, name)["volumeMounts"]
        faults += [f"{name} has not {wanted['name']} at {wanted['mountPath']}"
                   for wanted in values["extraVolumeMounts"] if wanted not in mounts]
    return faults


def every_container_has_its_limits(objects, values):
    """A ResourceQuota of the namespace that asks for limits asks every container, those that come first too."""
    return [f"{one['name']} has the resources {one.get('resources')}" for one in containers(objects)
            if one.get("resources", {}) != values["resources"]]


def files_are_for_the_agent_and_nobody_else(objects, values):
    if values["detach"]:
        return []
    faults = []
    if pod(objects).get("securityContext", {}).get("fsGroup") != values["group"]:
        faults.append("files belong to another group")
    for volume in pod(objects)["volumes"]:
        for kind in ("configMap", "secret"):
            if volume["name"] in ("config", "secrets") and kind in volume and volume[kind]["defaultMode"] != 0o440:
                faults.append(f"{volume['name']} has mode {volume[kind]['defaultMode']:o}")
    return faults


def secrets_are_where_the_configuration_looks(objects, values):
    if values["detach"]:
        return []
    name = values["existingSecret"]
    if not name and values["secrets"]:
        name = of_kind(objects, "Secret")[0]["metadata"]["name"]
        if set(of_kind(objects, "Secret")[0]["data"]) != set(values["secrets"]):
            return ["the Secret has other names"]
    volumes = [volume["secret"]["secretName"] for volume in pod(objects)["volumes"] if volume["name"] == "secrets"]
    faults = [] if volumes == ([name] if name else []) else [f"secrets are of {volumes}, wanted {name}"]
    for one in containers(objects):
        mounts = [mount["mountPath"] for mount in one["volumeMounts"] if mount["name"] == "secrets"]
        if name and one["name"] in ("config", "flowtally") and mounts != ["/etc/flowtally/secrets"]:
            faults.append(f"{one['name']} has the secrets at {mounts}")
    texts = [text for thing in of_kind(objects, "ConfigMap") for text in thing["data"].values()]
    if any(secret.strip() in text for secret in values["secrets"].values() for text in texts):
        faults.append("a secret stands in the ConfigMap")
    return faults


def variables_are_there(objects, values):
    if values["detach"]:
        return []
    text = of_kind(objects, "ConfigMap")[0]["data"]["flowtally.yaml"]
    wanted = set(re.findall(r"\$\{(\w+)\}", text)) | {one["name"] for one in values["env"]}
    faults = []
    for name in ("config", "flowtally"):
        got = {one["name"] for one in container(objects, name).get("env", [])}
        if got != wanted:
            faults.append(f"{name} has the variables {sorted(got)}, wanted {sorted(wanted)}")
    return faults


def probes_ask_over_the_socket(objects, values):
    one = container(objects, "flowtally")
    faults = []
    for name in ("startup", "liveness", "readiness"):
        probe = one.get(f"{name}Probe")
        if values["detach"]:
            if probe is not None:
                faults.append(f"{name} asks an agent that is not there")
            continue
        asks = "--ready" if name == "readiness" else "--healthy"
        wanted = {"exec": {"command": ["flowtally", "status", asks]}, **values["probes"][name]}
        if probe != wanted:
            faults.append(f"the probe {name} is {probe}")
    return faults


def init_containers_come_in_order(objects, values):
    if values["detach"]:
        wanted = ["detach"] + (["clean"] if values["detachCleaner"] else [])
    else:
        wanted = ["config"] + (["check"] if values["check"] else [])
    names = [one["name"] for one in pod(objects)["initContainers"]]
    return [] if names == wanted else [f"init containers are {names}, wanted {wanted}"]


def images_are_those_of_the_values(objects, values):
    image = values["image"]
    wanted = image["repository"]
    wanted += f"@{image['digest']}" if image["digest"] else f":{image['tag'] or values['appVersion']}"
    faults = []
    for one in containers(objects):
        if one["image"] != (values["detachCleaner"] if one["name"] == "clean" else wanted):
            faults.append(f"{one['name']} is of {one['image']}")
        if one["imagePullPolicy"] != image["pullPolicy"]:
            faults.append(f"{one['name']} is pulled otherwise")
    return faults


def the_agent_is_told_its_user(objects, values):
    user = f"{values['user']}:{values['group']}"
    wanted = {"flowtally": ["flowtally", "run", "--bpffs", BPFFS, "--user", user],
              "check": ["flowtally", "check", "--bpffs", BPFFS, "--user", user],
              "config": ["flowtally", "config", "check"]}
    if values["detach"]:
        wanted = {"detach": ["flowtally", "detach", "--bpffs", BPFFS, "--wait", values["detachWait"]]}
    faults = []
    for name, command in wanted.items():
        one = container(objects, name)
        if one is not None and one["command"] != command:
            faults.append(f"{name} runs {one['command']}")
    if not values["detach"] and container(objects, "flowtally").get("args", []) != values["extraArgs"]:
        faults.append("other arguments than those of the values")
    return faults


def what_removes_rests_then(objects, values):
    one = container(objects, "flowtally")
    if (one["command"] == ["flowtally", "pause"]) != values["detach"]:
        return ["a pod that removes does not rest, or one that counts does"]
    return ["nobody types anything"] if one.get("stdin") or one.get("tty") else []


def an_update_replaces_and_never_adds(objects, values):
    strategy = daemon_set(objects)["spec"]["updateStrategy"]
    wanted = {"type": values["updateStrategy"]["type"]}
    if values["detach"]:
        wanted = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}}
    elif wanted["type"] == "RollingUpdate":
        wanted["rollingUpdate"] = {"maxUnavailable": values["updateStrategy"]["maxUnavailable"]}
    return [] if strategy == wanted else [f"the update strategy is {strategy}"]


FACTS = [fact for name, fact in list(globals().items())
         if callable(fact) and getattr(fact, "__module__", "") == __name__
         and name not in ("of_kind", "daemon_set", "pod", "containers", "container")]
