"""The chart's values: what is taken, what is refused and in which words, and what is only warned of."""

import subprocess

import yaml
from jsonschema import Draft7Validator

from deploy import tools
from deploy.helm import CHART, RELEASE, SETS, arguments, notes, values_file
from deploy.outcome import Fail

# What is refused, and a word of the reason.
BY_SCHEMA = [
    ('replicaCount: "two"', "replicaCount"),
    ("replicaCount: 0", "replicaCount"),
    ("replicas: 3", "replicas"),
    ("image: {digest: latest}", "digest"),
    ("image: {tag: 1.0}", "tag"),
    ("reload: always", "reload"),
    ("config: {providers: {openai: {}}}", "providers"),
    ("config: {listeners: {api: {bind: 4000}}}", "bind"),
    ("config: {state_dir: data}", "state_dir"),
    ("config: {shutdown: {drain: 120}}", "drain"),
    ("secretMounts: [{name: a, secret: b}]", "path"),
    ("secretMounts: [{name: A_B, secret: b, path: /c}]", "name"),
    ("redis: {url: redis.cache.svc}", "url"),
    ("persistence: {size: big}", "size"),
    ("service: {type: ExternalName}", "type"),
    ("podDisruptionBudget: {maxUnavailable: 0}", "maxUnavailable"),
    ("autoscaling: {enabled: yes please}", "enabled"),
    ("ingress: {annotations: {nginx.ingress.kubernetes.io/proxy-read-timeout: 3600}}", "proxy-read-timeout"),
    ("resources: {requests: {cpu: fast}}", "cpu"),
    ("extraEnv: [{name: A, secret: b}]", "secret"),
]
BY_TEMPLATE = [
    ("demo: {enabled: false}", "config.keys: nobody could use"),
    ("config: {keys: [{name: demo}]}", "config.keys: one is called demo"),
    ("admin: {existingSecret: sluice-admin}", "admin.existingSecret: sluice-admin is what the chart calls its own"),
    ("config: {state_dir: null}", "config.state_dir: "),
    ("config: {state_dir: /etc/sluice/data}", "config.state_dir: "),
    ('config: {listeners: {api: {bind: "127.0.0.1:4000"}}}', "config.listeners.api.bind: nobody reaches"),
    ('config: {listeners: {admin: {bind: "[::1]:4001"}}}', "config.listeners.admin.bind: nobody reaches"),
    ("terminationGracePeriodSeconds: 60", "terminationGracePeriodSeconds: 60 is too short"),
    ("config: {shutdown: {drain: 10m}}\nterminationGracePeriodSeconds: 600", "needs 610"),
    ("redis: {url: redis://a, existingSecret: b}", "redis: url and existingSecret are both set"),
    ('redis: {url: redis://a}\nconfig: {redis: {urls: ["redis://b"]}}', "redis: config.redis.urls is set as well"),
    ("ingress: {enabled: true}", "ingress.hosts: name at least one"),
    ("autoscaling: {enabled: true, minReplicas: 5, maxReplicas: 2}", "autoscaling.maxReplicas: 2 is less than"),
    ("autoscaling: {enabled: true, targetCPUUtilizationPercentage: 0}", "autoscaling: neither"),
]


def merged(onto, values):
    """As Helm merges: maps by name, everything else replaced."""
    if not (isinstance(onto, dict) and isinstance(values, dict)):
        return values
    return onto | {name: merged(onto.get(name), value) for name, value in values.items()}


def load(name):
    return yaml.safe_load((CHART / name).read_text(encoding="utf-8"))


def against_schema(text):
    """What the schema has against the chart's values with these over them; empty when nothing."""
    values = merged(load("values.yaml"), yaml.safe_load(text) or {})
    errors = Draft7Validator(load("values.schema.json")).iter_errors(values)
    return "\n".join(f"{error.json_path}: {error.message}" for error in errors)


