//! Is there exactly one record of each accepted request, and does the ledger agree with itself?
//!
//! A request is accepted when its key was; each of those has exactly one log line that names the key. So log and
//! ledger must hold the same requests, and all that clients were answered must be among them.

use crate::{
    books::{Ledger, Log},
    client::{Crowd, Seen},
    house::{House, PRICES},
    plan::Plan,
    ways::Leaves,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::{collections::BTreeMap, fmt, path::Path, time::SystemTime};

/// A killed gateway may lose its last second, and some time goes by until a batch is written.
const MAY_BE_LOST: SignedDuration = SignedDuration::from_millis(1_200);

/// Names of a kind of fault are told up to so many times.
const MOST: usize = 12;

/// What is not as it should be.
#[derive(Default)]
pub(crate) struct Findings(Vec<String>);

impl Findings {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn unless(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.0.push(what());
        }
    }

    /// Notes numbers of requests, unless there are none.
    fn none(&mut self, what: &str, numbers: &[u32]) {
        self.unless(numbers.is_empty(), || {
            format!("{what}: {} requests, such as {:?}", numbers.len(), &numbers[..numbers.len().min(MOST)])
        });
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|finding| writeln!(f, "WRONG: {finding}"))
    }
}

/// How often each request is in log and ledger.
fn counted(numbers: impl Iterator<Item = u32>, len: usize) -> Vec<u8> {
    let mut counts = vec![0_u8; len];
    for number in numbers {
        let count = counts.get_mut(number as usize).expect("only what was sent is told of");
        *count = count.saturating_add(1);
    }
    counts
}

/// Log, ledger and clients tell of the same requests.
pub(crate) fn each_exactly_once(crowd: &Crowd, log: &Log, ledger: &Ledger, findings: &mut Findings) {
    let seen = crowd.seen();
    let ids = ledger.ids();
    let lines = counted(log.lines.iter().map(|(number, _)| *number), seen.len());
    let records = counted(ids.iter().copied(), seen.len());
    let those = |fits: &dyn Fn(usize) -> bool| -> Vec<u32> {
        (0..seen.len()).filter(|n| fits(*n)).map(|n| n as u32).collect()
    };
    findings.none("in the log and not in the ledger", &those(&|n| lines[n] > 0 && records[n] == 0));
    findings.none("in the ledger and not in the log", &those(&|n| records[n] > 0 && lines[n] == 0));
    findings.none("twice in the ledger", &those(&|n| records[n] > 1));
    findings.none("twice in the log", &those(&|n| lines[n] > 1));
    let answered = |n: usize| seen[n].status().is_some_and(|status| status != 401);
    findings.none("answered and without a record", &those(&|n| answered(n) && records[n] == 0));
    let plans: Vec<Plan> = (0..seen.len()).map(|n| Plan::draw(crowd.seed, n as u32)).collect();
    let strangers = those(&|n| plans[n].stranger);
    let refused = strangers.iter().filter(|n| seen[**n as usize] == Seen::Answer(401)).count();
    findings.none("strangers with a record", &those(&|n| plans[n].stranger && records[n] > 0));
    findings.none(
        "turned away and no stranger",
        &those(&|n| seen[n].status() == Some(401) && !plans[n].stranger),
    );
    findings.none("hung", &those(&|n| seen[n] == Seen::Hung));
    // What a drain promises: an answer to whom was let in and stays.
    findings.none(
        "accepted, stayed, and got no whole answer",
        &those(&|n| {
            records[n] > 0 && plans[n].leaves == Leaves::Never && !matches!(seen[n], Seen::Answer(_))
        }),
    );
    let count = |fits: &dyn Fn(&Seen) -> bool| seen.iter().filter(|seen| fits(seen)).count();
    let by_status = seen.iter().filter_map(|seen| match seen {
        Seen::Answer(status) => Some(*status),
        _ => None,
    });
    let mut statuses = BTreeMap::<u16, u32>::new();
    by_status.for_each(|status| *statuses.entry(status).or_default() += 1);
    println!(
        "{} answered {statuses:?} ({refused} of {} strangers turned away), {} left ({:.1} %), {} broke off, {} met a \
         closed door",
        count(&|seen| matches!(seen, Seen::Answer(_))),
        strangers.len(),
        count(&|seen| matches!(seen, Seen::Left(_))),
        count(&|seen| matches!(seen, Seen::Left(_))) as f64 * 100.0 / seen.len() as f64,
        count(&|seen| matches!(seen, Seen::Half(_))),
        count(&|seen| matches!(seen, Seen::Silence)),
    );
    let ends = ledger.ends();
    for (end, count) in &ends {
        let fits = !["drain", "gateway_error"].contains(&end.as_str());
        findings.unless(fits, || format!("{count} requests ended with {end}"));
    }
    println!("{} accepted by the log, {} records: {}", log.lines.len(), ids.len(), listed(&ends));
}

/// Names and numbers in one line.
pub(crate) fn listed(counts: &[(String, u64)]) -> String {
    counts.iter().map(|(what, count)| format!("{what} {count}")).collect::<Vec<_>>().join(", ")
}

