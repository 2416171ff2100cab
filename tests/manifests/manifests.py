#!/usr/bin/env python3
"""Goal: whatever values the chart takes, Kubernetes takes what it renders, and it has the rights that it should have;
values that make no sense are refused; the committed manifests are what the chart gives.

Method: the chart is rendered with each file of tests/manifests/accepted, in both variants, linted, validated strictly by
Kubernetes' own schemas of three versions, and held against tests/manifests/facts.py. tests/manifests/spoiled.py shows that
each fact can fail, a spoiled object that the schemas can. Each file of tests/manifests/refused has to be refused in the
words of its first line. Called by scripts/manifests.
"""
import argparse
import copy
import difflib
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile

import kubernetes_validate
import yaml

import facts
import spoiled

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CHART = ROOT / "scripts/deploy/helm/flowtally"
MANIFESTS = ROOT / "scripts/deploy/kubernetes"
DOCS = ROOT / "docs/deploy-kubernetes.md"
# What has to be given, whatever else is.
NEEDED = HERE / "needed.yaml"
VARIANTS = ("capabilities", "privileged")
# Nobody can own a name in .invalid (RFC 2606): whoever forgets to put a registry there pulls nothing.
PLACEHOLDER = "registry.invalid/"
VERSIONS = ("1.25", "1.31", kubernetes_validate.latest_version())
FILES = "/etc/flowtally"

faults = []


def fault(where, text):
    faults.append(f"{where}: {text}")


