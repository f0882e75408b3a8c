//! Whole files: what loads, what does not, and that one run says everything.

use super::*;
use crate::model::*;
use std::time::Duration;

/// Loads a text with no environment but `env`.
fn load_with(yaml: &str, env: &[(&str, &str)]) -> Result<Loaded, Report> {
    load(text(yaml), &options(env))
}

fn text(text: &str) -> Source<'_> {
    Source::Text { name: "sluice.yaml", text, base: Path::new("") }
}

fn options(env: &[(&str, &str)]) -> Options {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Options { env: Env::Map(env), env_optional: false }
}

/// The report of a text, good or bad.
fn report(yaml: &str, env: &[(&str, &str)]) -> String {
    match load_with(yaml, env) {
        Ok(loaded) => loaded.report.render(false),
        Err(report) => report.render(false),
    }
}

fn shipped() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config")
}

#[test]
fn every_shipped_file_loads_as_it_is() {
    let files: Vec<_> = std::fs::read_dir(shipped()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let yaml = files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let mut seen = 0;
    for path in yaml {
        seen += 1;
        let loaded = load(Source::File(path), &options(&[]));
        assert!(loaded.is_ok(), "{}", loaded.unwrap_err());
    }
    assert!(seen >= 2);
}

#[test]
fn the_default_file_says_what_an_empty_one_means() {
    let written = load_with(&default_yaml(), &[]).unwrap().settings;
    let empty = load_with("version: 1", &[]).unwrap().settings;
    assert_eq!(written, empty);
}

#[test]
fn the_default_file_names_every_default_there_is() {
    let reading = read(text(&default_yaml()), &options(&[]));
    let mut missing = Vec::new();
    let mut walk = vec![(String::new(), reading.effective)];
    while let Some((at, value)) = walk.pop() {
        match value.kind {
            config::ValueKind::Table(table) => {
                walk.extend(table.into_iter().map(|(name, value)| (path::field(&at, &name), value)));
            }
            _ if reading.index.spot(&at).is_none() => missing.push(at),
            _ => {}
        }
    }
    assert_eq!(missing, ["auth.mode"]);
}

#[test]
fn the_example_is_typed_as_it_is_written() {
    let path = shipped().join("sluice.example.yaml");
    let settings = load(Source::File(&path), &options(&[])).unwrap().settings;

    assert!(settings.state_dir.ends_with("config/./sluice-data"));
    assert_eq!(settings.listeners.api.max_body, Bytes(20 * 1024 * 1024));
    assert_eq!(settings.listeners.admin.token, None);
    let redis = settings.redis.unwrap();
    assert_eq!(redis.urls, [Secret::new("redis://127.0.0.1:6379".to_owned())]);
    assert_eq!(redis.timeout, Duration::from_millis(50));

    let openai = &settings.providers[0];
    assert_eq!(openai.base_url, "https://api.openai.com/v1");
    assert_eq!(openai.keys[0].weight, 3);
    assert_eq!(openai.drop_fields, ["cache_control", "**.cache_control"]);
    assert_eq!(openai.timeouts.total, Duration::from_secs(30 * 60));
    let requests = openai.limits.as_ref().unwrap().requests.unwrap();
    assert_eq!((requests.rate.amount, requests.burst), (10_000, 10_000));
    let gpu = settings.providers.iter().find(|provider| provider.name == "gpu").unwrap();
    assert_eq!(gpu.headers, [("x-team".to_owned(), Secret::new("platform".to_owned()))]);

    let smart = settings.models.iter().find(|model| model.name == "smart").unwrap();
    let laguna = settings.models.iter().find(|model| model.name == "laguna").unwrap();
    assert_eq!(laguna.fallbacks, ["gpt-4o-mini"]);
    assert_eq!(
        smart.targets.iter().map(|target| (target.weight, target.priority)).collect::<Vec<_>>(),
        [(80, 0), (20, 0), (1, 1)]
    );
    assert_eq!(smart.names().collect::<Vec<_>>(), ["smart", "clever", "gpt-4o"]);
    let gpu = &smart.targets[2];
    assert_eq!((gpu.context_window, gpu.max_output_tokens), (Some(131_072), Some(8_192)));
    assert_eq!(gpu.lacks, [Feature::Images, Feature::Logprobs]);
    assert_eq!(smart.rules[1].when.header.as_ref().unwrap().equals, "gold");
    assert_eq!(smart.hedge, Some(Hedge { after: 0.95, max_ratio: Ratio(0.02) }));
    assert_eq!(smart.resilience.as_ref().unwrap().attempts, Some(4));

    let cache = settings.cache.unwrap();
    assert!(cache.redis && cache.coalesce);
    assert_eq!(settings.limits.unwrap().tokens.unwrap().burst, 200_000);
    assert_eq!(
        settings.tenants.iter().map(|tenant| tenant.name.as_str()).collect::<Vec<_>>(),
        ["search", "batch", "default"]
    );
    assert_eq!(settings.auth.mode, AuthMode::Keys);
    assert_eq!(settings.keys[1].hash, KeyHash([0x11; 32]));
    // The end of the day that is named.
    assert_eq!(settings.keys[0].expires, Some(Expiry(1_814_400_000)));
    assert_eq!(settings.ledger.retention, Duration::from_secs(400 * 86_400));
    assert_eq!(settings.telemetry.traces, None);
}

const UGLY: &str = r#"
version: 1
listeners:
  api: {bind: "0.0.0.0:4000", max_body: 20, header_timeout: 10 seconds, max_conections: 5}
  admin: {bind: "0.0.0.0:4000"}
providers:
  - name: openai
    kind: opnai
    keys:
      - {name: main, value: sk-live-abcdefgh}
      - {name: main, value: "${UNSET_KEY}"}
  - name: gpu
    kind: openai_compatible
    base_url: "http://10.0.0.7:8000"
    headers: {connection: close, "bad name": x}
    http2: yes
  - name: gpu
    kind: openai_compatible
models:
  - name: smart
    name: smarter
    targets: [{provider: opena, model: gpt-4o, weight: 0}, {model: gpt-4o, weight: 0}]
    cache: {mode: off, ttl: 25h}
    rules: [{when: {}, targets: []}]
  - name: "a*b"
    targets: {provider: openai, model: x}
limits: {requests: {rate: 600}, concurrency: -1}
tenants: [{name: search, budget: {usd: 0, per: month}}]
keys:
  - {name: k, tenant: serch, hash: "blake3:12", models: [smrt]}
  - {name: old, hash: "blake3:0000000000000000000000000000000000000000000000000000000000000000", models: ["*"], expires: 2020-01-01}
cache:
shutdown: 5s
"#;

#[test]
fn one_run_lists_every_problem_of_an_ugly_file() {
    let env = [("SLUICE__LISTENERS__API__BNID", "x"), ("SLUICE__KEYS__0__NAME", "x")];
    insta::assert_snapshot!(report(UGLY, &env));
}

/// Secrets wherever one may stand, and some where none belongs.
const SECRETS: &str = r#"
listeners:
  admin: {bind: "127.0.0.1:4001", token: sk-secret-1}
redis:
  urls: ["redis://:sk-secret-2@127.0.0.1:6379"]
providers:
  - name: up
    kind: vllm
    keys:
      - {name: main, value: "sk-secret-3"}
      - name: "spare"    # was 'sk-secret-5'
        value: sk-secret-4 # was sk-secret-5
    headers: {authorization: "Bearer sk-secret-6"}
    proxy: "http://user:sk-secret-7@proxy:3128"
  - name: down
    kind: vllm
    keys: [{name: main, value: "${KEY}"}]
    headers:
      x-key: >-
        sk-secret-8
        sk-secret-9
models:
  - name: m
    targets: [{provider: up, model: m}, {provider: down, model: m}]
keys:
  - {name: k, hash: sk-secret-10, models: [m]}
  - {name: l, hash: "blake3:0000000000000000000000000000000000000000000000000000000000000000", secret: sk-secret-11, models: [m]}
"#;

/// Everything that can be made of a load's outcome.
fn everything(yaml: &str) -> String {
    let options = options(&[("KEY", "sk-secret-12"), ("SLUICE__LISTENERS__ADMIN__TOKEN", "sk-secret-13")]);
    let shown = show(text(yaml), &options).unwrap_or_else(|report| report.render(true));
    match load(text(yaml), &options) {
        Ok(loaded) => format!("{shown}{loaded:?}{}", loaded.report),
        Err(report) => format!("{shown}{report:?}{report}"),
    }
}

#[test]
fn no_secret_is_ever_shown_however_the_file_is_broken() {
    let hash = format!("hash: 'blake3:{}'", "1".repeat(64));
    let good = SECRETS.replace("hash: sk-secret-10", &hash);
    let good = good.replace("secret: sk-secret-11, ", "").replace("user:sk-secret-7@", "");
    assert!(load(text(&good), &options(&[("KEY", "sk-secret-12")])).is_ok(), "{}", everything(&good));
    let lines: Vec<&str> = SECRETS.lines().collect();
    for index in 0..lines.len() {
        let line = lines[index];
        let broken = [
            line.to_owned(),
            String::new(),
            format!("{line}\n{line}"),
            format!(" {line}"),
            line.trim_start().to_owned(),
            format!("\t{line}"),
            line.replacen(':', "", 1),
            line.replacen(": ", ": [", 1),
            line.replacen(": ", ":\n- ", 1),
            line.replacen(": ", ": &a ", 1),
            line.replacen(": ", ": !!int ", 1),
            line.replacen(": ", ": *", 1),
            line.replacen(": ", ": ${", 1),
            line.replacen("value", "vaule", 1),
            line.replace('"', ""),
            line.replacen('"', "", 1),
            line.replace("sk-", "sk-\r"),
            line.replace("sk-", "ü\u{2028}sk-"),
            line.replace('}', ""),
            line.replace('{', ""),
        ];
        for line in broken {
            let mut lines = lines.clone();
            lines[index] = &line;
            let yaml = lines.join(if index % 2 == 0 { "\n" } else { "\r\n" });
            let out = everything(&yaml);
            assert!(!out.contains("secret-"), "{yaml}\n{out}");
        }
    }
}

#[test]
fn an_alias_bomb_is_refused_at_once() {
    let mut yaml = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..40 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        yaml += &format!("a{level}: &a{level} [{aliases}]\n");
    }
    let start = std::time::Instant::now();
    let report = report(&yaml, &[]);
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert!(report.contains("error[SL027]"), "{report}");
}