/// What `sluice usage` calls its sums, and what they are over records.
const SUMS: &[(&str, &str)] = &[
    ("requests", "count(*)"),
    ("errors", "sum(end NOT IN ('ok', 'cancelled'))"),
    ("cache_hits", "coalesce(sum(cache IN ('hit', 'coalesced')), 0)"),
    ("input_tokens", "coalesce(sum(input), 0)"),
    ("cache_read_tokens", "coalesce(sum(cache_read), 0)"),
    ("cache_write_tokens", "coalesce(sum(cache_write), 0)"),
    ("output_tokens", "coalesce(sum(output), 0)"),
    ("reasoning_tokens", "coalesce(sum(reasoning), 0)"),
    ("unpriced_requests", "sum(cost IS NULL AND input IS NOT NULL)"),
    ("cost_nano_usd", "coalesce(sum(cost), 0)"),
];

/// Records are the sums of their tries, costs are tokens times prices, and `sluice usage` adds up records.
pub(crate) fn the_ledger_agrees_with_itself(house: &House, ledger: &Ledger, findings: &mut Findings) {
    let sound = ledger.text("PRAGMA integrity_check");
    findings.unless(sound == "ok", || format!("the ledger's file: {sound}"));
    for column in ["input", "cache_read", "cache_write", "output", "reasoning", "cost"] {
        let unequal = ledger.number(&format!(
            "SELECT count(*) FROM records LEFT JOIN \
             (SELECT record, sum({column}) AS tried FROM tries GROUP BY record) ON record = seq \
             WHERE {column} IS NOT tried"
        ));
        findings
            .unless(unequal == 0, || format!("{unequal} records whose {column} is not that of their tries"));
    }
    let [input, cached, output] = PRICES;
    let wrong = ledger.number(&format!(
        "SELECT count(*) FROM tries WHERE cost IS NOT iif(provider = 'free' OR source IS NULL, NULL, \
         (input + cache_write) * {input} + cache_read * {cached} + output * {output})"
    ));
    findings.unless(wrong == 0, || format!("{wrong} tries whose cost is not that of their tokens"));
    let given = ledger.number(
        "SELECT count(*) FROM records WHERE cache IN ('hit', 'coalesced') AND coalesce(input + output + cost, 0) > 0",
    );
    findings.unless(given == 0, || format!("{given} answers that were there already and yet cost something"));
    let mut total = Value::Null;
    for (by, column) in [
        ("tenant", "tenant"),
        ("key", "key"),
        ("model", "coalesce(model, '')"),
        ("day", "date(at / 1000, 'unixepoch')"),
    ] {
        let output = house.usage(by);
        let mut told: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{why}: {output:?}"));
        let expected = ledger.sums_by(column, SUMS);
        let rows = told["rows"].as_array().map_or(&[][..], Vec::as_slice);
        let rows: BTreeMap<String, Vec<u64>> = rows
            .iter()
            .map(|row| (row["name"].as_str().unwrap_or_default().to_owned(), sums_in(row)))
            .collect();
        findings.unless(rows == expected, || {
            format!("`sluice usage` by {by} tells {rows:?}, and the records say {expected:?}")
        });
        let all = expected.values().fold(vec![0; SUMS.len()], |sum, row| {
            sum.iter().zip(row).map(|(one, other)| one + other).collect()
        });
        findings.unless(sums_in(&told["total"]) == all, || {
            format!("`sluice usage` by {by} tells {} in all, and the records say {all:?}", told["total"])
        });
        total = told["total"].take();
    }
    println!(
        "`sluice usage` by tenant, key, model and day: {} requests, {} + {} read + {} tokens, ${}; compared with the sums over records",
        total["requests"],
        total["input_tokens"],
        total["cache_read_tokens"],
        total["output_tokens"],
        total["cost_usd"].as_str().unwrap_or_default()
    );
}

fn sums_in(object: &Value) -> Vec<u64> {
    SUMS.iter().map(|(name, _)| object[*name].as_u64().unwrap_or(u64::MAX)).collect()
}

/// What a kill may cost: requests of the last moment, and nothing of what was there before.
pub(crate) fn little_is_lost(
    before: &[u32],
    log: &Path,
    killed: SystemTime,
    ledger: &Path,
    findings: &mut Findings,
) {
    let killed = Timestamp::try_from(killed).expect("a time");
    let log = Log::read([log.to_owned()]);
    let mut ids = Ledger::open(ledger).ids();
    ids.sort_unstable();
    let has = |number: &u32| ids.binary_search(number).is_ok();
    let twice: Vec<u32> = ids.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    findings.none("twice in the ledger after a kill", &twice);
    let gone: Vec<u32> = before.iter().copied().filter(|number| !has(number)).collect();
    findings.none("in the ledger before the kill and not after it", &gone);
    let lost: Vec<&(u32, Timestamp)> = log.lines.iter().filter(|(number, _)| !has(number)).collect();
    let age = |at: Timestamp| killed.duration_since(at);
    let old = |at: Timestamp| age(at) > MAY_BE_LOST;
    let too_old: Vec<u32> = lost.iter().filter(|(_, at)| old(*at)).map(|(number, _)| *number).collect();
    findings.none("lost by a kill, though older than a second", &too_old);
    let proven = log.lines.iter().filter(|(_, at)| old(*at)).count();
    findings.unless(proven > 0, || "a kill proves nothing: no line is old enough".to_owned());
    let oldest = lost.iter().map(|(_, at)| age(*at)).max().unwrap_or_default();
    println!(
        "\nkill -9 after {} accepted requests: {} lost, the oldest of them {} ms old; {proven} older than {} ms are all \
         there",
        log.lines.len(),
        lost.len(),
        oldest.as_millis(),
        MAY_BE_LOST.as_millis()
    );
}
