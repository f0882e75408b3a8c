//! One case per mistake: a sentence, a file, and in the snapshot what is said about it.

use crate::{Env, Options, Source, load};
use std::{fmt::Write, path::Path};

/// Something to refer to, for files that only care about one section.
const BASE: &str = "providers: [{name: up, kind: openai, keys: [{name: main, value: '${KEY:-x}'}]}]\n\
    models: [{name: m, targets: [{provider: up, model: m}]}]\n";
const HASH: &str = "hash: 'blake3:0000000000000000000000000000000000000000000000000000000000000000'";

/// The place where `BASE`, or the hash, goes.
const CASES: &[(&str, &str)] = &[
    ("text where a map is due", "listeners: here"),
    (
        "a map where a list is due, and no echo about those who refer to it",
        "providers: {up: {kind: openai}}\nmodels: [{name: m, targets: [{provider: up, model: m}]}]",
    ),
    ("a list where text is due", "BASE\nstate_dir: [a]"),
    (
        "a number where a name is due",
        "providers: [{name: 123, kind: vllm}]\nmodels: [{name: m, targets: [{provider: '123', model: m}]}]",
    ),
    (
        "a quoted number is a name",
        "providers: [{name: '123', kind: vllm}]\nmodels: [{name: m, targets: [{provider: '123', model: '4'}]}]",
    ),
    (
        "booleans of older YAML",
        "BASE\nlisteners: {api: {reuse_port: on}}\ncache: {mode: no, coalesce: 'false', allow_force: 1}",
    ),
    (
        "bare numbers where a unit is due",
        "BASE\nlisteners: {api: {max_body: 1, header_timeout: 30}}\nlimits: {requests: {rate: 600}, tenant_share: 0.5}",
    ),
    (
        "units that do not exist",
        "BASE\nlisteners: {api: {max_body: 1 MB, header_timeout: 30sec}}\nlimits: {requests: {rate: 600/minute}, tenant_share: 50 percent}",
    ),
    (
        "amounts of nothing",
        "BASE\nlisteners: {api: {max_body: 0B, header_timeout: 0s}}\nlimits: {requests: {rate: 0/s}, tenant_share: 0%}\nresilience: {attempts: 0}",
    ),
    (
        "amounts beyond all types",
        "BASE\nlisteners: {api: {max_body: 99999999999GiB, header_timeout: 99999999999999999999s, max_connections: 99999999999999999999999999999999999999}}\nresilience: {attempts: 4294967296}",
    ),
    (
        "shares above the whole",
        "BASE\nresilience: {retry_budget: {ratio: 101%}, circuit: {failure_ratio: 200%}}\ntelemetry: {traces: {otlp: 'http://c:4318', sample: 500%}}",
    ),
    ("a collector's port for gRPC", "BASE\ntelemetry: {traces: {otlp: 'http://c:4317'}}"),
    (
        "collectors that cannot be reached so",
        "BASE\ntelemetry: {traces: {otlp: 'collector:4318', slow: 0s, headers: {Host: a, x-a: \"b\\r\\nc\", authorization: 'Bearer abc'}, ca_file: none.pem}}",
    ),
    ("credentials in a collector's address", "BASE\ntelemetry: {traces: {otlp: 'https://me:hush@c/otlp'}}"),
    (
        "waits that shrink",
        "BASE\nresilience: {backoff: {initial: 2s, max: 1s}, circuit: {open_for: 2m}}\nshutdown: {delay: 10s, drain: 5s}",
    ),
    ("a version of the future", "BASE\nversion: 2"),
    ("fields that are almost right", "BASE\nlistener: {}\nresilience: {attempt: 3}\nzebra: 1"),
    ("merge keys and tags", "BASE\nshutdown: {<<: {delay: 1s}}\nledger: {keep_user: !!bool true}"),
    ("a section without a value", "BASE\ncache:\nlimits: {requests: {rate: }}\ntenants:"),
    ("names that are none", "BASE\ntenants: [{name: ''}, {name: ' a'}, {name: \"a\\nb\"}]"),
    (
        "the same name twice",
        "providers: [{name: up, kind: vllm}, {name: up, kind: ollama, keys: [{name: a, value: '${K:-1}'}, {name: a, value: '${K:-2}'}]}]\nmodels: [{name: m, targets: [{provider: up, model: m}]}, {name: m, targets: [{provider: up, model: m}]}]\ntenants: [{name: t}, {name: t}]\nkeys: [{name: k, HASH, models: [m]}, {name: k, HASH, models: [m]}]",
    ),
    (
        "a kind that needs an address",
        "providers: [{name: a, kind: openai_compatible}, {name: b, kind: azure}]\nmodels: [{name: m, targets: [{provider: a, model: m}]}]",
    ),
    (
        "what only Azure has, and what no upstream is like",
        "providers:\n- {name: a, kind: azure, base_url: 'https://r.openai.azure.com/openai', api_version: '2024-10-21'}\n- {name: b, kind: azure, base_url: 'https://r.openai.azure.com/openai/v1'}\n- {name: c, kind: azure, base_url: 'https://r.openai.azure.com/openai'}\n- {name: d, kind: azure, base_url: 'https://r.openai.azure.com/openai', api_version: '2024&x=1'}\n- {name: e, kind: vllm, api_version: '2024-10-21'}\n- {name: f, kind: vllm, endpoints: []}\nmodels: [{name: m, targets: [{provider: a, model: m, endpoints: [], prompt_template: 'Say it'}, {provider: b, model: m, endpoints: [chat, answers]}]}]",
    ),
    (
        "addresses that cannot work",
        "providers:\n- {name: a, kind: openai_compatible, base_url: 'ftp://host/v1'}\n- {name: b, kind: openai_compatible, base_url: 'https:///v1'}\n- {name: c, kind: openai_compatible, base_url: 'https://user:pw@host/v1'}\n- {name: d, kind: openai_compatible, base_url: 'https://host/v1?x=1'}\n- {name: e, kind: openai_compatible, base_url: 'https://host/api'}\n- {name: f, kind: openai_compatible, base_url: 'host/v1'}\n- {name: g, kind: openai_compatible, base_url: 'http://localhost:1/v1'}\n- {name: h, kind: openai, proxy: 'socks5://p:1'}\nmodels: [{name: m, targets: [{provider: a, model: m}]}]",
    ),
    (
        "addresses that do work",
        "providers:\n- {name: a, kind: openai_compatible, base_url: 'https://host/api/v1/'}\n- {name: b, kind: gemini}\n- {name: c, kind: perplexity}\n- {name: d, kind: ollama}\n- {name: e, kind: openai_compatible, base_url: 'http://[::1]:8000/v1', allow_private: true}\nmodels: [{name: m, targets: [{provider: a, model: m}]}]",
    ),
    (
        "headers that may not be sent",
        "providers: [{name: up, kind: vllm, headers: {Host: a, te: b, 'a b': c, X-A: \"a\\r\\nb: c\", x-a: d, Authorization: 'Bearer abc'}}]\nmodels: [{name: m, targets: [{provider: up, model: m}]}]",
    ),
    (
        "keys of a provider",
        "providers: [{name: up, kind: openai, keys: [{name: a, value: ''}, {name: b, value: \"${K:-a b}\"}, {name: c, value: typed}, {name: d, value: 12}]}, {name: down, kind: openai, keys: [{name: a, value: '${K:-x}', weight: 0}]}]\nmodels: [{name: m, targets: [{provider: up, model: m}]}]",
    ),
    (
        "members that cannot be dropped",
        "providers: [{name: up, kind: vllm, drop_fields: [ok, '**.ok', model, 'a.b', '']}]\nmodels: [{name: m, targets: [{provider: up, model: m}]}]",
    ),
    (
        "targets that lead nowhere",
        "providers: [{name: up, kind: vllm}]\nmodels:\n- {name: a, targets: []}\n- {name: b, targets: [{provider: upp, model: x}]}\n- {name: c, targets: [{provider: up, model: x, weight: 0}, {provider: up, model: y, priority: 1}]}\n- {name: d}",
    ),
    (
        "wildcards where they cannot stand",
        "providers: [{name: up, kind: vllm}]\nmodels:\n- {name: 'a*b', targets: [{provider: up, model: x}]}\n- {name: '**', targets: [{provider: up, model: x}]}\n- {name: a, targets: [{provider: up, model: '*'}, {provider: up, model: '{rest}'}]}\n- {name: 'b*', targets: [{provider: up, model: '*-*'}, {provider: up, model: 'b-{rest}'}, {provider: up, model: '*'}]}",
    ),
    (
        "rules",
        "providers: [{name: up, kind: vllm}]\nmodels:\n- name: m\n  targets: [{provider: up, model: m}]\n  rules:\n  - {when: {}, targets: [{provider: up, model: m}]}\n  - {when: {tenant: t, key: k, header: {name: 'x y', equals: z}}, targets: [{provider: ap, model: m}]}\n  - {when: {tenants: a}, targets: []}\n  - {targets: [{provider: up, model: m}]}",
    ),
    (
        "models",
        "providers: [{name: up, kind: vllm}]\nmodels: [{name: m, targets: [{provider: up, model: m}], context_window: 10, max_output_tokens: 11, cache: {ttl: 25h}, hedge: {after: 95, max_ratio: 120%}, strategy: weigted, resume: off}]\nprices: [{provider: ap, model: m, input: -1, output: cheap}]",
    ),
    (
        "what a target takes and lacks",
        "providers: [{name: up, kind: vllm}]\nmodels:\n- {name: m, targets: [{provider: up, model: m, context_window: 10, max_output_tokens: 11, lacks: [tools, image, samples]}, {provider: up, model: n, context_window: 0, max_output_tokens: 0, lacks: tools}]}\n- name: n\n  targets: [{provider: up, model: m, max_output_tokens: 10, lacks: [images, structured_output, logprobs]}]\n  rules: [{when: {stream: true}, targets: [{provider: up, model: m, context_window: 1, max_output_tokens: 2}]}]",
    ),
    (
        "aliases that are not free",
        "providers: [{name: up, kind: vllm}]\nmodels:\n- {name: a, aliases: [b, a, 'x*', c, c, ''], targets: [{provider: up, model: m}]}\n- {name: b, aliases: c, targets: [{provider: up, model: m}]}\n- {name: d, aliases: [c, 'd*'], targets: [{provider: up, model: m}]}\n- {name: 'e*', aliases: [f], targets: [{provider: up, model: '*'}]}",
    ),
    (
        "fallbacks that lead nowhere",
        "providers: [{name: up, kind: vllm}]\nmodels:\n- {name: smart, aliases: [clever], fallbacks: [small, smal, smart, small, clever, 'gpt-*', gpt-4], targets: [{provider: up, model: m}]}\n- {name: small, fallbacks: [nothing-like-it, 'small*'], targets: [{provider: up, model: m}]}\n- {name: 'gpt-*', fallbacks: small, targets: [{provider: up, model: '*'}]}",
    ),
    (
        "aliases and fallbacks, and a key and a budget that know the alias alone",
        "providers: [{name: up, kind: vllm}]\nmodels:\n- {name: smart, aliases: [clever, gpt-4], fallbacks: [small], targets: [{provider: up, model: m}], resume: completions, hedge: {after: p99.9, max_ratio: 0%}}\n- {name: small, fallbacks: [smart], targets: [{provider: up, model: n}]}\n- {name: 'gpt-*', fallbacks: [small, smart], targets: [{provider: up, model: '*'}]}\nkeys: [{name: k, HASH, models: [clever], budget: {usd: 5, per: day}}]",
    ),
    (
        "a second target that is not there",
        "providers: [{name: up, kind: vllm}]\nmodels:\n- {name: a, targets: [{provider: up, model: m}], resume: deterministic, hedge: {after: p50, max_ratio: 2%}}\n- name: b\n  targets: [{provider: up, model: m}]\n  resume: completions\n  rules: [{when: {stream: true}, targets: [{provider: up, model: m}, {provider: up, model: n}]}]\n- {name: c, targets: [{provider: up, model: m}, {provider: up, model: n, priority: 1}], hedge: {after: p95, max_ratio: 2%}}\n- {name: d, targets: [], resume: completions}\n- {name: e, targets: [{provider: up, model: m}], fallbacks: a, resume: completions}",
    ),
    (
        "fallbacks that no try is left for",
        "providers: [{name: up, kind: vllm}]\nresilience: {attempts: 2}\nmodels:\n- {name: a, fallbacks: [d], targets: [{provider: up, model: m}, {provider: up, model: n}]}\n- {name: b, fallbacks: [d], targets: [{provider: up, model: m}], resilience: {attempts: 1}}\n- {name: c, fallbacks: [d], targets: [{provider: up, model: m}], resilience: {attempts: 3}, rules: [{when: {stream: true}, targets: [{provider: up, model: m}, {provider: up, model: n}, {provider: up, model: o}]}]}\n- {name: d, fallbacks: [a], targets: [{provider: up, model: m}]}\n- {name: e, targets: [{provider: up, model: m}, {provider: up, model: n}]}",
    ),
    (
        "a target that stands twice in one list",
        "providers: [{name: up, kind: vllm}]\nmodels:\n- name: a\n  targets: [{provider: up, model: m}, {provider: up, model: n}, {provider: up, model: m, priority: 1}]\n  rules: [{when: {stream: true}, targets: [{provider: up, model: m}]}]",
    ),
    (
        "a hedge without its share",
        "providers: [{name: up, kind: vllm}]\nmodels: [{name: m, targets: [{provider: up, model: m}, {provider: up, model: n}], hedge: {after: p95}}]",
    ),
    (
        "percentiles that say nothing",
        "providers: [{name: up, kind: vllm}]\nmodels:\n- {name: a, targets: [{provider: up, model: m}, {provider: up, model: n}], hedge: {after: p49.9, max_ratio: 1%}}\n- {name: b, targets: [{provider: up, model: m}, {provider: up, model: n}], hedge: {after: p99.95, max_ratio: 1%}}",
    ),
    (
        "a choice by price without prices",
        "providers: [{name: up, kind: openai, keys: [{name: main, value: '${KEY:-x}'}]}, {name: gpu, kind: vllm}, {name: free, kind: vllm}]\nprices: [{provider: free, model: '*', input: 0, output: 0}]\nmodels:\n- name: a\n  strategy: cheapest\n  targets: [{provider: up, model: gpt-4o}, {provider: gpu, model: llama}, {provider: free, model: llama}]\n  rules: [{when: {tools: true}, targets: [{provider: gpu, model: qwen}, {provider: gpu, model: llama}]}]\n- {name: b, strategy: cheapest, targets: [{provider: up, model: gpt-4o}, {provider: free, model: llama}]}",
    ),
    (
        "a strategy that another setting forestalls",
        "providers: [{name: up, kind: vllm}]\nmodels:\n- {name: a, strategy: least_busy, prompt_cache_affinity: true, targets: [{provider: up, model: m}, {provider: up, model: n}]}\n- {name: b, strategy: weighted, prompt_cache_affinity: true, targets: [{provider: up, model: m}, {provider: up, model: n}]}\n- {name: c, strategy: session, targets: [{provider: up, model: m}, {provider: up, model: n}]}",
    ),
    (
        "a circuit that opens without a failure",
        "BASE\nresilience: {retry_budget: {ratio: 0%}, circuit: {failure_ratio: 0%}}",
    ),
    ("nothing to serve", "version: 1"),
    (
        "keys that cannot be used",
        "BASE\nauth: {mode: keys}\ntenants: [{name: team}]\nkeys:\n- {name: a, tenant: taem, hash: 'sha256:00', models: [mm, 'x*y']}\n- {name: b, HASH, models: [], expires: 2020-01-01, cache: {ttl: 2d}, limits: {cached_input_weight: 200%}}\n- {name: c, HASH, models: ['*'], expires: tomorrow}\n- {name: d}",
    ),
    (
        "a budget without prices",
        "BASE\nprices: [{provider: up, model: other, input: 1, output: 1}]\ntenants: [{name: team, budget: {usd: 5, per: year, warn_at: [75%, 150%]}}, {name: idle, budget: {usd: 5, per: day}}]\nkeys: [{name: k, tenant: team, HASH, models: ['*']}]",
    ),
    (
        "a budget with prices",
        "BASE\nprices: [{provider: up, model: '*', input: 1, output: 1}]\ntenants: [{name: team, budget: {usd: 5, per: day}}]\nkeys: [{name: k, tenant: team, HASH, models: ['*']}]",
    ),
    (
        "a budget over well-known models at their own address, and over a wildcard",
        "providers: [{name: up, kind: openai, keys: [{name: main, value: '${KEY:-x}'}]}, {name: proxy, kind: openai, base_url: 'https://proxy.example/v1'}]\nmodels:\n- {name: a, targets: [{provider: up, model: gpt-4o}, {provider: up, model: gpt-4o-mini-2024-07-18}]}\n- {name: 'b/*', targets: [{provider: up, model: '{rest}'}]}\n- {name: c, targets: [{provider: up, model: gpt-4o-2024-05-13}, {provider: proxy, model: gpt-4o}]}\n- {name: 'd*', targets: [{provider: up, model: 'unheard-of-{rest}'}]}\ntenants: [{name: default, budget: {usd: 5, per: day}}]\nkeys: [{name: k, HASH, models: ['*']}]",
    ),
    (
        "a budget of a key, over the models that it may use",
        "BASE\nprices: [{provider: up, model: other, input: 1, output: 1}]\nkeys:\n- {name: k, HASH, models: [m], budget: {usd: 0, per: month, warn_at: [75%, 101%]}}\n- {name: l, hash: 'blake3:1111111111111111111111111111111111111111111111111111111111111111', models: [], budget: {usd: 5, per: day}}",
    ),
    (
        "a budget of everybody where no key is asked for",
        "BASE\nauth: {mode: open}\ntenants: [{name: default, budget: {usd: 5, per: day}}]",
    ),
    (
        "limits of every scope",
        "providers: [{name: up, kind: vllm, max_concurrency: 5, limits: {tokens: {rate: 5/s, burst: 0}, queue: {max_wait: 1s, size: 0}}}]\nmodels: [{name: m, targets: [{provider: up, model: m}], limits: {requests: {rate: 1/d}, queue: {max_wait: 60s, size: 1}}}]\ntenants: [{name: t, limits: {concurrency: 0}}]\nkeys: [{name: k, HASH, models: ['*'], limits: {requests: {burst: 5}}}]",
    ),
    (
        "a share of tenants where there is none to share between",
        "providers: [{name: up, kind: vllm, limits: {tenant_share: 200%}}]\nmodels: [{name: m, targets: [{provider: up, model: m}], limits: {tenant_share: 10%}}]\nlimits: {tenant_share: 20%}\ntenants: [{name: t, limits: {tenant_share: 150%}}, {name: u, limits: {tenant_share: 0%}}]\nkeys: [{name: k, HASH, models: ['*'], limits: {tenant_share: 30%}}]",
    ),
    (
        "queues that are none, and for nothing",
        "providers: [{name: up, kind: vllm, limits: {queue: {max_wait: 61s, size: 5}}}, {name: down, kind: vllm, max_concurrency: 3, limits: {queue: {max_wait: 1s, size: 5}}}]\nmodels: [{name: m, targets: [{provider: up, model: m}]}]\nlimits: {queue: {max_wait: 1s, size: 1}}\ntenants: [{name: t, limits: {queue: {max_wait: 1s, size: 1}}}]\nkeys: [{name: k, HASH, models: ['*'], limits: {queue: {max_wait: 5m, size: 5}, concurrency: 1}}]",
    ),
    (
        "limits that are written twice, or count nothing",
        "providers: [{name: up, kind: vllm, max_concurrency: 5, limits: {concurrency: 6, cached_input_weight: 10%}}]\nmodels: [{name: m, targets: [{provider: up, model: m}]}]\nlimits: {requests: {rate: 1/s}}\ntenants: [{name: t, limits: {}}]",
    ),
    (
        "a word on Redis without Redis, noted once",
        "BASE\nlimits: {concurrency: 5, on_redis_down: open}\ntenants: [{name: t, limits: {concurrency: 9, on_redis_down: closed}}]",
    ),
    (
        "a word on Redis with Redis",
        "BASE\nredis: {urls: ['redis://h']}\nlimits: {requests: {rate: 5/s}, on_redis_down: closed}",
    ),
    ("everybody may come in", "BASE\nlisteners: {api: {bind: '0.0.0.0:4000'}}"),
    ("open to everybody", "BASE\nlisteners: {api: {bind: '0.0.0.0:4000'}}\nauth: {mode: open}"),
    (
        "an admin listener without a token",
        "BASE\nlisteners: {admin: {bind: '[::]:4001', token: '${TOKEN:-}'}}",
    ),
    ("keys that nobody is asked for", "BASE\nauth: {mode: open}\nkeys: [{name: k, HASH, models: [m]}]"),
    ("keys, and none is listed", "BASE\nauth: {mode: keys}"),
    ("two listeners on one address", "BASE\nlisteners: {api: {bind: '127.0.0.1:4001'}}"),
    (
        "two listeners on ports of the system's choice",
        "BASE\nlisteners: {api: {bind: '127.0.0.1:0'}, admin: {bind: '127.0.0.1:0', token: 'typed'}}",
    ),
    (
        "listeners in detail",
        "BASE\nlisteners: {api: {bind: localhost, trusted_proxies: [10.0.0.1, 10.0.0.0/8], cors: {origins: ['*', 'https://a.example', 'https://a.example/x']}, tls: {cert: /nonexistent/c.pem}}}",
    ),
    (
        "origins that no browser sends",
        "BASE\nlisteners: {api: {cors: {origins: ['https://a.example/', 'https://A.example', 'https://a.example:443', 'a.example', 'https://a b', 'https://u@a.example', 'http://[::1', 'null', 'http://a:70000', 'http://[::1]:3000', 'chrome-extension://abcdef', 'http://localhost:3000']}}}",
    ),
    (
        "every page, and keys for nobody",
        "BASE\nauth: {mode: open}\nlisteners: {api: {cors: {origins: ['*']}}}",
    ),
    (
        "every page that has a key",
        "BASE\nauth: {mode: keys}\nkeys: [{name: k, HASH, models: [m]}]\nlisteners: {api: {cors: {origins: ['*']}}}",
    ),
    (
        "redis",
        "BASE\nredis: {mode: sentinel, urls: ['http://user:hunter2@h', 'redis://h']}\ncache: {ttl: 25h}",
    ),
    ("redis without servers", "BASE\nredis: {urls: [], master: m}"),
    ("a cache in a Redis that is not there", "BASE\ncache: {redis: true}"),
    ("a cache without room for its largest answers", "BASE\ncache: {memory: 512KiB}"),
    ("a cache that keeps nothing in memory", "BASE\ncache: {memory: 0B, mode: disabled}"),
    ("a bare nothing", "BASE\ncache: {memory: 0}"),
    (
        "overrides without a cache, told once; switching off what is off is fine",
        "providers: [{name: up, kind: vllm}]\nmodels:\n- {name: m, targets: [{provider: up, model: m}], cache: {mode: disabled}}\n- {name: n, targets: [{provider: up, model: m}], cache: {mode: all}}\nkeys: [{name: k, HASH, models: ['*'], cache: {ttl: 5m}}]",
    ),
    (
        "answers that tenants share, told once",
        "BASE\ntenants: [{name: t}]\ncache: {scope: tenant}\nkeys:\n- {name: k, HASH, models: ['*'], cache: {scope: global}}\n- {name: l, tenant: t, hash: 'blake3:1111111111111111111111111111111111111111111111111111111111111111', models: ['*'], cache: {scope: global}}",
    ),
    (
        "answers that a single tenant's keys share",
        "BASE\ncache: {scope: global}\nkeys: [{name: k, HASH, models: ['*']}]",
    ),
    ("several documents", "version: 1\n---\nversion: 1"),
    ("a list at the top", "- version: 1"),
    ("no YAML at all", "providers:\n  - {name: up, value: \"sk-secret-1\n  kind: x"),
    ("a tab", "providers:\n\t- name: sk-secret-2"),
    ("an alias without an anchor", "shutdown: *sk-secret-3"),
    ("a complex key", "? [a]\n: b"),
    (
        "variables",
        "BASE\nstate_dir: ${UNSET}\nledger: {tags: ['${', '${}', '${a b}', '${UNSET:-ok}', '$$5', '$x']}\nshutdown: {delay: '${UNSET:-5}'}",
    ),
    ("secrets in files", "BASE\nlisteners: {admin: {token: '${file:/nonexistent/token}'}}"),
];

fn report(yaml: &str) -> String {
    let yaml = yaml.replace("BASE\n", BASE).replace("HASH", HASH);
    let options = Options { env: Env::Map([].into()), env_optional: false };
    match load(Source::Text { name: "f", text: &yaml, base: Path::new("") }, &options) {
        Ok(loaded) => loaded.report.render(false),
        Err(report) => report.render(false),
    }
}

#[test]
fn every_mistake_is_named_with_its_place_and_a_way_out() {
    let mut out = String::new();
    for (sentence, yaml) in CASES {
        // What loads without a word says so.
        let report =
            Some(report(yaml)).filter(|report| !report.is_empty()).unwrap_or_else(|| "fine\n".to_owned());
        writeln!(out, "##### {sentence}\n{report}").unwrap();
    }
    assert!(!out.contains("sk-secret") && !out.contains("hunter2"), "{out}");
    insta::assert_snapshot!(out);
}
