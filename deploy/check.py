"""Checks of alerts, dashboard and SBOM that no tool does by itself. Run by deploy/check.

    check.py PROMTOOL SBOM METRICS...

SBOM is the bill of materials from the package. METRICS are files with the answers of a reflector and a leaf to /metrics.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib

import yaml

DEPLOY = pathlib.Path(__file__).parent
# The group of alerts on leaves.
LEAVES = "metalbond-leaves"
SUFFIX = re.compile(r"_(bucket|count|sum)$")

problems = []


def wrong(what):
    problems.append(str(what))


def documents(path):
    return [found for found in yaml.safe_load_all(path.read_text()) if found]


def expressions(node):
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "expr":
                yield value
            else:
                yield from expressions(value)
    elif isinstance(node, list):
        for value in node:
            yield from expressions(value)


def promtool(program, *arguments):
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    if done.returncode:
        wrong(f"promtool {' '.join(arguments)}: {done.stdout}{done.stderr}")


def dashboard(program, name):
    found = json.loads((DEPLOY / "grafana" / name).read_text())
    panels = found["panels"]
    if len({panel["id"] for panel in panels}) != len(panels):
        wrong(f"{name}: an id twice")
    rules = [
        {"record": f"panel:{number}", "expr": re.sub(r"\$\w+", "5m", expression)}
        for number, expression in enumerate(expressions(panels))
    ]
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}, file)
        file.flush()
        promtool(program, "check", "rules", file.name)


def alerts():
    headings = re.findall(r"^### (\w+)$", (DEPLOY / "../docs/operations.md").read_text(), re.M)
    tried = (DEPLOY / "prometheus/alerts.test.yaml").read_text()
    names = []
    for rules in documents(DEPLOY / "prometheus/alerts.yaml")[0]["groups"]:
        for rule in rules["rules"]:
            name = rule["alert"]
            names.append(name)
            # A heading's anchor is its name in small letters; that each has a heading is seen below.
            if rule["annotations"].get("runbook_url") != f"docs/operations.md#{name.lower()}":
                wrong(f"{name}: its runbook is another one's")
            if rules["name"] == LEAVES and rule["labels"]["severity"] == "critical":
                wrong(f"{name}: pages a person for a leaf")
            if f"alertname: {name}\n" not in tried:
                wrong(f"{name}: never tried")
    if names != headings:
        wrong(f"docs/operations.md describes {headings}, not {names}")


def metrics(program, files):
    """Names that are asked for are names that there are. Those about leaves: src/admin/leaf/metrics.rs, netlink/rows.rs."""
    there = set()
    for file in files:
        answer = pathlib.Path(file).read_text().rstrip() + "\n"
        done = subprocess.run([program, "check", "metrics"], input=answer, capture_output=True, text=True)
        if done.returncode:
            wrong(f"promtool check metrics {file}: {done.stdout}{done.stderr}")
        there |= {line.split()[2] for line in answer.splitlines() if line.startswith("# TYPE ")}
    asked = set()
    rules = (DEPLOY / "prometheus/alerts.yaml").read_text().partition(f"  - name: {LEAVES}\n")[0]
    for text in [(DEPLOY / "grafana/dashboard.json").read_text(), rules]:
        asked |= set(re.findall(r"\b(?:metalbond|process)_[a-z_]+", text))
    for name in sorted(asked):
        if name not in there and SUFFIX.sub("", name) not in there:
            wrong(f"there is no metric {name}")


def sbom(path):
    """It names crates of the lock file, with its checksums: those that are linked, and none that only tests use."""
    found = json.loads(pathlib.Path(path).read_text())
    manifest = tomllib.loads((DEPLOY / "../Cargo.toml").read_text())
    if found["metadata"]["component"]["version"] != manifest["workspace"]["package"]["version"]:
        wrong("the SBOM is of another version")
    locked = tomllib.loads((DEPLOY / "../Cargo.lock").read_text())["package"]
    locked = {(it["name"], it["version"]): it.get("checksum") for it in locked}
    named = {}
    for part in found["components"]:
        hashes = [it["content"] for it in part.get("hashes", []) if it["alg"] == "SHA-256"]
        named[part["name"], part["version"]] = hashes[0] if hashes else None
    for part, checksum in named.items():
        if locked.get(part, "none") != checksum:
            wrong(f"the SBOM names {part} with another checksum than Cargo.lock")
    names = {name for name, _ in named}
    for name in [*manifest["dependencies"], "rustls"]:
        if name not in names:
            wrong(f"the SBOM lacks {name}")
    for name in set(manifest["dev-dependencies"]) - set(manifest["dependencies"]):
        if name in names:
            wrong(f"the SBOM has {name}, which only tests use")
    if str(DEPLOY.parent.resolve()) in json.dumps(found):
        wrong("the SBOM names the folder that it was made in")


def main():
    program, parts, *answers = sys.argv[1:]
    sbom(parts)
    rules = DEPLOY / "prometheus"
    promtool(program, "check", "rules", str(rules / "alerts.yaml"))
    promtool(program, "test", "rules", str(rules / "alerts.test.yaml"))
    for name in ["dashboard.json", "leaves.json"]:
        dashboard(program, name)
    alerts()
    metrics(program, answers)
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(bool(problems))


main()
