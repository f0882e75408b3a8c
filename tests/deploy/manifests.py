"""Everything that is handed to a cluster, by schema and by the rules of `objects`; and that both find what is wrong."""

import copy
import json
import re
import shutil
import sys
import tempfile
from pathlib import Path

import harness
import kubernetes_validate
import yaml
from jsonschema import Draft7Validator

from deploy import kustomize, objects
from deploy.helm import SETS, documents, one
from deploy.outcome import Fail, Skip
from deploy.tools import run

HERE = Path(__file__).parent
OLDEST, NEWEST = "1.30", "1.37"  # the first that kubernetes-validate has, and the last
CUSTOM = {kind: HERE / f"schemas/{kind.lower()}.json" for kind in ("ServiceMonitor", "PrometheusRule")}
LONG = "a-release-with-the-longest-name-that-helm-lets-it-have"[:53]
# The minimum says that it is not spread.
RULES = {"minimum": [rule for rule in objects.WHOLE if rule is not objects.spread]}


def installations():
    """Name and objects of every way to install that is shown somewhere."""
    yield from ((f"chart, {name}", documents(name), RULES.get(name)) for name in SETS)
    yield "chart, a long name", documents("default", LONG), None
    yield from ((f"overlay {name}", kustomize.rendered(name), None) for name in kustomize.OVERLAYS)


def by_schema(document):
    """What a document's schema has against it; empty when nothing."""
    try:
        if document["kind"] in CUSTOM:
            schema = json.loads(CUSTOM[document["kind"]].read_text(encoding="utf-8"))
            errors = Draft7Validator(schema).iter_errors(document)
            return "\n".join(f"{error.json_path}: {error.message}" for error in errors)
        for version in (OLDEST, NEWEST):
            kubernetes_validate.validate(document, version, strict=True)
    except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
        return f"{'.'.join(map(str, getattr(error, 'path', [])))}: {getattr(error, 'message', error)}"
    return ""


def schemas():
    wrong = []
    for name, found, _ in installations():
        for document in found:
            if reason := by_schema(document):
                wrong.append(f"{name}: {objects.title(document)}: {reason}")
    if wrong:
        raise Fail("\n".join(wrong))


def agree():
    wrong = [f"{name}: {what}" for name, found, rules in installations() for what in objects.wrongs(found, rules)]
    if wrong:
        raise Fail("\n".join(wrong))


# --- what is broken is found ---


def at(document, path):
    """The holder of the last name of a path like `spec.template.spec`, and that name."""
    *way, last = [int(name) if name.isdigit() else name for name in path.split("/")]
    for name in way:
        document = document[name]
    return document, last