#[test]
fn a_long_text_cannot_be_multiplied_by_aliases() {
    let yaml = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), vec!["*a"; 10_000].join(", "));
    assert!(report(&yaml, &[]).contains("error[SL027]"));
}

#[test]
fn a_large_honest_file_loads() {
    let mut yaml = "providers: [{name: up, kind: vllm}]\n\
        models: [{name: m, targets: [{provider: up, model: m}]}]\nkeys:\n"
        .to_owned();
    for index in 0..2_000 {
        yaml += &format!("- {{name: key-{index}, hash: 'blake3:{index:064x}', models: [m]}}\n");
    }
    assert_eq!(load_with(&yaml, &[]).unwrap().settings.keys.len(), 2_000);
}

#[test]
fn the_largest_number_is_one_and_a_larger_one_is_told_of() {
    let yaml = |most: &str| {
        format!(
            "providers: [{{name: up, kind: vllm, max_concurrency: {most}}}]\n\
             models: [{{name: m, targets: [{{provider: up, model: m}}]}}]\nauth: {{mode: open}}\n"
        )
    };
    let largest = load_with(&yaml(&u64::MAX.to_string()), &[]).unwrap();
    assert!(largest.since(&largest.effective).is_empty());
    let told = report(&yaml("99999999999999999999999"), &[]);
    assert!(told.contains("`max_concurrency` is out of range"), "{told}");
}