class OnceOnly(yaml.SafeLoader):
    """Kubernetes refuses a key that is there twice; PyYAML takes the last one."""
    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise yaml.constructor.ConstructorError(problem=f"{twice} twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep=deep)


def objects_of(where, text):
    try:
        return [thing for thing in yaml.load_all(text, OnceOnly) if thing]
    except yaml.YAMLError as error:
        fault(where, f"is no YAML that Kubernetes takes: {error}")
        return [thing for thing in yaml.safe_load_all(text) if thing]


class Helm:
    def __init__(self, program):
        self.program = program

    def run(self, *arguments):
        return subprocess.run([self.program, *arguments], capture_output=True, text=True, check=False)

    def template(self, *arguments, version="1.31"):
        return self.run("template", "flowtally", str(CHART), "--namespace", "flowtally",
                        "--kube-version", f"{version}.0" if version.count(".") == 1 else version, *arguments)


def rendered_files():
    """Each manifest that is committed, and the values it is of."""
    for variant in VARIANTS:
        common = f"variant={variant},namespace.create=true,image.repository={PLACEHOLDER}flowtally"
        yield f"{variant}.yaml", ["--set", common]
        yield f"{variant}-detach.yaml", ["--set", f"{common},detach=true"]


def manifest_text(helm, name, arguments):
    answer = helm.template(*arguments)
    if answer.returncode != 0:
        fault(name, answer.stderr.strip())
        return ""
    # Helm's own marks would be wrong here: who applies this has no helm.
    text = re.sub(r"^    (app.kubernetes.io/managed-by|helm.sh/chart): .*\n", "", answer.stdout, flags=re.MULTILINE)
    text = re.sub(r"^# Source: .*\n", "", text, flags=re.MULTILINE)
    return ("# Rendered by scripts/manifests from the chart flowtally; docs/deploy-kubernetes.md tells how to use it.\n"
            + text.rstrip() + "\n")


def values_of(file, variant):
    """The chart's values with those of the file over them, as helm lays them: maps by keys, all else whole, and null
    takes away what holds by default."""
    def over(below, above):
        if isinstance(below, dict) and isinstance(above, dict):
            both = {**below, **{key: over(below.get(key), value) for key, value in above.items()}}
            return {key: value for key, value in both.items() if value is not None or key not in below}
        return above
    values = {}
    for part in (CHART / "values.yaml", NEEDED, file):
        values = over(values, yaml.safe_load(part.read_text()))
    values["variant"] = variant
    values["appVersion"] = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    return values


def validate(where, objects, versions=VERSIONS):
    for version in versions:
        for thing in objects:
            try:
                kubernetes_validate.validate(thing, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                at = ".".join(str(step) for step in error.path)
                fault(where, f"Kubernetes {version} refuses {thing['kind']} at {at}: {error.message}")


def check_accepted(helm, binary):
    count = 0
    files = sorted((HERE / "accepted").glob("*.yaml"))
    for file in files:
        for variant in VARIANTS:
            where = f"{file.relative_to(ROOT)} ({variant})"
            arguments = ["--values", str(NEEDED), "--values", str(file), "--set", f"variant={variant}"]
            lint = helm.run("lint", "--strict", "--quiet", str(CHART), *arguments)
            if lint.returncode != 0:
                fault(where, f"helm lint: {lint.stdout.strip()}{lint.stderr.strip()}")
            answer = helm.template(*arguments)
            if answer.returncode != 0:
                fault(where, answer.stderr.strip())
                continue
            objects = objects_of(where, answer.stdout)
            values = values_of(file, variant)
            validate(where, objects)
            for fact in facts.FACTS:
                for text in fact(objects, values):
                    fault(where, f"{fact.__name__}: {text}")
            if binary:
                ask_program(where, binary, objects, values)
            count += 1
    return count


def check_controls(helm, binary):
    """That what is checked can fail."""
    for command in ("rest", "config chek", "run --bpff"):
        if binary and not unknown_in(binary, ["flowtally", *command.split()]):
            fault("control", f"a program that has no `{command}` is taken for one that has")
    file = HERE / "accepted/sinks.yaml"
    given = ["--values", str(NEEDED), "--values", str(file)]
    for variant in VARIANTS:
        answer = helm.template(*given, "--set", f"variant={variant}")
        objects = objects_of("control", answer.stdout)
        for name in spoiled.undetected(objects, values_of(file, variant)):
            fault("spoiled.py", f"{name} does not see that a rendering is spoiled ({variant})")
        for version in VERSIONS:
            wrong = copy.deepcopy(facts.daemon_set(objects))
            wrong["spec"]["template"]["spec"]["hostnetwork"] = True
            try:
                kubernetes_validate.validate(wrong, version, strict=True)
                fault("control", f"the schemas of Kubernetes {version} take an unknown key")
            except kubernetes_validate.ValidationError:
                pass
    # A changed configuration or secret has to be another pod, or nobody would read it.
    for key, changed in (("config", "config.capture.interval=1h"), ("secrets", "secrets.splunk-token=other")):
        before, after = (facts.daemon_set(objects_of("control", helm.template(*given, *more).stdout))
                         for more in ([], ["--set", changed]))
        notes = [thing["spec"]["template"]["metadata"]["annotations"] for thing in (before, after)]
        if notes[0][f"checksum/{key}"] == notes[1][f"checksum/{key}"]:
            fault("control", f"changed {key} would restart no pod")


def check_refused(helm):
    files = sorted((HERE / "refused").glob("*.yaml"))
    for file in files:
        where = str(file.relative_to(ROOT))
        wanted = file.read_text().splitlines()[0].removeprefix("# says: ")
        answer = helm.template("--values", str(NEEDED), "--values", str(file))
        by_us = ("values don't meet the specifications of the schema", "execution error at (flowtally/templates/")
        if answer.returncode == 0:
            fault(where, "is taken")
        elif not any(said in answer.stderr for said in by_us) or wanted not in answer.stderr:
            fault(where, f"is refused, but not for {wanted!r}: {answer.stderr.strip()}")
    answer = helm.template("--values", str(NEEDED), version="1.24")
    if "requires kubeVersion" not in answer.stderr:
        fault("Chart.yaml", "a Kubernetes that is too old is not refused")
    return len(files)


def check_words():
    """Every value has a comment and stands in the schema; the schema knows no other; the versions agree."""
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())

    def same(where, value, part):
        known = part.get("properties")
        if known is None or not isinstance(value, dict):
            return
        if part.get("additionalProperties") is not False:
            fault("values.schema.json", f"{where or 'the top'} takes unknown keys")
        if not where and set(known) - {"global"} != set(value):
            fault("values.schema.json", f"values.yaml has {sorted(value)}")
        for key in set(value) & set(known):
            same(f"{where}.{key}".lstrip("."), value[key], known[key])
    same("", values, schema)
    lines = (CHART / "values.yaml").read_text().splitlines()
    for number, line in enumerate(lines):
        if re.match(r"[a-zA-Z]\w*:", line) and not commented(lines, number):
            fault(f"values.yaml:{number + 1}", "has no comment above it")
    version = re.search(r"^project\(flowtally VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text(), re.MULTILINE)
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    if chart["appVersion"] != version.group(1):
        fault("Chart.yaml", f"appVersion is {chart['appVersion']}, the program's is {version.group(1)}")
    table = DOCS.read_text()
    for name in values:
        if not re.search(rf"^\| `{name}[`.]", table, re.MULTILINE):
            fault("docs/deploy-kubernetes.md", f"the table of values has no {name}")


def commented(lines, number):
    """A comment stands above, or above the first of a group, or each key below has one of its own."""
    while number > 0 and re.match(r"[a-zA-Z]\w*:", lines[number - 1]):
        number -= 1
    if number > 0 and lines[number - 1].startswith("#"):
        return True
    return number + 1 < len(lines) and lines[number + 1].startswith("  #")


def unknown_in(binary, command):
    """What of the command the program does not have. Before --help it takes any word: its page tells what it took."""
    words = " ".join(command[1:3] if command[1] == "config" else command[1:2])
    page = subprocess.run([binary, *words.split(), "--help"], capture_output=True, text=True, check=False).stdout
    if not re.search(rf"^Usage: flowtally {words}( \[|$)", page, re.MULTILINE):
        return [words]
    return [f"{words} {option}" for option in command if option.startswith("--")
            and not re.search(rf"(^|[\s,]){option}\b", page)]


def ask_program(where, binary, objects, values):
    """Has the program these commands and options, and does it take this configuration?"""
    commands = [one["command"] for one in facts.containers(objects) if one["command"][0] == "flowtally"]
    commands += [one[probe]["exec"]["command"] for one in facts.containers(objects) for probe in
                 ("startupProbe", "livenessProbe", "readinessProbe") if probe in one]
    for unknown in (what for command in commands for what in unknown_in(binary, command)):
        fault(where, f"the program has no {unknown}")
    if values["detach"]:
        return
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        text = facts.of_kind(objects, "ConfigMap")[0]["data"]["flowtally.yaml"]
        # Files are there only where `config` has something mounted.
        mounts = [mount["mountPath"] for mount in facts.container(objects, "config")["volumeMounts"]]
        for name in set(re.findall(rf"{FILES}/([\w./-]+)", text)):
            file = place / name
            if not any(at != FILES and f"{FILES}/{name}".startswith(at + "/") for at in mounts):
                continue
            file.parent.mkdir(exist_ok=True)
            file.write_text("secret")
            file.chmod(0o600)
        (place / "flowtally.yaml").write_text(text.replace(FILES, folder))
        env = facts.container(objects, "flowtally").get("env", [])
        variables = {one["name"]: one.get("value", "value") for one in env}
        answer = subprocess.run([binary, "config", "check", str(place / "flowtally.yaml")],
                                env=variables, capture_output=True, text=True, check=False)
        if answer.returncode != 0:
            fault(where, f"flowtally config check: {answer.stdout.strip()}{answer.stderr.strip()}")


def write_or_compare(helm, check):
    wanted = {name: manifest_text(helm, name, arguments) for name, arguments in rendered_files()}
    for name, text in wanted.items():
        file = MANIFESTS / name
        validate(name, objects_of(name, text))
        if not check:
            MANIFESTS.mkdir(exist_ok=True)
            file.write_text(text)
            continue
        committed = file.read_text() if file.exists() else ""
        if committed != text:
            lines = difflib.unified_diff(committed.splitlines(), text.splitlines(), str(file.relative_to(ROOT)),
                                         "what the chart gives", lineterm="")
            fault(name, "is not what the chart gives; run scripts/manifests\n" + "\n".join(list(lines)[:40]))
    if check:
        for file in MANIFESTS.glob("*.yaml"):
            if file.name not in wanted:
                fault(file.name, "comes from nowhere")
    return len(wanted)


def check_package(helm):
    """The chart can be packed, and who has nothing but the package finds what it is and its license."""
    with tempfile.TemporaryDirectory() as folder:
        answer = helm.run("package", str(CHART), "--destination", folder)
        packed = list(pathlib.Path(folder).glob("*.tgz"))
        if answer.returncode != 0 or len(packed) != 1:
            fault("helm package", answer.stdout.strip() + answer.stderr.strip())
            return
        readme = helm.run("show", "readme", str(packed[0])).stdout
        if readme.strip() != (CHART / "README.md").read_text().strip():
            fault("helm show readme", "does not show the chart's README.md")
        with tarfile.open(packed[0]) as archive:
            names = set(archive.getnames())
            text = archive.extractfile("flowtally/LICENSE").read() if "flowtally/LICENSE" in names else b""
        if text != (ROOT / "LICENSE").read_bytes():
            fault("LICENSE", "the chart's is not the repository's")
        wanted = {f"flowtally/{file.relative_to(CHART)}" for file in CHART.rglob("[!.]*") if file.is_file()}
        if names != wanted:
            fault("helm package", f"has {sorted(names ^ wanted)} too much or too little")


def check_placeholder():
    """The committed manifests pull nothing until somebody puts a registry there, which the docs tell how to do."""
    for file in sorted(MANIFESTS.glob("*.yaml")):
        for image in re.findall(r"image: (\S+)", file.read_text()):
            if not image.startswith(PLACEHOLDER):
                fault(file.name, f"could be pulled from somewhere by mistake: {image}")
    lines = re.findall(r"^    sed '(s\|.*?)' scripts/deploy/kubernetes/", DOCS.read_text(), re.MULTILINE)
    if len(lines) != 2 or set(lines) != {f"s|{PLACEHOLDER}|REGISTRY/|"}:
        fault("docs/deploy-kubernetes.md", f"does not replace {PLACEHOLDER}: {lines}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--helm", required=True)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--binary")
    options = parser.parse_args()
    helm = Helm(options.helm)
    lint = helm.run("lint", "--strict", str(CHART), "--values", str(NEEDED))
    if lint.returncode != 0:
        fault("helm lint", lint.stdout.strip() + lint.stderr.strip())
    check_words()
    files = write_or_compare(helm, options.check)
    check_placeholder()
    check_package(helm)
    accepted = check_accepted(helm, options.binary)
    if not faults:  # or a good rendering to spoil is not to be had
        check_controls(helm, options.binary)
    refused = check_refused(helm)
    for text in faults:
        print(f"manifests: {text}", file=sys.stderr)
    if faults:
        return 1
    asked = "" if options.binary else "; no program to ask"
    print(f"manifests: {files} files {'agree' if options.check else 'written'}, {accepted} renderings valid for "
          f"Kubernetes {', '.join(VERSIONS)}, {refused} wrong values refused{asked}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
