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
import tempfile

import kubernetes_validate
import yaml

import facts
import spoiled

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CHART = ROOT / "scripts/deploy/helm/flowtally"
MANIFESTS = ROOT / "scripts/deploy/kubernetes"
VARIANTS = ("capabilities", "privileged")
VERSIONS = ("1.25", "1.31", kubernetes_validate.latest_version())
SECRETS = "/etc/flowtally/secrets"

faults = []


def fault(where, text):
    faults.append(f"{where}: {text}")


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
        yield f"{variant}.yaml", ["--set", f"variant={variant},namespace.create=true"]
        yield f"{variant}-detach.yaml", ["--set", f"variant={variant},namespace.create=true,detach=true"]


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
    """The chart's values with those of the file over them, as helm lays them: maps by keys, all else whole."""
    def over(below, above):
        if isinstance(below, dict) and isinstance(above, dict):
            return {**below, **{key: over(below.get(key), value) for key, value in above.items()}}
        return above
    values = over(yaml.safe_load((CHART / "values.yaml").read_text()), yaml.safe_load(file.read_text()))
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
            arguments = ["--values", str(file), "--set", f"variant={variant}"]
            lint = helm.run("lint", "--strict", "--quiet", str(CHART), *arguments)
            if lint.returncode != 0:
                fault(where, f"helm lint: {lint.stdout.strip()}{lint.stderr.strip()}")
            answer = helm.template(*arguments)
            if answer.returncode != 0:
                fault(where, answer.stderr.strip())
                continue
            objects = [thing for thing in yaml.safe_load_all(answer.stdout) if thing]
            values = values_of(file, variant)
            validate(where, objects)
            for fact in facts.FACTS:
                for text in fact(objects, values):
                    fault(where, f"{fact.__name__}: {text}")
            if binary:
                ask_program(where, binary, objects, values)
            count += 1
    return count


def check_controls(helm):
    """That what is checked can fail."""
    file = HERE / "accepted/sinks.yaml"
    for variant in VARIANTS:
        answer = helm.template("--values", str(file), "--set", f"variant={variant}")
        objects = [thing for thing in yaml.safe_load_all(answer.stdout) if thing]
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
        before, after = (facts.daemon_set([thing for thing in yaml.safe_load_all(
            helm.template("--values", str(file), *more).stdout) if thing]) for more in ([], ["--set", changed]))
        notes = [thing["spec"]["template"]["metadata"]["annotations"] for thing in (before, after)]
        if notes[0][f"checksum/{key}"] == notes[1][f"checksum/{key}"]:
            fault("control", f"changed {key} would restart no pod")


def check_refused(helm):
    files = sorted((HERE / "refused").glob("*.yaml"))
    for file in files:
        where = str(file.relative_to(ROOT))
        wanted = file.read_text().splitlines()[0].removeprefix("# says: ")
        answer = helm.template("--values", str(file))
        if answer.returncode == 0:
            fault(where, "is taken")
        elif "values don't meet the specifications of the schema" not in answer.stderr or wanted not in answer.stderr:
            fault(where, f"is refused, but not for {wanted!r}: {answer.stderr.strip()}")
    answer = helm.template(version="1.24")
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
    table = (ROOT / "docs/deploy-kubernetes.md").read_text()
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


def ask_program(where, binary, objects, values):
    """Has the program these options, and does it take this configuration?"""
    commands = [one["command"] for one in facts.containers(objects) if one["command"][0] == "flowtally"]
    commands += [one[probe]["exec"]["command"] for one in facts.containers(objects) for probe in
                 ("startupProbe", "livenessProbe", "readinessProbe") if probe in one]
    for command in commands:
        words = [word for word in command[1:] if re.fullmatch(r"[a-z]+", word) and word != "detached"]
        words = words[:2] if words[0] in ("config", "stream") else words[:1]
        page = subprocess.run([binary, *words, "--help"], capture_output=True, text=True, check=False)
        if page.returncode != 0:
            fault(where, f"the program has no {' '.join(words)}")
        for option in (word for word in command if word.startswith("--")):
            if not re.search(rf"(^|[\s,]){option}\b", page.stdout):
                fault(where, f"the program has no {' '.join(words)} {option}")
    if values["detach"]:
        return
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        text = facts.of_kind(objects, "ConfigMap")[0]["data"]["flowtally.yaml"]
        for name in set(values["secrets"]) | set(re.findall(rf"{SECRETS}/([\w.-]+)", text)):
            (place / name).write_text("secret")
            (place / name).chmod(0o600)
        (place / "flowtally.yaml").write_text(text.replace(SECRETS, folder))
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
        validate(name, [thing for thing in yaml.safe_load_all(text) if thing])
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--helm", required=True)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--binary")
    options = parser.parse_args()
    helm = Helm(options.helm)
    lint = helm.run("lint", "--strict", str(CHART))
    if lint.returncode != 0:
        fault("helm lint", lint.stdout.strip() + lint.stderr.strip())
    check_words()
    files = write_or_compare(helm, options.check)
    accepted = check_accepted(helm, options.binary)
    check_controls(helm)
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
