"""What the objects of an installation have to be beyond their schema: agreeing with each other, and locked down.

Each rule is a function of the objects that yields what is wrong, one line each.
"""

import re

import yaml

WORKLOADS = ("Deployment", "StatefulSet")
SLACK = 5  # seconds that a process may take to end after its drain
UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


def pods(found):
    """Kind and name of every object that makes pods, the pod's labels and its spec."""
    for document in found:
        spec = document.get("spec", {})
        if document["kind"] == "Pod":
            yield document, document["metadata"].get("labels", {}), spec
        elif "template" in spec:
            yield document, spec["template"]["metadata"]["labels"], spec["template"]["spec"]


def title(document):
    return f"{document['kind']} {document['metadata']['name']}"


def containers(pod):
    return pod["containers"] + pod.get("initContainers", [])


def gateway(found):
    """The workload, its pods' labels, the pod and the container of the gateway."""
    for document, labels, pod in pods(found):
        if document["kind"] in WORKLOADS:
            return document, labels, pod, next(one for one in pod["containers"] if one["name"] == "sluice")
    raise LookupError("nothing runs the gateway")


def settings(found):
    """The configuration that the gateway's pod mounts; empty where another file brings it."""
    _, _, pod, _ = gateway(found)
    names = [volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume]
    for document in found:
        if document["kind"] == "ConfigMap" and document["metadata"]["name"] in names:
            return yaml.safe_load(document["data"]["sluice.yaml"])
    return {}


def of_kind(found, *kinds):
    return [document for document in found if document["kind"] in kinds]


def selects(selector, labels):
    return bool(selector) and selector.items() <= labels.items()


# --- the rules ---


def locked_down(found):
    """The `restricted` Pod Security Standard, and more: a read-only root, no token, no links to other Services."""
    for document, _, pod in pods(found):
        whole = pod.get("securityContext", {})
        expected = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
        for name, value in expected.items():
            if whole.get(name) != value:
                yield f"{title(document)}: securityContext.{name} is {whole.get(name)}"
        for name in ("automountServiceAccountToken", "enableServiceLinks"):
            if pod.get(name) is not False:
                yield f"{title(document)}: {name} is not false"
        for name in ("hostNetwork", "hostPID", "hostIPC"):
            if pod.get(name):
                yield f"{title(document)}: {name}"
        for volume in pod.get("volumes", []):
            if "hostPath" in volume:
                yield f"{title(document)}: volume {volume['name']} is the node's"
        for container in containers(pod):
            yield from (f"{title(document)}, container {container['name']}: {wrong}" for wrong in open_doors(container))


def open_doors(container):
    own = container.get("securityContext", {})
    expected = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
    }
    for name, value in expected.items():
        if own.get(name) != value:
            yield f"securityContext.{name} is {own.get(name)}"
    if own.get("privileged") or "runAsUser" in own:
        yield "securityContext is wider than the pod's"
    resources = container.get("resources", {})
    if not {"cpu", "memory"} <= resources.get("requests", {}).keys() or "memory" not in resources.get("limits", {}):
        yield f"resources are {resources}"


def mounted(found):
    """Every mount has its volume, every volume is mounted, and nothing is mounted in a way that never changes."""
    for document, _, pod in pods(found):
        volumes = {volume["name"] for volume in pod.get("volumes", [])}
        volumes |= {claim["metadata"]["name"] for claim in document["spec"].get("volumeClaimTemplates", [])}
        mounts = [mount for container in containers(pod) for mount in container.get("volumeMounts", [])]
        for name in {mount["name"] for mount in mounts} ^ volumes:
            yield f"{title(document)}: volume {name} is only mounted, or only there"
        for mount in mounts:
            if "subPath" in mount:
                yield f"{title(document)}: {mount['mountPath']} is a subPath, and would never change"
        for volume in pod.get("volumes", []):
            if "secret" in volume and volume["secret"].get("defaultMode") != 0o440:
                yield f"{title(document)}: the Secret {volume['secret']['secretName']} can be read by everybody"


def referred(found):
    """ConfigMaps and service accounts that are mentioned exist. Secrets may be somebody else's."""
    there = {(document["kind"], document["metadata"]["name"]) for document in found}
    for document, _, pod in pods(found):
        account = pod.get("serviceAccountName", "default")
        if account != "default" and ("ServiceAccount", account) not in there:
            yield f"{title(document)}: there is no ServiceAccount {account}"
        for volume in pod.get("volumes", []):
            name = volume.get("configMap", {}).get("name")
            if name and ("ConfigMap", name) not in there:
                yield f"{title(document)}: there is no ConfigMap {name}"