POD = "spec/template/spec"
GATEWAY = f"{POD}/containers/0"
# An object of the chart's `production` set, where it is changed, into what (None: removed), and a word of the finding.
BROKEN_SHAPES = [
    ("StatefulSet", "spec/serviceName", 7, "serviceName"),
    ("StatefulSet", "spec/replica", 3, "replica"),
    ("StatefulSet", f"{GATEWAY}/ports/0/containerPort", "4000", "containerPort"),
    ("StatefulSet", f"{GATEWAY}/securityContext/readOnlyRootFileSystem", True, "readOnlyRootFileSystem"),
    ("HorizontalPodAutoscaler", "spec/maxReplicas", "many", "maxReplicas"),
    ("Ingress", "spec/rules/0/http/paths/0/pathType", None, "pathType"),
    ("NetworkPolicy", "spec/ingress/0/port", 1, "port"),
    ("ServiceMonitor", "spec/endpoints/0/targetport", "admin", "targetport"),
    ("ServiceMonitor", "spec/selector", None, "selector"),
    ("PrometheusRule", "spec/groups/0/rules/0/expression", "up", "expression"),
    ("PrometheusRule", "spec/groups/0/rules/0/record", None, "not valid under"),
]
BROKEN_RULES = [
    ("StatefulSet", f"{POD}/automountServiceAccountToken", None, "automountServiceAccountToken"),
    ("StatefulSet", f"{POD}/securityContext/runAsNonRoot", False, "runAsNonRoot"),
    ("StatefulSet", f"{POD}/securityContext/seccompProfile", None, "seccompProfile"),
    ("StatefulSet", f"{POD}/hostNetwork", True, "hostNetwork"),
    ("StatefulSet", f"{POD}/volumes/0", {"name": "config", "hostPath": {"path": "/etc"}}, "is the node's"),
    ("StatefulSet", f"{GATEWAY}/securityContext/readOnlyRootFilesystem", None, "readOnlyRootFilesystem"),
    ("StatefulSet", f"{GATEWAY}/securityContext/capabilities", {"drop": ["ALL"], "add": ["NET_ADMIN"]}, "capabilities"),
    ("StatefulSet", f"{GATEWAY}/securityContext/allowPrivilegeEscalation", True, "allowPrivilegeEscalation"),
    ("StatefulSet", f"{GATEWAY}/resources/requests", {}, "resources"),
    ("StatefulSet", f"{GATEWAY}/volumeMounts/0/subPath", "sluice.yaml", "subPath"),
    ("StatefulSet", f"{GATEWAY}/volumeMounts/1/name", "stat", "volume stat"),
    ("StatefulSet", f"{GATEWAY}/volumeMounts/1/readOnly", True, "state_dir"),
    ("StatefulSet", f"{GATEWAY}/ports/0/containerPort", 4002, "port api is 4002"),
    ("StatefulSet", f"{GATEWAY}/readinessProbe/httpGet/path", "/healthz", "readinessProbe"),
    ("StatefulSet", f"{GATEWAY}/startupProbe/failureThreshold", 3, "startupProbe"),
    ("StatefulSet", f"{POD}/volumes/1/secret/defaultMode", None, "can be read by everybody"),
    ("StatefulSet", f"{POD}/volumes/1/secret/items/0/path", "tokens", "is not among"),
    ("StatefulSet", f"{GATEWAY}/volumeMounts/4/mountPath", "/run/secrets/others", "nothing is mounted for"),
    ("StatefulSet", f"{POD}/terminationGracePeriodSeconds", 120, "a drain can take"),
    ("StatefulSet", f"{POD}/topologySpreadConstraints/0/topologyKey", "rack", "not spread"),
    ("StatefulSet", f"{POD}/serviceAccountName", "other", "no ServiceAccount other"),
    ("StatefulSet", "spec/replicas", 3, "undo the autoscaler"),
    ("StatefulSet", "spec/template/metadata/labels/app.kubernetes.io~component", "web", "does not select"),
    ("Service", "spec/selector/app.kubernetes.io~component", None, "selects Pod"),
    ("Service", "spec/ports/0/targetPort", "http", "no port http"),
    ("NetworkPolicy", "spec/ingress/0/ports/0/port", "http", "no port http"),
    (
        "NetworkPolicy",
        "spec/ingress/1/from/0/podSelector/matchLabels/app.kubernetes.io~component",
        "web",
        "`helm test`",
    ),
    ("PodDisruptionBudget", "spec/selector/matchLabels", {"app": "sluice"}, "does not select"),
    ("HorizontalPodAutoscaler", "spec/scaleTargetRef/kind", "Deployment", "which is not there"),
    ("Ingress", "spec/rules/0/http/paths/0/backend/service/port/name", "http", "there is no sluice:http"),
    ("Ingress", "metadata/annotations/nginx.ingress.kubernetes.io~proxy-buffering", "on", "holds streams back"),
    ("ServiceMonitor", "spec/endpoints/0/port", "metrics", "with port"),
    ("Job", f"{POD}/containers/0/securityContext", None, "Job"),
    ("Pod", "spec/containers/0/securityContext/readOnlyRootFilesystem", False, "Pod"),
]


def broken(kind, path, value):
    """The production set with one thing wrong in it, and the object that it is in."""
    found = copy.deepcopy(documents("production"))
    document = one(found, kind, "-ready") if kind == "Pod" else next(one for one in found if one["kind"] == kind)
    holder, last = at(document, path)
    last = last.replace("~", "/") if isinstance(last, str) else last
    if value is None:
        del holder[last]
    else:
        holder[last] = value
    return found, document


def broken_is_found():
    wrong = []
    for kind, path, value, word in BROKEN_SHAPES:
        _, document = broken(kind, path, value)
        reason = by_schema(document)
        if word not in reason:
            wrong.append(f"the schema of {kind} does not say `{word}` of {path} = {value}, but: {reason}")
    for kind, path, value, word in BROKEN_RULES:
        found, _ = broken(kind, path, value)
        reasons = objects.wrongs(found)
        if not any(word in reason for reason in reasons):
            wrong.append(f"no rule says `{word}` of {kind} {path} = {value}, but: {reasons}")
    if wrong:
        raise Fail("\n".join(wrong))


# --- what Prometheus and the gateway know ---