#[test]
fn files_that_cannot_be_read_say_why() {
    let of = |path: &Path| load(Source::File(path), &options(&[])).unwrap_err().to_string();
    assert_eq!(
        of(Path::new("/nonexistent.yaml")),
        "error[SL001]: /nonexistent.yaml does not exist\n\n1 error\n"
    );
    assert!(of(Path::new("/")).starts_with("error[SL001]: / cannot be read: is a directory"));
}

#[test]
fn relative_paths_start_at_the_files_folder() {
    let source = Source::Text { name: "x", text: "state_dir: data", base: Path::new("/etc/sluice") };
    assert_eq!(load(source, &options(&[])).unwrap().settings.state_dir, Path::new("/etc/sluice/data"));
}

#[test]
fn on_another_machine_missing_variables_and_files_are_warnings() {
    let yaml = "providers: [{name: up, kind: openai, keys: [{name: a, value: '${KEY}'}]}]\n\
        models: [{name: m, targets: [{provider: '${UP}', model: m}]}]\n\
        listeners: {api: {bind: '${BIND}', tls: {cert: /nonexistent/c, key: '${file:/nonexistent/k}'}}}";
    let options = Options { env_optional: true, ..options(&[]) };
    let loaded = load(text(yaml), &options).unwrap();
    let codes: Vec<_> = loaded.report.iter().map(|one| (one.level, one.code)).collect();
    let unset = (Level::Warning, "SL019");
    assert_eq!(codes, [unset, unset, unset, (Level::Warning, "SL025"), unset], "{}", loaded.report);
}

#[test]
fn an_admin_token_that_only_the_server_has_is_one() {
    let yaml = "listeners: {admin: {bind: '0.0.0.0:4001', token: '${TOKEN}'}}";
    let options = Options { env_optional: true, ..options(&[]) };
    assert!(load(text(yaml), &options).is_ok());
    let none = yaml.replace("${TOKEN}", "${TOKEN:-}");
    assert!(load(text(&none), &options).unwrap_err().render(false).contains("SL023"));
}

#[test]
fn a_pipe_in_a_folder_is_not_waited_for() {
    let pipe = std::env::temp_dir().join(format!("sluice-pipe-{}", std::process::id()));
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let report = load(Source::File(&pipe), &options(&[])).err().unwrap().render(false);
    std::fs::remove_file(pipe).unwrap();
    assert!(report.contains("is a pipe"), "{report}");
}
