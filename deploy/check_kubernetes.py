"""Checks the manifests as kubectl and helm render them. Run by deploy/check.

    check_kubernetes.py TOOLS

TOOLS is the folder that has kubectl and helm.
"""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import kubernetes_validate
import yaml

MANIFESTS = pathlib.Path(__file__).parent.resolve() / "kubernetes"
VERSIONS = ["1.29", "1.37"]
# No part of Kubernetes itself.
OTHERS = {"ServiceMonitor", "PodMonitor"}
# What can be applied: folders, and components of them.
RENDERED = [
    ["."],
    ["server"],
    ["pair", "io-uring"],
    ["server-daemonset"],
    ["server-daemonset", "io-uring"],
    ["server-daemonset", "handover"],
    ["client"],
    ["monitoring"],
]

problems = []


def wrong(what):
    problems.append(str(what))


def output(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        wrong(f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}")
        return ""
    return done.stdout


def documents(text):
    return [found for found in yaml.safe_load_all(text) if found]


def matches_the_schema(name, found):
    if found["kind"] in OTHERS:
        return
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(found, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            wrong(f"{name}: {version}: {'.'.join(map(str, error.path))}: {error.message}")


@contextlib.contextmanager
def folder(parts):
    """One folder, or one that adds components to it."""
    if len(parts) == 1:
        yield MANIFESTS / parts[0]
        return
    with tempfile.TemporaryDirectory() as made:
        resource, *components = (os.path.relpath(MANIFESTS / part, os.path.realpath(made)) for part in parts)
        text = yaml.safe_dump({"resources": [resource], "components": components})
        (pathlib.Path(made) / "kustomization.yaml").write_text(text)
        yield made


def kustomized(tools, parts):
    with folder(parts) as path:
        found = documents(output(tools / "kubectl", "kustomize", path))
    for one in found:
        matches_the_schema(" with ".join(parts), one)
    return found


def nothing_is_left_out():
    """Each file is part of something that is rendered."""
    reached = {(MANIFESTS / part).resolve() for parts in RENDERED for part in parts}
    for path in MANIFESTS.rglob("kustomization.yaml"):
        found = yaml.safe_load(path.read_text())
        names = found.get("resources", []) + found.get("components", [])
        for generator in found.get("configMapGenerator", []):
            names += generator.get("files", [])
        reached |= {(path.parent / name).resolve() for name in names}
    for path in [*MANIFESTS.rglob("*.yaml"), *MANIFESTS.rglob("*.toml")]:
        if (path.parent if path.name == "kustomization.yaml" else path) not in reached:
            wrong(f"{path}: part of nothing that check_kubernetes.py renders")
    json.loads((MANIFESTS / "seccomp/metalbond.json").read_text())


def main():
    tools = pathlib.Path(sys.argv[1])
    nothing_is_left_out()
    for parts in RENDERED:
        found = kustomized(tools, parts)
        kinds = [one["kind"] for one in found]
        # An empty cluster has no namespace for the rest.
        if parts == ["."] and kinds[:1] != ["Namespace"]:
            wrong(f"deploy/kubernetes does not begin with its namespace: {kinds}")
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(bool(problems))


main()
