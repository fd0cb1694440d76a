"""Checks the manifests as kubectl renders them, and that helm renders the same from the chart. Run by deploy/check.

    check_kubernetes.py TOOLS

TOOLS is the folder that has kubectl and helm.
"""

import contextlib
import difflib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import kubernetes_validate
import yaml

MANIFESTS = pathlib.Path(__file__).parent.resolve() / "kubernetes"
CHART = MANIFESTS.parent / "helm/metalbond"
ALERTS = MANIFESTS.parent / "prometheus/alerts.yaml"
VERSIONS = ["1.29", "1.37"]
# For the Prometheus operator, and no part of Kubernetes itself.
OTHERS = {"ServiceMonitor", "PodMonitor", "PrometheusRule"}
DIGEST = re.compile(r'("name": "metalbond-(?:client|proxy|server(?:-[ab])?))-[a-z0-9]{10}(?=")')
# What can be applied, folders and components of them, each with the chart's values that come to the same.
NO_SERVER = {"server": {"enabled": False}}
RENDERED = [
    (["."], {}),
    (["server"], {"server": {"instances": [{"name": ""}]}}),
    (["pair", "io-uring"], {"server": {"ioUring": True}}),
    (["server-daemonset"], {"server": {"kind": "DaemonSet"}}),
    (["server-daemonset", "io-uring"], {"server": {"kind": "DaemonSet", "ioUring": True}}),
    (["server-daemonset", "handover"], {"server": {"kind": "DaemonSet", "handover": True}}),
    (["client"], {**NO_SERVER, "client": {"enabled": True}}),
    (["proxy"], {**NO_SERVER, "proxy": {"enabled": True}}),
    (["proxy", "proxy-tls"], {**NO_SERVER, "proxy": {"enabled": True, "tlsSecret": "metalbond-proxy-tls"}}),
    (["monitoring"], {**NO_SERVER, "monitoring": {"enabled": True}}),
    (
        ["proxy", "monitoring", "proxy-metrics", "proxy-tls"],
        {
            **NO_SERVER,
            "proxy": {"enabled": True, "tlsSecret": "metalbond-proxy-tls", "httpTokenSecret": "metalbond-proxy-http"},
            "monitoring": {"enabled": True},
        },
    ),
    (["alerts"], {**NO_SERVER, "monitoring": {"alerts": {"enabled": True}}}),
]
# What the chart alone can do: its output must match the schema, and contain these words.
SECRET = {"volumes": [{"name": "tls", "secret": {"secretName": "tls"}}], "volumeMounts": [{"name": "tls", "mountPath": "/tls"}]}
FURTHER = [
    (
        {
            "image": {"digest": f"sha256:{64 * '0'}", "pullPolicy": "Always", "pullSecrets": [{"name": "registry"}]},
            "server": {
                **SECRET,
                "instances": [{"name": "c", "serviceAnnotations": {"balancer/address": "192.0.2.1"}}],
                "service": {"ipFamilies": ["IPv6", "IPv4"], "ipFamilyPolicy": "RequireDualStack"},
                "arguments": ["--shards=2"],
                "tlsPort": 4712,
                "networkPolicy": {
                    "leaves": [{"ipBlock": {"cidr": "2001:db8::/32"}}],
                    "egress": [{"ports": [{"port": 4222}]}],
                },
            },
            "client": {**SECRET, "enabled": True, "arguments": ["--ipv4-only"], "nodeSelector": {"leaf": "yes"}},
            "proxy": {**SECRET, "enabled": True, "arguments": ["--pace=30000"], "nodeSelector": {"agent": "yes"}},
            "monitoring": {
                "enabled": True,
                "labels": {"release": "prometheus"},
                "alerts": {"enabled": True, "runbooks": "https://wiki.example.net/"},
            },
        },
        [f"metalbond@sha256:{64 * '0'}", "Always", "registry", "metalbond-server-c", "192.0.2.1", "--shards=2"]
        + ["containerPort: 4712", "port: 4712", "- port: metalbond-tls", "targetPort: metalbond-tls"]
        + ["2001:db8::/32", "4222", "--ipv4-only", "leaf: ", "secretName: tls", "mountPath: /tls"]
        + ["ipFamilyPolicy: RequireDualStack", "  ipFamilies:\n  - IPv6\n  - IPv4\n", "--pace=30000", "agent: ", "release: prometheus"]
        + ["runbook_url: https://wiki.example.net/docs/operations.md#metalbonddown\n"],
    ),
]
# Values that helm must refuse.
REFUSED = [
    {"server": {"handover": True}},
    {"server": {"kind": "StatefulSet"}},
    {"server": {"tlsPort": 4711}},
    {"server": {"service": {"ipFamilies": ["ipv6"]}}},
    {"client": {"enable": True}},
    {"monitoring": {"alerts": {"runbooks": "https://wiki.example.net"}}},
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
    """One folder, or one that puts folders and components together."""
    if len(parts) == 1:
        yield MANIFESTS / parts[0]
        return
    with tempfile.TemporaryDirectory() as made:
        named = {"resources": [], "components": []}
        for part in parts:
            kind = yaml.safe_load((MANIFESTS / part / "kustomization.yaml").read_text())["kind"]
            path = os.path.relpath(MANIFESTS / part, os.path.realpath(made))
            named["components" if kind == "Component" else "resources"].append(path)
        (pathlib.Path(made) / "kustomization.yaml").write_text(yaml.safe_dump(named))
        yield made


def kustomized(tools, parts):
    with folder(parts) as path:
        found = documents(output(tools / "kubectl", "kustomize", path))
    for one in found:
        matches_the_schema(" with ".join(parts), one)
    return found


def helm(tools, values, *command):
    """Runs helm on the chart with some values."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(values, file)
        file.flush()
        arguments = [tools / "helm", *command, "--namespace", "metalbond", "--values", file.name]
        return subprocess.run(arguments, capture_output=True, text=True)


def charted(tools, values):
    done = helm(tools, values, "template", "metalbond", CHART, "--kube-version", VERSIONS[-1])
    if done.returncode:
        wrong(f"helm template with {values}: {done.stderr}")
    found = documents(done.stdout)
    for one in found:
        matches_the_schema(f"chart with {values}", one)
    return found


def comparable(found):
    """Objects by kind and name, without what each tool adds: kustomize a digest to the name of a ConfigMap, helm an
    annotation with one, labels and the place of what it renders."""
    objects = {}
    for one in found:
        # The chart's namespace is there before helm is.
        if one["kind"] == "Namespace":
            continue
        one = json.loads(DIGEST.sub(r"\1", json.dumps(one)))
        one["metadata"].pop("namespace", None)
        for label in ["helm.sh/chart", "app.kubernetes.io/managed-by"]:
            one["metadata"].get("labels", {}).pop(label, None)
        if one["kind"] == "ConfigMap":
            one["metadata"].pop("labels", None)
        pod = one.get("spec", {}).get("template", {}).get("metadata", {})
        pod.get("annotations", {}).pop("checksum/config", None)
        if not pod.get("annotations", True):
            del pod["annotations"]
        # kustomize writes an empty line before an indented line of an expression.
        for group in one["spec"]["groups"] if one["kind"] == "PrometheusRule" else []:
            for rule in group["rules"]:
                rule["expr"] = " ".join(rule["expr"].split())
        objects[f"{one['kind']} {one['metadata']['name']}"] = one
    return objects


def lines(one):
    return yaml.safe_dump(one).splitlines()


def says_the_same(parts, values, manifests, chart):
    manifests, chart = comparable(manifests), comparable(chart)
    for name in sorted({*manifests, *chart}):
        pair = lines(manifests.get(name)), lines(chart.get(name))
        for line in difflib.unified_diff(*pair, " with ".join(parts), f"chart with {values}", lineterm=""):
            wrong(f"{name}: {line}")


def chart(tools):
    for values, words in FURTHER:
        found = charted(tools, values)
        text = yaml.safe_dump_all(found, width=1000)
        for word in words:
            if word not in text:
                wrong(f"chart with {values}: lacks {word}")
        monitors = [one for one in found if one["kind"] in OTHERS]
        if {one["kind"] for one in monitors} != OTHERS:
            wrong(f"chart with {values}: lacks one of {OTHERS}")
        for one in monitors:
            if not values["monitoring"]["labels"].items() <= one["metadata"]["labels"].items():
                wrong(f"chart with {values}: {one['kind']} lacks a label")
    for values in REFUSED:
        if not helm(tools, values, "template", "metalbond", CHART).returncode:
            wrong(f"helm takes {values}")
    for values in [{}, *(values for _, values in RENDERED), *(values for values, _ in FURTHER)]:
        done = helm(tools, values, "lint", "--strict", CHART)
        if done.returncode:
            wrong(f"helm lint with {values}: {done.stdout}{done.stderr}")


def alerts():
    """The PrometheusRule has the rules of Prometheus's own file. That the chart has the same is seen above."""
    rule = yaml.safe_load((MANIFESTS / "alerts/prometheusrule.yaml").read_text())
    if rule["spec"] != yaml.safe_load(ALERTS.read_text()):
        wrong(f"{ALERTS} and the PrometheusRule differ: run deploy/prometheus-rule")


def nothing_is_left_out():
    """Each file is part of something that is rendered."""
    reached = {(MANIFESTS / part).resolve() for parts, _ in RENDERED for part in parts}
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
    alerts()
    for parts, values in RENDERED:
        found = kustomized(tools, parts)
        says_the_same(parts, values, found, charted(tools, values))
        kinds = [one["kind"] for one in found]
        # An empty cluster has no namespace for the rest.
        if parts == ["."] and kinds[:1] != ["Namespace"]:
            wrong(f"deploy/kubernetes does not begin with its namespace: {kinds}")
    chart(tools)
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(bool(problems))


main()