def rules_are_read():
    """promtool reads the rules of a PrometheusRule, and would not read others."""
    if not shutil.which("promtool"):
        raise Skip("no promtool (apt: prometheus)")
    rule = one(documents("everything"), "PrometheusRule")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rules.yml")
        path.write_text(yaml.safe_dump(rule["spec"]), encoding="utf-8")
        run(["promtool", "check", "rules", path])
        rule = copy.deepcopy(rule)
        rule["spec"]["groups"][0]["rules"][0]["expr"] = "rate(up[5m]"
        path.write_text(yaml.safe_dump(rule["spec"]), encoding="utf-8")
        try:
            run(["promtool", "check", "rules", path])
        except Fail:
            return
        raise Fail("promtool takes a rule with a missing bracket")


def scaling_metric():
    """The metric that the chart scales by is one that the gateway has."""
    scaler = one(documents("everything"), "HorizontalPodAutoscaler")
    names = [metric["pods"]["metric"]["name"] for metric in scaler["spec"]["metrics"] if metric["type"] == "Pods"]
    table = (harness.ROOT / "crates/core/src/telemetry/metrics/families.rs").read_text(encoding="utf-8")
    gauges = {f"sluice_{name}" for name in re.findall(r'= gauge\s+"(\w+)"', table)}
    if not names or not set(names) <= gauges:
        raise Fail(f"the gateway has no gauge of {names}")


# What the Prometheus operator puts on every target of a ServiceMonitor.
OF_THE_OPERATOR = {"job", "instance", "namespace", "pod", "container", "service", "endpoint", "node"}


def metric_labels():
    table = (harness.ROOT / "crates/core/src/telemetry/metrics/families.rs").read_text(encoding="utf-8")
    families = re.findall(r'= \w+\s+"\w+"\s*\[([^\]]*)\]', table)
    return {label for family in families for label in re.findall(r'"(\w+)"', family)}


def own_labels():
    """A label that target and metric both have would be the target's, and dashboards ask for the metric's."""
    labels = metric_labels()
    if not {"model", "provider", "endpoint"} <= labels:
        raise Fail(f"these cannot be all labels: {sorted(labels)}")
    for name in ("production", "everything"):
        for endpoint in one(documents(name), "ServiceMonitor")["spec"]["endpoints"]:
            dropped = {rule["regex"] for rule in endpoint["relabelings"] if rule.get("action") == "labeldrop"}
            if both := (labels & OF_THE_OPERATOR) - dropped:
                raise Fail(f"the ServiceMonitor of '{name}' hides the metrics' own {', '.join(sorted(both))}")


def digest():
    """A digest goes before the tag, and every container of the gateway's image has it."""
    for _, _, pod in objects.pods(documents("everything")):
        for container in objects.containers(pod):
            if not re.fullmatch(r"[a-z./]+@sha256:[0-9a-f]{64}", container["image"]):
                raise Fail(f"the container {container['name']} goes by {container['image']}")


def image():
    """The image starts what the pods start, as the user that they name, and its state is where theirs is mounted."""
    file = harness.ROOT / "deploy/docker/Dockerfile"
    if not file.exists():
        raise Skip("there is no deploy/docker/Dockerfile")
    said = file.read_text(encoding="utf-8").splitlines()
    _, _, pod, container = objects.gateway(documents("default"))
    user, state = pod["securityContext"], objects.settings(documents("default"))["state_dir"]
    for line in (
        f"ENTRYPOINT {json.dumps(container['command'])}",
        f"USER {user['runAsUser']}:{user['runAsGroup']}",
        f"VOLUME {json.dumps([state])}",
    ):
        if line not in said:
            raise Fail(f"the Dockerfile does not say {line}, and the chart does")


def lint():
    """yamllint over all YAML of deploy/ but the chart's templates, which are none before Helm has read them."""
    skipped = harness.ROOT / "deploy/helm/sluice/templates"
    files = [
        file
        for folder in (harness.ROOT / "deploy", HERE)
        for file in sorted([*folder.rglob("*.yaml"), *folder.rglob("*.yml")])
        if skipped not in file.parents and not file.is_symlink()
    ]
    run([sys.executable, "-m", "yamllint", "--strict", "--config-file", HERE / "yamllint.yaml", *files])


CHECKS = [
    (f"schemas of Kubernetes {OLDEST} and {NEWEST}, ServiceMonitor, PrometheusRule", schemas),
    ("locked down, and agree with each other", agree),
    ("what is broken is found", broken_is_found),
    ("promtool reads the PrometheusRule", rules_are_read),
    ("the gateway has the metric that it is scaled by", scaling_metric),
    ("labels of metrics are not hidden by a target's", own_labels),
    ("the image goes by its digest", digest),
    ("the image is what the pods start", image),
    ("yamllint", lint),
]
