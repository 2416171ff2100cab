#!/usr/bin/env python3
"""Makes of a rendered DaemonSet what runs one node's pod of it by `podman kube play`, which knows no DaemonSet.

It is a Deployment NAME, with the DaemonSet's selector and pod template: podman makes the pod NAME-pod-0 of it and starts a
container that ended again, as a kubelet does. Before it comes a Pod NAME-start with the init containers, which has to end
well: in a Deployment podman 4.3 starts an init container too that has ended, again and again, and gives up after 20
seconds. A kubelet runs them once for a pod, and not when a container is started again.

    pod_of.py RENDERED --files FOLDER [--image NAME] [--name NAME] [--folder VOLUME=PATH]… [--config FILE]

What stays: containers, their order, commands, variables, security contexts, mounts, network. What is the cluster's work
is done here:
- A ConfigMap or Secret volume becomes a folder below FOLDER with the files, owner and mode that a kubelet gives them
  (root and fsGroup, the volume's defaultMode).
- --folder puts a hostPath elsewhere. One that is DirectoryOrCreate is made, as a kubelet does it.
- --config replaces the configuration.
- Probes are left out of the Pod, because podman runs them by systemd's timers: they are printed on stderr, one line
  `NAMEProbe: COMMAND` each, to be run by `podman exec`.
- The node is called this-node.
- seccompProfile becomes the annotation that podman 4 knows.
- Fields that say where a pod runs and that podman does not know are left out; those are named below, and any other
  field that is not known here is an error, so that nothing is left out unseen.
"""
import argparse
import base64
import os
import pathlib
import shlex
import sys

import yaml

# Of the scheduler, the cluster's names and accounts.
CLUSTER_ONLY = {"serviceAccountName", "automountServiceAccountToken", "enableServiceLinks", "dnsPolicy",
                "priorityClassName", "nodeSelector", "affinity", "tolerations", "imagePullSecrets"}
KEPT = {"hostNetwork", "initContainers", "containers", "volumes", "terminationGracePeriodSeconds", "securityContext"}
# Podman 4 knows the annotation that was before the field.
SECCOMP = {"Unconfined": "unconfined", "RuntimeDefault": "runtime/default"}
NODE = "this-node"
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")


def stop(text):
    sys.exit(f"pod_of: {text}")


def one_of(objects, kind, name=None):
    found = [thing for thing in objects if thing["kind"] == kind and name in (None, thing["metadata"]["name"])]
    if len(found) != 1:
        stop(f"there are {len(found)} {kind} {name or ''}")
    return found[0]


def contents(objects, volume):
    """The files of a ConfigMap or Secret volume, and their mode."""
    if "configMap" in volume:
        source = volume["configMap"]
        data = one_of(objects, "ConfigMap", source["name"])["data"]
        return {name: text.encode() for name, text in data.items()}, source["defaultMode"]
    source = volume["secret"]
    data = one_of(objects, "Secret", source["secretName"])["data"]
    return {name: base64.b64decode(text) for name, text in data.items()}, source["defaultMode"]


def write_volume(folder, files, mode, group):
    folder.mkdir(parents=True)
    for name, text in files.items():
        file = folder / name
        file.write_bytes(text)
        os.chown(file, 0, group)
        file.chmod(mode)
    # Where other volumes are mounted below: a kubelet makes these folders too.
    os.chown(folder, 0, group)
    folder.chmod(0o2755)


def host_path(volume, folders):
    place = dict(volume["hostPath"])
    place["path"] = folders.pop(volume["name"], place["path"])
    if place["type"] == "DirectoryOrCreate":
        pathlib.Path(place["path"]).mkdir(mode=0o755, parents=True, exist_ok=True)
        place["type"] = "Directory"
    return {"name": volume["name"], "hostPath": place}


