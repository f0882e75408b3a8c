//! One batch as one transaction: records, their attempts, and the sums that they add to.
//!
//! The sums are gathered in memory first, so that a batch touches each of their rows once. Numbers are cut to
//! what keeps every sum a whole number: an upstream's nonsense must not turn money into a float.

use super::{
    record::{AttemptRecord, Counted, Tokens, UsageRecord},
    trouble::Trouble,
};
use crate::telemetry::labels::{CacheResult, Outcome};
use rusqlite::{CachedStatement, Connection, Error, TransactionBehavior, params};
use std::{
    collections::HashMap,
    hash::{Hash, Hasher},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

/// Milliseconds of a day.
pub(super) const DAY: i64 = 86_400_000;

/// More than any request has: 2^40 tokens, and 2^50 nano-dollars, which is a million dollars.
const MOST_TOKENS: u64 = 1 << 40;
const MOST_COST: u64 = 1 << 50;

/// Where the sums of a day stop: eight of them still add up without overflow.
const MOST_SUM: u64 = 1 << 60;

/// Characters kept of a text that a client sent.
const MOST_TEXT: usize = 256;

const RECORD: &str = "INSERT INTO records (id, at, took_ms, tenant, key, endpoint, model, provider, upstream_model,
  stream, status, end, error_code, cache, source, input, cache_read, cache_write, output, reasoning, cost, prices,
  tags, user, client)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23,
  ?24, ?25)";

const ATTEMPT: &str =
    "INSERT INTO attempts (record, n, provider, upstream_model, outcome, status, reason, took_ms,
  source, input, cache_read, cache_write, output, reasoning, cost)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";

const DAILY: &str =
    "INSERT INTO daily (day, tenant, key, model, requests, errors, cache_hits, unpriced, input,
  cache_read, cache_write, output, reasoning, cost)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
  ON CONFLICT (day, tenant, key, model) DO UPDATE SET
  requests = requests + excluded.requests, errors = errors + excluded.errors,
  cache_hits = cache_hits + excluded.cache_hits, unpriced = unpriced + excluded.unpriced,
  input = min(input + excluded.input, ?15), cache_read = min(cache_read + excluded.cache_read, ?15),
  cache_write = min(cache_write + excluded.cache_write, ?15), output = min(output + excluded.output, ?15),
  reasoning = min(reasoning + excluded.reasoning, ?15), cost = min(cost + excluded.cost, ?15)";

const SPEND: &str = "INSERT INTO spend (scope, name, day, cost) VALUES (?1, ?2, ?3, ?4)
  ON CONFLICT (scope, name, day) DO UPDATE SET cost = min(cost + excluded.cost, ?5)";

/// Writes a batch, whole or not at all. Tells how many records could not be written for what they are.
pub(super) fn write(connection: &mut Connection, batch: &[Box<UsageRecord>]) -> Result<usize, Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut sums = Sums::default();
    let mut unwritable = 0;
    {
        let mut records = transaction.prepare_cached(RECORD)?;
        let mut attempts = transaction.prepare_cached(ATTEMPT)?;
        for record in batch {
            let written = write_record(&mut records, record)
                .and_then(|seq| write_attempts(&mut attempts, seq, &record.attempts));
            match written {
                Ok(()) => sums.add(record),
                // One strange record must not hold up all that come after it.
                Err(error) if Trouble::is_of_the_row(&error) => unwritable += 1,
                Err(error) => return Err(error),
            }
        }
        sums.write(&transaction)?;
    }
    transaction.commit()?;
    Ok(unwritable)
}

fn write_record(statement: &mut CachedStatement<'_>, record: &UsageRecord) -> Result<i64, Error> {
    let counted = Columns::of(record.counted);
    statement.insert(params![
        cut(&record.id),
        at(record),
        millis(record.took),
        &*record.tenant,
        &*record.key,
        record.endpoint.as_str(),
        record.model.as_deref(),
        record.target.as_ref().map(|target| &*target.provider),
        record.target.as_ref().map(|target| &*target.model),
        record.stream,
        record.status,
        record.end.as_str(),
        record.error_code,
        record.cache.map(CacheResult::as_str),
        counted.source,
        counted.input,
        counted.cache_read,
        counted.cache_write,
        counted.output,
        counted.reasoning,
        record.cost.as_ref().map(|cost| capped(cost.nano_usd, MOST_COST)),
        record.cost.as_ref().map(|cost| &*cost.prices),
        tags(&record.tags),
        record.user.as_deref().map(cut),
        record.client.map(shown),
    ])
}

fn write_attempts(
    statement: &mut CachedStatement<'_>,
    record: i64,
    attempts: &[AttemptRecord],
) -> Result<(), Error> {
    for (n, attempt) in (1_i64..).zip(attempts) {
        let counted = Columns::of(attempt.counted);
        statement.execute(params![
            record,
            n,
            &*attempt.target.provider,
            &*attempt.target.model,
            attempt.outcome.as_str(),
            attempt.status,
            attempt.reason,
            millis(attempt.took),
            counted.source,
            counted.input,
            counted.cache_read,
            counted.cache_write,
            counted.output,
            counted.reasoning,
            attempt.nano_usd.map(|cost| capped(cost, MOST_COST)),
        ])?;
    }
    Ok(())
}

/// Tokens as columns: all of them absent, or none.
#[derive(Default)]
struct Columns {
    source: Option<&'static str>,
    input: Option<i64>,
    cache_read: Option<i64>,
    cache_write: Option<i64>,
    output: Option<i64>,
    reasoning: Option<i64>,
}

