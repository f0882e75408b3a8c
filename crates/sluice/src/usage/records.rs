//! Single records: a line for each, with its tries, for people; JSON lines for programs.

use super::figures::{Align, columns, dollars, usd};
use serde::Serialize;
use sluice_core::ledger::{Bought, StoredAttempt, StoredRecord, Tokens};
use std::{collections::BTreeMap, time::Duration};

/// For people.
pub(super) fn text(records: &[StoredRecord], limit: u32) -> String {
    if records.is_empty() {
        return "no requests\n".to_owned();
    }
    let heading = [
        "time",
        "id",
        "tenant",
        "key",
        "endpoint",
        "model",
        "provider/model",
        "end",
        "status",
        "tokens",
        "cost",
        "took",
        "attempts",
    ];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    rows.extend(records.iter().map(line));
    let align: Vec<Align> = heading
        .iter()
        .map(|name| match *name {
            "cost" => Align::Point,
            "took" => Align::Right,
            _ => Align::Left,
        })
        .collect();
    let mut text = columns(&align, rows);
    if u32::try_from(records.len()).is_ok_and(|shown| shown >= limit) {
        text.push_str(&format!("\nat most {limit} are shown; --limit N shows more\n"));
    }
    text
}

fn line(record: &StoredRecord) -> Vec<String> {
    let or_none = |text: Option<&String>| text.cloned().unwrap_or_else(|| "-".to_owned());
    let target = match (&record.provider, &record.upstream_model) {
        (Some(provider), Some(model)) => format!("{provider}/{model}"),
        _ => "-".to_owned(),
    };
    let mut end = record.end.clone();
    // A hit, a shared answer, or what went wrong: the one word that the end alone does not say.
    let more = record.error_code.as_ref().or(record.cache.as_ref().filter(|cache| is_free(cache)));
    if let Some(more) = more {
        end.push_str(&format!(" ({more})"));
    }
    vec![
        record.ended.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        record.id.clone(),
        record.tenant.clone(),
        record.key.clone(),
        if record.stream { format!("{} stream", record.endpoint) } else { record.endpoint.clone() },
        or_none(record.model.as_ref()),
        target,
        end,
        status(Some(record.status)),
        tokens(&record.bought),
        record.bought.nano_usd.map_or_else(|| "-".to_owned(), dollars),
        took(record.took),
        attempts(&record.attempts),
    ]
}

/// Was nothing asked of an upstream for it?
fn is_free(cache: &str) -> bool {
    matches!(cache, "hit" | "coalesced")
}

/// A client that was gone saw none.
fn status(status: Option<u16>) -> String {
    status.filter(|status| *status > 0).map_or_else(|| "-".to_owned(), |status| status.to_string())
}

/// `10 in, 3 read, 5 out (provider)`.
fn tokens(bought: &Bought) -> String {
    let Some(Tokens { input, cache_read, cache_write, output, .. }) = bought.tokens else {
        return "-".to_owned();
    };
    let mut text = format!("{input} in");
    for (number, what) in [(cache_read, "read"), (cache_write, "written")] {
        if number > 0 {
            text.push_str(&format!(", {number} {what}"));
        }
    }
    text.push_str(&format!(", {output} out"));
    match &bought.source {
        Some(source) => format!("{text} ({source})"),
        None => text,
    }
}

/// `a/m connect_error (refused); b/m ok 200`.
fn attempts(attempts: &[StoredAttempt]) -> String {
    let told = attempts.iter().map(|attempt| {
        let StoredAttempt { provider, upstream_model, outcome, reason, .. } = attempt;
        let status = attempt.status.map_or_else(String::new, |status| format!(" {status}"));
        let reason = reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
        format!("{provider}/{upstream_model} {outcome}{status}{reason}")
    });
    let told = told.collect::<Vec<_>>().join("; ");
    if told.is_empty() { "-".to_owned() } else { told }
}

fn took(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

/// For programs: an object on each line.
pub(super) fn json_lines(records: &[StoredRecord]) -> String {
    let mut text = String::new();
    for record in records {
        // Plain data always has a JSON form.
        text.push_str(&serde_json::to_string(&Object::from(record)).unwrap_or_default());
        text.push('\n');
    }
    text
}

/// A line of `--records --json`.
#[derive(Serialize)]
struct Object<'a> {
    id: &'a str,
    time: String,
    took_ms: u64,
    tenant: &'a str,
    key: &'a str,
    endpoint: &'a str,
    model: Option<&'a str>,
    provider: Option<&'a str>,
    upstream_model: Option<&'a str>,
    stream: bool,
    status: u16,
    end: &'a str,
    error_code: Option<&'a str>,
    cache: Option<&'a str>,
    #[serde(flatten)]
    spent: Spent<'a>,
    prices: Option<&'a str>,
    tags: &'a BTreeMap<String, String>,
    user: Option<&'a str>,
    client: Option<&'a str>,
    attempts: Vec<Try<'a>>,
}

#[derive(Serialize)]
struct Try<'a> {
    provider: &'a str,
    upstream_model: &'a str,
    outcome: &'a str,
    status: Option<u16>,
    reason: Option<&'a str>,
    took_ms: u64,
    #[serde(flatten)]
    spent: Spent<'a>,
}

/// What was bought; null where nothing is known.
#[derive(Serialize)]
struct Spent<'a> {
    input_tokens: Option<u64>,
    cache_read_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
    output_tokens: Option<u64>,
    reasoning_tokens: Option<u64>,
    tokens_source: Option<&'a str>,
    cost_nano_usd: Option<u64>,
    cost_usd: Option<String>,
}

impl<'a> From<&'a StoredRecord> for Object<'a> {
    fn from(record: &'a StoredRecord) -> Self {
        Self {
            id: &record.id,
            time: record.ended.to_string(),
            took_ms: millis(record.took),
            tenant: &record.tenant,
            key: &record.key,
            endpoint: &record.endpoint,
            model: record.model.as_deref(),
            provider: record.provider.as_deref(),
            upstream_model: record.upstream_model.as_deref(),
            stream: record.stream,
            status: record.status,
            end: &record.end,
            error_code: record.error_code.as_deref(),
            cache: record.cache.as_deref(),
            spent: Spent::from(&record.bought),
            prices: record.prices.as_deref(),
            tags: &record.tags,
            user: record.user.as_deref(),
            client: record.client.as_deref(),
            attempts: record.attempts.iter().map(Try::from).collect(),
        }
    }
}

impl<'a> From<&'a StoredAttempt> for Try<'a> {
    fn from(attempt: &'a StoredAttempt) -> Self {
        Self {
            provider: &attempt.provider,
            upstream_model: &attempt.upstream_model,
            outcome: &attempt.outcome,
            status: attempt.status,
            reason: attempt.reason.as_deref(),
            took_ms: millis(attempt.took),
            spent: Spent::from(&attempt.bought),
        }
    }
}

impl<'a> From<&'a Bought> for Spent<'a> {
    fn from(bought: &'a Bought) -> Self {
        let number = |class: fn(Tokens) -> u64| bought.tokens.map(class);
        Self {
            input_tokens: number(|tokens| tokens.input),
            cache_read_tokens: number(|tokens| tokens.cache_read),
            cache_write_tokens: number(|tokens| tokens.cache_write),
            output_tokens: number(|tokens| tokens.output),
            reasoning_tokens: number(|tokens| tokens.reasoning),
            tokens_source: bought.source.as_deref(),
            cost_nano_usd: bought.nano_usd,
            cost_usd: bought.nano_usd.map(usd),
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
