"""One spoiled rendering for each fact, and more: that the facts can fail."""
import copy

import facts


def flowtally(objects):
    return facts.container(objects, "flowtally")


def volume(objects, name):
    return next(one for one in facts.pod(objects)["volumes"] if one["name"] == name)


def mount(one, name):
    return next(mounted for mounted in one["volumeMounts"] if mounted["name"] == name)


def without_bpffs(objects):
    for one in facts.containers(objects):
        one["volumeMounts"] = [mounted for mounted in one["volumeMounts"] if mounted["name"] != "bpffs"]


# (the fact that has to find it, what is done to a good rendering of tests/manifests/accepted/sinks.yaml)
SPOILS = [
    ("only_what_is_needed_is_there",
     lambda o: o.append({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {}})),
    ("nobody_can_ask_the_cluster", lambda o: facts.pod(o).pop("automountServiceAccountToken")),
    ("nobody_can_ask_the_cluster", lambda o: facts.pod(o).update(serviceAccountName="default")),
    ("selector_finds_the_pods",
     lambda o: facts.daemon_set(o)["spec"]["template"]["metadata"]["labels"].pop("app.kubernetes.io/instance")),
    ("the_pod_is_the_nodes", lambda o: facts.pod(o).update(hostNetwork=False)),
    ("the_pod_is_the_nodes", lambda o: facts.pod(o).update(hostPID=True)),
    ("the_pod_is_the_nodes", lambda o: facts.pod(o).pop("tolerations")),
    ("a_quota_allows_the_priority", lambda o: o.append({"kind": "ResourceQuota", "spec": {"hard": {"pods": "1G"}}})),
    ("a_quota_allows_the_priority",
     lambda o: o.append({"kind": "ResourceQuota", "spec": {"scopeSelector": {"matchExpressions": [
         {"scopeName": "PriorityClass", "operator": "In", "values": [None]}]}, "hard": {"pods": "1"}}})),
    ("a_quota_allows_the_priority", lambda o: facts.pod(o).update(priorityClassName="system-node-critical")),
    ("volumes_and_mounts_agree", lambda o: facts.pod(o)["volumes"].pop()),
    ("volumes_and_mounts_agree", lambda o: mount(flowtally(o), "state").update(mountPath="/bpf")),
    ("host_paths_are_those_of_the_values", lambda o: volume(o, "state")["hostPath"].update(path="/tmp")),
    ("host_paths_are_those_of_the_values", lambda o: mount(flowtally(o), "tailscale").pop("readOnly")),
    ("rights_are_those_of_the_variant",
     lambda o: flowtally(o)["securityContext"].setdefault("capabilities", {}).update(add=["SYS_ADMIN"])
     if "privileged" not in flowtally(o)["securityContext"]
     else flowtally(o)["securityContext"].update(allowPrivilegeEscalation=False)),
    ("rights_are_those_of_the_variant", lambda o: facts.container(o, "check")["securityContext"].pop("runAsGroup")),
    ("rights_are_those_of_the_variant", lambda o: flowtally(o)["securityContext"].pop("readOnlyRootFilesystem")),
    ("what_touches_no_kernel_has_no_right",
     lambda o: facts.container(o, "config")["securityContext"].update(runAsUser=0)),
    ("what_touches_no_kernel_has_no_right",
     lambda o: facts.container(o, "config")["securityContext"].pop("seccompProfile")),
    ("apparmor_lets_pins_be_made",
     lambda o: mount(facts.container(o, "check"), "bpffs").update(mountPath="/sys/fs/bpf")),
    ("apparmor_lets_pins_be_made", lambda o: flowtally(o).update(command=["flowtally", "run", "--user", "1:1"])),
    ("apparmor_lets_pins_be_made", without_bpffs),
    ("whoever_reads_the_configuration_has_its_files",
     lambda o: facts.container(o, "config")["volumeMounts"].remove(mount(facts.container(o, "config"), "tls"))),
    ("whoever_reads_the_configuration_has_its_files", lambda o: mount(flowtally(o), "tls").update(subPath="other")),
    ("every_container_has_its_limits", lambda o: facts.container(o, "config").pop("resources")),
    ("every_container_has_its_limits", lambda o: facts.container(o, "check")["resources"].pop("limits")),
    ("files_are_for_the_agent_and_nobody_else", lambda o: volume(o, "secrets")["secret"].update(defaultMode=0o444)),
    ("files_are_for_the_agent_and_nobody_else", lambda o: facts.pod(o)["securityContext"].pop("fsGroup")),
    ("secrets_are_where_the_configuration_looks",
     lambda o: mount(flowtally(o), "secrets").update(mountPath="/etc/secrets")),
    ("secrets_are_where_the_configuration_looks",
     lambda o: facts.of_kind(o, "ConfigMap")[0]["data"].update({"flowtally.yaml": 'token: a token: with "signs"'})),
    ("variables_are_there", lambda o: flowtally(o).pop("env")),
    ("probes_ask_over_the_socket", lambda o: flowtally(o).pop("livenessProbe")),
    ("probes_ask_over_the_socket", lambda o: flowtally(o)["readinessProbe"].update(periodSeconds=1)),
    ("init_containers_come_in_order", lambda o: facts.pod(o)["initContainers"].reverse()),
    ("images_are_those_of_the_values", lambda o: flowtally(o).update(image="flowtally:latest")),
    ("the_agent_is_told_its_user", lambda o: flowtally(o).update(command=["flowtally", "run"])),
    ("what_removes_rests_then",
     lambda o: flowtally(o).update(command=["flowtally", "pause"])),
    ("what_removes_rests_then", lambda o: flowtally(o).update(tty=True)),
    ("an_update_replaces_and_never_adds",
     lambda o: facts.daemon_set(o)["spec"]["updateStrategy"]["rollingUpdate"].update(maxSurge=1)),
]


def undetected(objects, values):
    """The names of the facts that do not see that a good rendering was spoiled, and of those that nothing spoils."""
    by_name = {fact.__name__: fact for fact in facts.FACTS}
    lost = sorted(set(by_name) - {name for name, _ in SPOILS})
    for name, spoil in SPOILS:
        spoiled = copy.deepcopy(objects)
        spoil(spoiled)
        if not by_name[name](spoiled, values):
            lost.append(name)
    return lost
