//! The README's tables of providers are the data files' own word.

use super::catalogue::{families_of, lineage};
use super::*;
use crate::provider::{PRESETS, Preset, preset};
use std::{collections::BTreeMap, fmt::Write, fs, path::Path};

const BEGIN: &str = "<!-- providers:begin -->\n";
const END: &str = "<!-- providers:end -->";

/// What clients ask for most, by dialect.
const SHOWN: &[(Dialect, &[&str])] = &[
    (
        Dialect::Chat,
        &[
            "tools",
            "response_format",
            "reasoning_effort",
            "cache_control",
            "stop",
            "temperature",
            "top_k",
            "user",
            "service_tier",
            "seed",
            "logprobs",
            "logit_bias",
            "frequency_penalty",
            "metadata",
            "store",
            "prediction",
            "web_search_options",
            "n",
            "modalities",
        ],
    ),
    (
        Dialect::Completions,
        &["prompt", "response_format", "cache_control", "logprobs", "best_of", "echo", "suffix"],
    ),
    (
        Dialect::Responses,
        &[
            "input",
            "tools",
            "text.format",
            "reasoning.effort",
            "cache_control",
            "metadata",
            "store",
            "truncation",
            "prompt_cache_key",
            "previous_response_id",
            "background",
        ],
    ),
    (
        Dialect::Messages,
        &[
            "system",
            "tools",
            "output_config.format",
            "thinking",
            "thinking_history",
            "cache_control",
            "stop_sequences",
            "temperature",
            "top_k",
            "metadata",
            "service_tier",
            "container",
            "context_management",
            "mcp_servers",
            "inference_geo",
        ],
    ),
];

/// `SLUICE_WRITE_README=1` writes the tables anew.
#[test]
fn the_readme_says_of_providers_what_the_tables_say() {
    let tables = format!("{}\n{}\n{}", endpoints(), treatments(), differences());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (written, after) = rest.split_once(END).unwrap();
    if std::env::var_os("SLUICE_WRITE_README").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{tables}{END}{after}")).unwrap();
    } else {
        assert_eq!(written, tables, "write it anew with SLUICE_WRITE_README=1");
    }
}

/// Which endpoints a provider has, and which are served by another.
fn endpoints() -> String {
    let mut table = "| `kind` |".to_owned();
    for dialect in Dialect::ALL {
        write!(table, " {} |", dialect.as_str()).unwrap();
    }
    table.push_str("\n| --- | --- | --- | --- | --- | --- | --- |\n");
    for preset in PRESETS {
        write!(table, "| `{}` |", preset.id).unwrap();
        let general = families_of(preset.id).last().expect("a general family").1;
        for dialect in Dialect::ALL {
            write!(table, " {} |", endpoint(preset, general, dialect)).unwrap();
        }
        table.push('\n');
    }
    table
}

fn endpoint(preset: &Preset, general: &Family, dialect: Dialect) -> String {
    if general.serves(dialect) {
        return "native".to_owned();
    }
    match dialect {
        Dialect::Embeddings => return "—".to_owned(),
        Dialect::CountTokens => return "estimated".to_owned(),
        _ => {}
    }
    let served: Vec<String> = families_of(preset.id)
        .filter(|(_, family)| family.serves(dialect))
        .map(|(models, _)| format!("`{models}`"))
        .collect();
    match &served[..] {
        [] => "translated".to_owned(),
        _ => format!("translated; native for {}", served.join(", ")),
    }
}

/// What becomes of members, by format.
fn treatments() -> String {
    let mut table =
        "| client | member | `anthropic` | `openai` | `openai_compatible` | with chat alone |\n".to_owned();
    table.push_str("| --- | --- | --- | --- | --- | --- |\n");
    for (client, members) in SHOWN {
        for member in *members {
            write!(table, "| {} | `{member}` |", client.as_str()).unwrap();
            for kind in ["anthropic", "openai", "openai_compatible"] {
                write!(table, " {} |", treatment(kind, *client, member)).unwrap();
            }
            let with_chat = family("openai_compatible", "").serving(Endpoints::NONE.with(Dialect::Chat));
            writeln!(table, " {} |", with_chat.treatment(*client, member).as_str()).unwrap();
        }
    }
    table
}

/// One word, or several where it depends on the model.
fn treatment(kind: &str, client: Dialect, member: &str) -> String {
    let general = families_of(kind).last().expect("a general family").1;
    // Models that only complete texts are an old exception, and are not asked in any other way.
    let usual = families_of(kind).filter(|(_, family)| family.wire(client) == general.wire(client));
    let found: Vec<Treatment> = usual.map(|(_, family)| family.treatment(client, member)).collect();
    let words: Vec<&str> =
        Treatment::ALL.into_iter().filter(|known| found.contains(known)).map(Treatment::as_str).collect();
    words.join(" or ")
}

/// Members by client, models and treatment.
type Differences<'a> = BTreeMap<(usize, &'a str, &'a str), Vec<&'a str>>;

/// What the tables say of single providers of OpenAI's format.
fn differences() -> String {
    let kinds = ["anthropic", "openai", "openai_compatible"];
    let mut told: BTreeMap<&str, Differences<'_>> = BTreeMap::new();
    for row in members::rows().filter(|row| !kinds.contains(&row.provider)) {
        let preset = preset(row.provider).expect("a preset");
        assert_eq!(lineage(preset).first(), Some(&row.provider));
        let key = (row.client as usize, row.models, row.treatment.as_str());
        told.entry(row.provider).or_default().entry(key).or_default().push(row.member);
    }
    let mut list = String::new();
    for (provider, groups) in told {
        let group = |((client, models, treatment), members): (&(usize, &str, &str), &Vec<&str>)| {
            let of = if *models == "*" { String::new() } else { format!(" (`{models}`)") };
            format!("{}{of}: `{}` {treatment}", Dialect::ALL[*client].as_str(), members.join("`, `"))
        };
        let groups: Vec<String> = groups.iter().map(group).collect();
        writeln!(list, "- `{provider}`, {}.", groups.join("; ")).unwrap();
    }
    list
}
