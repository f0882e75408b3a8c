//! Single records as they stand in the file, with their tries: for those who ask what became of a request.
//!
//! Words are texts here and no enums, since an older binary may meet a newer one's.

use super::{
    query::{Reader, count, millis},
    record::Tokens,
    schema,
    trouble::LedgerError,
};
use jiff::Timestamp;
use rusqlite::{Error, Row, params};
use std::{collections::BTreeMap, time::Duration};

/// A record that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// The request's id.
    pub id: String,
    /// When the request ended.
    pub ended: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// Who pays.
    pub tenant: String,
    /// Name of the key.
    pub key: String,
    /// Which endpoint.
    pub endpoint: String,
    /// The configured model.
    pub model: Option<String>,
    /// Configured name of the provider that answered, or was tried last.
    pub provider: Option<String>,
    /// The provider's name for the model.
    pub upstream_model: Option<String>,
    /// Was it a stream?
    pub stream: bool,
    /// Status that the client saw; 0 when it saw none.
    pub status: u16,
    /// How it ended.
    pub end: String,
    /// The code in the error body.
    pub error_code: Option<String>,
    /// What the response cache made of it.
    pub cache: Option<String>,
    /// What it used up.
    pub bought: Bought,
    /// Version of the prices that the cost was reckoned by.
    pub prices: Option<String>,
    /// Tags of the request.
    pub tags: BTreeMap<String, String>,
    /// The end user that the client named.
    pub user: Option<String>,
    /// Where the client is.
    pub client: Option<String>,
    /// Tries at upstreams, in order.
    pub attempts: Vec<StoredAttempt>,
}

/// A try at an upstream that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAttempt {
    /// Configured name of the provider.
    pub provider: String,
    /// The provider's name for the model.
    pub upstream_model: String,
    /// How it ended.
    pub outcome: String,
    /// The upstream's status, when it sent one.
    pub status: Option<u16>,
    /// What stopped it.
    pub reason: Option<String>,
    /// How long it took.
    pub took: Duration,
    /// What it used up.
    pub bought: Bought,
}

/// Tokens and their cost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bought {
    /// Absent when nothing is known or was asked.
    pub tokens: Option<Tokens>,
    /// Who counted them: `provider` or `estimated`.
    pub source: Option<String>,
    /// 10⁻⁹ USD; absent when there is no price.
    pub nano_usd: Option<u64>,
}

const RECORDS: &str =
    "SELECT seq, id, at, took_ms, tenant, key, endpoint, model, provider, upstream_model, stream,
  status, end, error_code, cache, prices, tags, user, client, source, input, cache_read, cache_write, output,
  reasoning, cost FROM records WHERE at >= ?1 AND at < ?2 ORDER BY at DESC, seq DESC LIMIT ?3";

const TRIES: &str =
    "SELECT provider, upstream_model, outcome, status, reason, took_ms, source, input, cache_read,
  cache_write, output, reasoning, cost FROM";

impl Reader {
    /// The newest records that ended from `since` up to, not including, `until`, at most `limit` of them; the
    /// newest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn records(
        &self,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        limit: u32,
    ) -> Result<Vec<StoredRecord>, LedgerError> {
        // One view of the file, so that no record loses its tries to the retention on the way.
        let view = self.connection().unchecked_transaction()?;
        let version = schema::number(&view, "PRAGMA user_version")?;
        // The writer may be an older one.
        let of = if version < schema::TRIES { "attempts" } else { "tries" };
        let mut found = view.prepare_cached(RECORDS)?;
        let mut tries = view.prepare_cached(&format!("{TRIES} {of} WHERE record = ?1 ORDER BY n"))?;
        let since = since.map_or(0, millis);
        let until = until.map_or(i64::MAX, millis);
        let rows =
            found.query_map(params![since, until, limit], |row| Ok((row.get("seq")?, record(row)?)))?;
        let mut records = Vec::new();
        for row in rows {
            let (seq, mut record): (i64, StoredRecord) = row?;
            record.attempts = tries.query_map([seq], attempt)?.collect::<Result<_, _>>()?;
            records.push(record);
        }
        Ok(records)
    }
}

fn record(row: &Row<'_>) -> Result<StoredRecord, Error> {
    let tags: Option<String> = row.get("tags")?;
    Ok(StoredRecord {
        id: row.get("id")?,
        ended: Timestamp::from_millisecond(row.get("at")?).unwrap_or(Timestamp::UNIX_EPOCH),
        took: took(row)?,
        tenant: row.get("tenant")?,
        key: row.get("key")?,
        endpoint: row.get("endpoint")?,
        model: row.get("model")?,
        provider: row.get("provider")?,
        upstream_model: row.get("upstream_model")?,
        stream: row.get("stream")?,
        status: status(row.get("status")?),
        end: row.get("end")?,
        error_code: row.get("error_code")?,
        cache: row.get("cache")?,
        bought: bought(row)?,
        prices: row.get("prices")?,
        tags: tags.and_then(|tags| serde_json::from_str(&tags).ok()).unwrap_or_default(),
        user: row.get("user")?,
        client: row.get("client")?,
        attempts: Vec::new(),
    })
}

fn attempt(row: &Row<'_>) -> Result<StoredAttempt, Error> {
    Ok(StoredAttempt {
        provider: row.get("provider")?,
        upstream_model: row.get("upstream_model")?,
        outcome: row.get("outcome")?,
        status: row.get::<_, Option<i64>>("status")?.map(status),
        reason: row.get("reason")?,
        took: took(row)?,
        bought: bought(row)?,
    })
}

fn bought(row: &Row<'_>) -> Result<Bought, Error> {
    let number = |column: &str| row.get::<_, Option<i64>>(column).map(|number| number.map(count));
    // The classes are there together or not at all.
    let tokens = match number("input")? {
        None => None,
        Some(input) => Some(Tokens {
            input,
            cache_read: number("cache_read")?.unwrap_or(0),
            cache_write: number("cache_write")?.unwrap_or(0),
            output: number("output")?.unwrap_or(0),
            reasoning: number("reasoning")?.unwrap_or(0),
        }),
    };
    Ok(Bought { tokens, source: row.get("source")?, nano_usd: number("cost")? })
}

fn took(row: &Row<'_>) -> Result<Duration, Error> {
    Ok(Duration::from_millis(count(row.get("took_ms")?)))
}

fn status(number: i64) -> u16 {
    u16::try_from(number).unwrap_or(0)
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