def values_schema():
    """The schema is one, takes what is good, and knows every value that there is."""
    Draft7Validator.check_schema(load("values.schema.json"))
    for name, values in SETS.items():
        wrong = against_schema(values.read_text(encoding="utf-8") if values else "")
        if wrong:
            raise Fail(f"the set '{name}' is refused:\n{wrong}")
    unequal = sorted(unknown(load("values.schema.json"), load("values.yaml")))
    if unequal:
        raise Fail(f"only one of schema and values.yaml knows {', '.join(unequal)}")


def unknown(schema, values, at=""):
    """Names that only one of the two has, as deep as the schema is strict."""
    known = schema.get("properties", {})
    if schema.get("additionalProperties") is False and isinstance(values, dict):
        yield from (at + name for name in (known.keys() ^ values.keys()) - {"global"})
        for name in known.keys() & values.keys():
            yield from unknown(known[name], values[name], f"{at}{name}.")


def values_refused():
    wrong = []
    for text, word in BY_SCHEMA + BY_TEMPLATE:
        reasons = {"the schema": against_schema(text)} if (text, word) in BY_SCHEMA else {}
        with values_file(text) as path:
            for helm in tools.helms():
                command = [helm, "template", RELEASE, CHART, *map(str, arguments(path))]
                done = subprocess.run(command, capture_output=True, text=True)
                reasons[tools.version(helm)] = done.stderr if done.returncode else ""
        wrong += [
            f"{who} {'takes' if not reason else f'does not say `{word}` of'}: {text}\n{reason}"
            for who, reason in reasons.items()
            if word not in reason
        ]
    if wrong:
        raise Fail("\n".join(wrong))


LIMITS = "config: {limits: {requests: {rate: 600/min}}}\n"
BUDGET = "config: {keys: [{name: a, budget: {usd: 1, per: day}}]}\n"
POLICY = "networkPolicy: {enabled: true}\n"
TRACES = 'config: {{telemetry: {{traces: {{otlp: "{}"}}}}}}\n'
# Values, and words of the notes that are to stand there, or (after a !) not.
TOLD = [
    ("", ["NOTE: usage records", "NOTE: the image goes by a tag", "!WARNING", "!NOTE: the demo is on"]),
    (LIMITS, ["WARNING: there are limits or budgets (limits)"]),
    (BUDGET, ["WARNING: there are limits or budgets (keys)"]),
    (LIMITS + "replicaCount: 1", ["!WARNING"]),
    (LIMITS + "replicaCount: 1\nautoscaling: {enabled: true, minReplicas: 1}", ["WARNING: there are limits"]),
    (LIMITS + "redis: {url: redis://redis}", ["!WARNING"]),
    ("persistence: {enabled: true}", ["!NOTE: usage records"]),
    ("ingress: {enabled: true, hosts: [llm.example.com]}", ["WARNING: config.listeners.api.trusted_proxies is empty"]),
    ("ingress: {enabled: true, hosts: [llm.example.com]}", ["and at http://llm.example.com/"]),
    ("config: {providers: [{name: openai}]}", ["NOTE: the demo is on"]),
    (POLICY, ["!WARNING"]),
    (POLICY + "redis: {url: redis://redis}", ["WARNING: the NetworkPolicy", "is not where Redis will be"]),
    (POLICY + TRACES.format("http://otel:4318"), ["is not where the collector of traces will be"]),
    (POLICY + TRACES.format("https://otel.example.com/v1"), ["!WARNING"]),
    (TRACES.format("http://otel:4318"), ["!WARNING"]),
    (
        "networkPolicy: {enabled: true, egress: {extra: [{ports: [{port: 6379}]}]}}\nredis: {url: redis://redis}",
        ["!WARNING"],
    ),
]


def told():
    wrong = []
    for text, expected in TOLD:
        with values_file(text) as path:
            said = notes(path)
        for word in expected:
            if (word.lstrip("!") in said) == word.startswith("!"):
                wrong.append(f"{'told' if word[0] == '!' else 'not told'}: {word.lstrip('!')!r} with {text!r}")
    if wrong:
        raise Fail("\n".join(wrong))


CHECKS = [
    ("values and their schema", values_schema),
    ("wrong values are refused", values_refused),
    ("notes warn when there is reason", told),
]