def served(found):
    """Ports, probes, paths and times of the gateway are those of its configuration."""
    document, _, pod, container = gateway(found)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    config = settings(found)
    for name, listener in config.get("listeners", {}).items():
        if ports.get(name) != int(listener["bind"].rpartition(":")[2]):
            yield f"{title(document)}: port {name} is {ports.get(name)}, and the configuration binds {listener['bind']}"
    paths = {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
    for name, path in paths.items():
        if container.get(name, {}).get("httpGet") != {"path": path, "port": "admin"}:
            yield f"{title(document)}: {name} is {container.get(name)}"
    start = container.get("startupProbe", {})
    if (start.get("periodSeconds"), start.get("failureThreshold")) != (1, 30):
        yield f"{title(document)}: the startupProbe is not 30 times a second"
    needed = sum(seconds(config.get("shutdown", {}).get(name, "0s")) for name in ("delay", "drain")) + SLACK
    if pod["terminationGracePeriodSeconds"] < needed:
        yield f"{title(document)}: {pod['terminationGracePeriodSeconds']} s to end in, and a drain can take {needed} s"
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    if not mounts.get("/etc/sluice", {}).get("readOnly"):
        yield f"{title(document)}: the configuration is not mounted, or not read-only"
    state = mounts.get(config.get("state_dir", "/var/lib/sluice"))
    if state is None or state.get("readOnly"):
        yield f"{title(document)}: state_dir is not mounted, or read-only"
    if document["kind"] == "Deployment" and document["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] != 0:
        yield f"{title(document)}: a rollout takes replicas out before new ones are there"


def seconds(text):
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h)", text).groups()
    return int(number) * UNITS[unit]


def provided(found):
    """What the configuration reads from files and variables, the pod is given, as far as the objects tell."""
    document, _, pod, container = gateway(found)
    text = yaml.safe_dump(settings(found))
    paths = re.findall(r"\$\{file:(/[^}]+)\}", text) + re.findall(r"(?:cert|key): (/\S+)", text)
    for path in paths:
        folder, _, name = path.rpartition("/")
        mount = next((one for one in container["volumeMounts"] if one["mountPath"] == folder), None)
        if mount is None:
            yield f"{title(document)}: nothing is mounted for {path}"
            continue
        names = files(found, next(one for one in pod["volumes"] if one["name"] == mount["name"])["secret"])
        if names is not None and name not in names:
            yield f"{title(document)}: {path} is not among {sorted(names)}"
    variables = set(re.findall(r"\$\{([A-Z_]+)\}", text)) - {one["name"] for one in container.get("env", [])}
    if variables and "envFrom" not in container:
        yield f"{title(document)}: nobody sets {sorted(variables)}"


def files(found, volume):
    """The names of a mounted Secret's files; None for a Secret of somebody else's that is mounted whole."""
    if "items" in volume:
        return {item["path"] for item in volume["items"]}
    for secret in of_kind(found, "Secret"):
        if secret["metadata"]["name"] == volume["secretName"]:
            return secret.get("data", {}).keys() | secret.get("stringData", {}).keys()
    return None


def spread(found):
    document, labels, pod, _ = gateway(found)
    constraints = pod.get("topologySpreadConstraints", [])
    if {rule["topologyKey"] for rule in constraints} != {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}:
        yield f"{title(document)}: not spread by zone and host"
    for rule in constraints:
        if not selects(rule.get("labelSelector", {}).get("matchLabels"), labels):
            yield f"{title(document)}: spreads other pods by {rule['topologyKey']}"


def selected(found):
    """What selects pods selects the gateway's, all of them and no others; and names ports that they have."""
    workload, labels, _, container = gateway(found)
    others = [(document, their) for document, their, _ in pods(found) if document is not workload]
    ports = {port["name"] for port in container["ports"]}
    selectors = [(workload, workload["spec"]["selector"]["matchLabels"])]
    selectors += [(service, service["spec"]["selector"]) for service in of_kind(found, "Service")]
    budgets = of_kind(found, "PodDisruptionBudget")
    selectors += [(budget, budget["spec"]["selector"]["matchLabels"]) for budget in budgets]
    policies = of_kind(found, "NetworkPolicy")
    selectors += [(policy, policy["spec"]["podSelector"].get("matchLabels")) for policy in policies]
    for document, selector in selectors:
        if not selects(selector, labels):
            yield f"{title(document)}: does not select the gateway's pods"
        yield from (f"{title(document)}: selects {title(other)}" for other, their in others if selects(selector, their))
    named = [(one, port["targetPort"]) for one in of_kind(found, "Service") for port in one["spec"]["ports"]]
    for policy in policies:
        rules = policy["spec"].get("ingress", [])
        named += [(policy, port["port"]) for rule in rules for port in rule.get("ports", [])]
    for document, port in named:
        if port not in ports:
            yield f"{title(document)}: the pods have no port {port}"


def scaled(found):
    workload, _, _, container = gateway(found)
    scalers = of_kind(found, "HorizontalPodAutoscaler")
    for scaler in scalers:
        spec = scaler["spec"]
        target = spec["scaleTargetRef"]
        if (target["kind"], target["name"]) != (workload["kind"], workload["metadata"]["name"]):
            yield f"{title(scaler)}: scales {target['kind']} {target['name']}, which is not there"
        if "replicas" in workload["spec"]:
            yield f"{title(workload)}: each apply would undo the autoscaler's number of replicas"
        if spec["minReplicas"] > spec["maxReplicas"]:
            yield f"{title(scaler)}: at least {spec['minReplicas']}, at most {spec['maxReplicas']}"
        if spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"] != 300:
            yield f"{title(scaler)}: does not wait for 300 s before it scales down"
    if not scalers and "replicas" not in workload["spec"]:
        yield f"{title(workload)}: nobody says how many replicas"


def routed(found):
    """An ingress leads to a port that is there, and holds no stream back."""
    services = {one["metadata"]["name"]: one["spec"]["ports"] for one in of_kind(found, "Service")}
    for ingress in of_kind(found, "Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                backend = path["backend"]["service"]
                if backend["port"]["name"] not in [port["name"] for port in services.get(backend["name"], ())]:
                    yield f"{title(ingress)}: there is no {backend['name']}:{backend['port']['name']}"
        notes = ingress["metadata"]["annotations"]
        prefix = "nginx.ingress.kubernetes.io/proxy-"
        if notes.get(prefix + "buffering") != "off" or int(notes.get(prefix + "read-timeout", 0)) < 1800:
            yield f"{title(ingress)}: holds streams back, or cuts them"


def scraped(found):
    """A ServiceMonitor finds one Service, and there the port of the metrics."""
    for monitor in of_kind(found, "ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"]
        fits = [one for one in of_kind(found, "Service") if selects(wanted, one["metadata"]["labels"])]
        ports = {endpoint["port"] for endpoint in monitor["spec"]["endpoints"]}
        if len(fits) != 1 or not ports <= {port["name"] for port in fits[0]["spec"]["ports"]}:
            yield f"{title(monitor)}: finds {[title(one) for one in fits]} with port {ports}"


def tested(found):
    """A NetworkPolicy lets the pods of `helm test` in, at both ports."""
    tests = [labels for document, labels, _ in pods(found) if document["kind"] == "Pod"]
    for policy in of_kind(found, "NetworkPolicy"):
        for labels in tests:
            ports = {
                port["port"]
                for rule in policy["spec"]["ingress"]
                for port in rule["ports"]
                if "from" not in rule or any(lets_in(peer, labels) for peer in rule["from"])
            }
            if ports != {"api", "admin"}:
                yield f"{title(policy)}: `helm test` reaches no more than {sorted(ports)}"


def lets_in(peer, labels):
    """Whether a peer is pods of the same namespace that have these labels."""
    if "podSelector" not in peer or "namespaceSelector" in peer:
        return False
    return peer["podSelector"].get("matchLabels", {}).items() <= labels.items()


def named(found):
    """Nothing twice, and no name too long for a label or a host."""
    seen = set()
    for document in found:
        if title(document) in seen:
            yield f"{title(document)}: twice"
        seen.add(title(document))
        limit = 52 if document["kind"] in WORKLOADS else 63  # a hash is added to the names of a workload's pods
        if len(document["metadata"]["name"]) > limit:
            yield f"{title(document)}: longer than {limit} characters"


RULES = [locked_down, mounted, served, provided, tested, spread, selected, scaled, routed, scraped, named]
WHOLE = [*RULES, referred]  # for installations that bring everything with them


def wrongs(found, rules=None):
    return [wrong for rule in rules or WHOLE for wrong in rule(found)]