def mount_points(spec, volumes, files):
    """Makes the folders for mounts inside of the volumes that are ours."""
    for container in spec.get("initContainers", []) + spec["containers"]:
        mounts = {mount["name"]: mount["mountPath"] for mount in container.get("volumeMounts", [])}
        for name in volumes:
            for path in mounts.values():
                if name in mounts and path.startswith(mounts[name] + "/"):
                    (files / name / path[len(mounts[name]) + 1:]).mkdir(parents=True, exist_ok=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("rendered")
    parser.add_argument("--files", required=True, type=pathlib.Path)
    parser.add_argument("--image")
    parser.add_argument("--name", default="flowtally")
    parser.add_argument("--folder", action="append", default=[])
    parser.add_argument("--config", type=pathlib.Path)
    options = parser.parse_args()

    objects = [thing for thing in yaml.safe_load_all(pathlib.Path(options.rendered).read_text()) if thing]
    daemon_set = one_of(objects, "DaemonSet")
    template = daemon_set["spec"]["template"]
    spec = {key: value for key, value in template["spec"].items() if key not in CLUSTER_ONLY}
    if set(spec) - KEPT:
        stop(f"these fields of the pod are not known here: {sorted(set(spec) - KEPT)}")
    group = spec.pop("securityContext", {}).get("fsGroup", 0)
    folders = dict(pair.split("=", 1) for pair in options.folder)

    volumes, written = [], []
    for volume in spec["volumes"]:
        if "hostPath" in volume:
            volumes.append(host_path(volume, folders))
            continue
        files, mode = contents(objects, volume)
        if volume["name"] == "config" and options.config:
            files = {"flowtally.yaml": options.config.read_bytes()}
        write_volume(options.files / volume["name"], files, mode, group)
        written.append(volume["name"])
        volumes.append({"name": volume["name"],
                        "hostPath": {"path": str((options.files / volume["name"]).resolve()), "type": "Directory"}})
    if folders:
        stop(f"no hostPath of these names: {sorted(folders)}")
    mount_points(spec, written, options.files)
    spec["volumes"] = volumes

    for container in spec.get("initContainers", []) + spec["containers"]:
        if options.image and container["name"] != "clean":
            container["image"] = options.image
        container["imagePullPolicy"] = "Never"
        for variable in container.get("env", []):
            if "valueFrom" in variable:
                if variable.pop("valueFrom") != {"fieldRef": {"fieldPath": "spec.nodeName"}}:
                    stop(f"the variable {variable['name']} comes from where podman has nothing")
                variable["value"] = NODE
        for probe in PROBES:
            if probe in container:
                print(f"{probe}: {shlex.join(container.pop(probe)['exec']['command'])}", file=sys.stderr)
    notes = {}
    for container in spec.get("initContainers", []) + spec["containers"]:
        profile = container["securityContext"].get("seccompProfile", {}).get("type")
        if profile:
            notes[f"container.seccomp.security.alpha.kubernetes.io/{container['name']}"] = SECCOMP[profile]
    yaml.safe_dump_all([start_of(options.name, spec, notes), deployment_of(options.name, daemon_set, spec, notes)],
                       sys.stdout, sort_keys=False)


def used(spec, containers):
    """The pod with these containers only, and the volumes that they mount."""
    names = {mount["name"] for one in containers for mount in one.get("volumeMounts", [])}
    return {**spec, "volumes": [volume for volume in spec["volumes"] if volume["name"] in names]}


def start_of(name, spec, notes):
    """Podman throws an init container away with its log when it ended, unless it is told that it is for always."""
    containers = spec.get("initContainers", [])
    return {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": f"{name}-start",
                         "annotations": {**notes, "io.podman.annotations.init.container.type": "always"}},
            "spec": {**used(spec, containers), "restartPolicy": "Never", "containers": []}}


def deployment_of(name, daemon_set, spec, notes):
    template = {"metadata": {"labels": daemon_set["spec"]["template"]["metadata"]["labels"], "annotations": notes},
                "spec": used({key: value for key, value in spec.items() if key != "initContainers"}, spec["containers"])}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
            "spec": {"replicas": 1, "selector": daemon_set["spec"]["selector"], "template": template}}


if __name__ == "__main__":
    main()