impl Columns {
    fn of(counted: Option<Counted>) -> Self {
        let Some(Counted { tokens, source }) = counted else { return Self::default() };
        let tokens = sane(tokens);
        let column = |count| Some(capped(count, MOST_TOKENS));
        Self {
            source: Some(source.as_str()),
            input: column(tokens.input),
            cache_read: column(tokens.cache_read),
            cache_write: column(tokens.cache_write),
            output: column(tokens.output),
            reasoning: column(tokens.reasoning),
        }
    }
}

/// What a batch adds to the sums of days.
#[derive(Default)]
struct Sums(HashMap<Group, Sum>);

/// What a row of the daily sums stands for.
///
/// Groups are told apart by where their names are kept, which is the configuration's: comparing texts for every
/// record costs more. A batch in which a reload falls has two groups of one row, which adds both.
struct Group {
    day: i64,
    tenant: Arc<str>,
    key: Arc<str>,
    model: Option<Arc<str>>,
}

impl Group {
    fn place(&self) -> (i64, *const str, *const str, Option<*const str>) {
        (self.day, Arc::as_ptr(&self.tenant), Arc::as_ptr(&self.key), self.model.as_ref().map(Arc::as_ptr))
    }
}

impl PartialEq for Group {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl Eq for Group {}

impl Hash for Group {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.place().hash(state);
    }
}

#[derive(Default)]
struct Sum {
    requests: i64,
    errors: i64,
    cache_hits: i64,
    unpriced: i64,
    tokens: Tokens,
    cost: u64,
}

impl Sums {
    fn add(&mut self, record: &UsageRecord) {
        let day = at(record).div_euclid(DAY);
        let (tenant, key) = (&record.tenant, &record.key);
        let group = Group { day, tenant: tenant.clone(), key: key.clone(), model: record.model.clone() };
        let sum = self.0.entry(group).or_default();
        sum.requests += 1;
        sum.errors += i64::from(!matches!(record.end, Outcome::Ok | Outcome::Cancelled));
        sum.cache_hits += i64::from(matches!(record.cache, Some(CacheResult::Hit | CacheResult::Coalesced)));
        sum.unpriced += i64::from(record.cost.is_none() && record.counted.is_some());
        if let Some(counted) = record.counted {
            sum.tokens = sum.tokens.plus(sane(counted.tokens));
        }
        let cost = record.cost.as_ref().map_or(0, |cost| cost.nano_usd.min(MOST_COST));
        sum.cost = sum.cost.saturating_add(cost);
    }

    fn write(self, connection: &Connection) -> Result<(), Error> {
        let most = capped(MOST_SUM, MOST_SUM);
        let mut spend = HashMap::<(&str, &str, i64), u64>::new();
        for (group, sum) in self.0.iter().filter(|(_, sum)| sum.cost > 0) {
            for (scope, name) in [("tenant", &*group.tenant), ("key", &*group.key)] {
                let spent = spend.entry((scope, name, group.day)).or_default();
                *spent = spent.saturating_add(sum.cost);
            }
        }
        let mut statement = connection.prepare_cached(SPEND)?;
        for ((scope, name, day), cost) in spend {
            statement.execute(params![scope, name, day, capped(cost, MOST_SUM), most])?;
        }
        let mut statement = connection.prepare_cached(DAILY)?;
        for (Group { day, tenant, key, model }, sum) in self.0 {
            statement.execute(params![
                day,
                &*tenant,
                &*key,
                model.as_deref().unwrap_or_default(),
                sum.requests,
                sum.errors,
                sum.cache_hits,
                sum.unpriced,
                capped(sum.tokens.input, MOST_SUM),
                capped(sum.tokens.cache_read, MOST_SUM),
                capped(sum.tokens.cache_write, MOST_SUM),
                capped(sum.tokens.output, MOST_SUM),
                capped(sum.tokens.reasoning, MOST_SUM),
                capped(sum.cost, MOST_SUM),
                most,
            ])?;
        }
        Ok(())
    }
}

/// When the record counts; never before 1970.
fn at(record: &UsageRecord) -> i64 {
    record.ended.as_millisecond().max(0)
}

fn sane(tokens: Tokens) -> Tokens {
    Tokens {
        input: tokens.input.min(MOST_TOKENS),
        cache_read: tokens.cache_read.min(MOST_TOKENS),
        cache_write: tokens.cache_write.min(MOST_TOKENS),
        output: tokens.output.min(MOST_TOKENS),
        reasoning: tokens.reasoning.min(MOST_TOKENS),
    }
}

fn capped(number: u64, most: u64) -> i64 {
    i64::try_from(number.min(most)).unwrap_or(i64::MAX)
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// An address as text, the common kind without the formatting machinery.
fn shown(address: IpAddr) -> String {
    let IpAddr::V4(address) = address else { return address.to_string() };
    let mut text = String::with_capacity("255.255.255.255".len());
    for (at, part) in address.octets().into_iter().enumerate() {
        text.push_str(if at > 0 { "." } else { "" });
        text.push_str(itoa::Buffer::new().format(part));
    }
    text
}

fn cut(text: &str) -> &str {
    text.char_indices().nth(MOST_TEXT).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

/// Tags as a JSON object; absent when there are none.
fn tags(tags: &[(Arc<str>, Box<str>)]) -> Option<String> {
    if tags.is_empty() {
        return None;
    }
    let value = |text: &str| serde_json::Value::from(cut(text));
    let object: serde_json::Map<_, _> =
        tags.iter().map(|(name, text)| (name.as_ref().to_owned(), value(text))).collect();
    Some(serde_json::Value::Object(object).to_string())
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
