//! Records as rows: their columns, and the statements that write them.
//!
//! Nearly all of a gateway's records are alike: the same few names, and one try that went as the request did. So a
//! value that the statement still holds from the record before is not handed over again, and a try of which the
//! record tells everything is not written a second time. Owns what stands in the tables `records` and `attempts`;
//! sums are `store`'s.

use super::record::{AttemptRecord, Counted, Tokens, UsageRecord};
use crate::telemetry::labels::CacheResult;
use rusqlite::{
    CachedStatement, Connection, Error, params,
    types::{ToSql, ToSqlOutput, ValueRef},
};
use std::{net::IpAddr, sync::Arc, time::Duration};

/// More than any request has: 2^40 tokens, and 2^50 nano-dollars, which is a million dollars.
pub(super) const MOST_TOKENS: u64 = 1 << 40;
pub(super) const MOST_COST: u64 = 1 << 50;

/// Characters kept of a text that a client sent.
const MOST_TEXT: usize = 256;

const RECORD: &str = "INSERT INTO records (id, at, took_ms, tenant, key, endpoint, model, provider, upstream_model,
  stream, status, end, error_code, cache, source, input, cache_read, cache_write, output, reasoning, cost, prices,
  tags, user, client, tried_ms)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23,
  ?24, ?25, ?26)";

/// Columns of a record.
const WIDTH: usize = 26;

const ATTEMPT: &str =
    "INSERT INTO attempts (record, n, provider, upstream_model, outcome, status, reason, took_ms,
  source, input, cache_read, cache_write, output, reasoning, cost)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";

/// Writes records.
pub(super) struct Rows<'c, 'r> {
    connection: &'c Connection,
    statement: CachedStatement<'c>,
    /// What the statement holds, in the order of the columns.
    held: [Option<Value<'r>>; WIDTH],
}

impl<'c, 'r> Rows<'c, 'r> {
    pub(super) fn new(connection: &'c Connection) -> Result<Self, Error> {
        Ok(Self { connection, statement: connection.prepare_cached(RECORD)?, held: [None; WIDTH] })
    }

    /// Writes a record, with those of its tries that it does not tell itself.
    pub(super) fn write(&mut self, record: &'r UsageRecord) -> Result<(), Error> {
        let only = only_try(record);
        Row { statement: &mut self.statement, held: self.held.iter_mut(), next: 1 }.bind(record, only)?;
        self.statement.raw_execute()?;
        match only {
            Some(_) => Ok(()),
            None => write_attempts(self.connection, &record.attempts),
        }
    }
}

/// The try of a record that had one, when the record tells everything of it but how long it took. The view `tries`
/// has to make the same of it.
fn only_try(record: &UsageRecord) -> Option<&AttemptRecord> {
    let [attempt] = record.attempts.as_slice() else { return None };
    let told = record.target.as_ref() == Some(&attempt.target)
        && attempt.outcome.as_str() == record.end.as_str()
        && attempt.status == Some(record.status)
        && attempt.reason.is_none()
        && attempt.counted == record.counted
        && attempt.nano_usd == record.cost.as_ref().map(|cost| cost.nano_usd);
    told.then_some(attempt)
}

/// What stands in a column, before it is brought into the shape in which it is written.
#[derive(Clone, Copy)]
enum Value<'r> {
    Nothing,
    Number(i64),
    Text(&'r str),
    Address(IpAddr),
    Tags(&'r [(Arc<str>, Box<str>)]),
}

impl Value<'_> {
    /// Is it certainly the same? Texts are told apart by where they are, as names of one configuration are in one
    /// place: comparing them costs more than it saves.
    #[inline]
    fn same(self, other: Self) -> bool {
        match (self, other) {
            (Self::Nothing, Self::Nothing) => true,
            (Self::Number(one), Self::Number(other)) => one == other,
            (Self::Text(one), Self::Text(other)) => std::ptr::eq(one, other),
            (Self::Address(one), Self::Address(other)) => one == other,
            _ => false,
        }
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>, Error> {
        Ok(match *self {
            Self::Nothing => ToSqlOutput::Borrowed(ValueRef::Null),
            Self::Number(number) => ToSqlOutput::Borrowed(ValueRef::Integer(number)),
            Self::Text(text) => ToSqlOutput::Borrowed(text.into()),
            Self::Address(address) => shown(address).into(),
            Self::Tags(tags) => shown_tags(tags).into(),
        })
    }
}

/// A row that is handed over to the statement, column by column.
struct Row<'s, 'c, 'r> {
    statement: &'s mut CachedStatement<'c>,
    held: std::slice::IterMut<'s, Option<Value<'r>>>,
    /// The parameter's number.
    next: usize,
}

impl<'r> Row<'_, '_, 'r> {
    /// In the order of the columns.
    fn bind(mut self, record: &'r UsageRecord, only: Option<&AttemptRecord>) -> Result<(), Error> {
        self.put(Value::Text(cut(&record.id)))?;
        self.put(Value::Number(at(record)))?;
        self.put(millis(record.took))?;
        self.put(Value::Text(&record.tenant))?;
        self.put(Value::Text(&record.key))?;
        self.put(Value::Text(record.endpoint.as_str()))?;
        self.put(text(record.model.as_deref()))?;
        let target = record.target.as_ref();
        self.put(text(target.map(|target| &*target.provider)))?;
        self.put(text(target.map(|target| &*target.model)))?;
        self.put(Value::Number(record.stream.into()))?;
        self.put(Value::Number(record.status.into()))?;
        self.put(Value::Text(record.end.as_str()))?;
        self.put(text(record.error_code))?;
        self.put(text(record.cache.map(CacheResult::as_str)))?;
        for value in counted(record.counted) {
            self.put(value)?;
        }
        let cost = record.cost.as_ref();
        self.put(cost.map_or(Value::Nothing, |cost| Value::Number(capped(cost.nano_usd, MOST_COST))))?;
        self.put(text(cost.map(|cost| &*cost.prices)))?;
        self.put(if record.tags.is_empty() { Value::Nothing } else { Value::Tags(&record.tags) })?;
        self.put(text(record.user.as_deref().map(cut)))?;
        self.put(record.client.map_or(Value::Nothing, Value::Address))?;
        self.put(only.map_or(Value::Nothing, |attempt| millis(attempt.took)))
    }

    #[inline]
    fn put(&mut self, value: Value<'r>) -> Result<(), Error> {
        let number = self.next;
        self.next += 1;
        match self.held.next() {
            Some(Some(held)) if held.same(value) => Ok(()),
            Some(held) => {
                // Whatever becomes of it.
                *held = None;
                self.statement.raw_bind_parameter(number, value)?;
                *held = Some(value);
                Ok(())
            }
            None => Ok(()),
        }
    }
}

fn text(text: Option<&str>) -> Value<'_> {
    text.map_or(Value::Nothing, Value::Text)
}

/// Tokens as columns: all of them absent, or none.
fn counted(counted: Option<Counted>) -> [Value<'static>; 6] {
    let Some(Counted { tokens, source }) = counted else { return [Value::Nothing; 6] };
    let tokens = sane(tokens);
    let number = |count| Value::Number(capped(count, MOST_TOKENS));
    [
        Value::Text(source.as_str()),
        number(tokens.input),
        number(tokens.cache_read),
        number(tokens.cache_write),
        number(tokens.output),
        number(tokens.reasoning),
    ]
}

/// Writes the tries of the record that was written last.
fn write_attempts(connection: &Connection, attempts: &[AttemptRecord]) -> Result<(), Error> {
    if attempts.is_empty() {
        return Ok(());
    }
    let record = connection.last_insert_rowid();
    let mut statement = connection.prepare_cached(ATTEMPT)?;
    for (n, attempt) in (1_i64..).zip(attempts) {
        let [source, input, cache_read, cache_write, output, reasoning] = counted(attempt.counted);
        statement.execute(params![
            record,
            n,
            &*attempt.target.provider,
            &*attempt.target.model,
            attempt.outcome.as_str(),
            attempt.status,
            attempt.reason,
            millis(attempt.took),
            source,
            input,
            cache_read,
            cache_write,
            output,
            reasoning,
            attempt.nano_usd.map(|cost| capped(cost, MOST_COST)),
        ])?;
    }
    Ok(())
}

/// When the record counts; never before 1970.
pub(super) fn at(record: &UsageRecord) -> i64 {
    record.ended.as_millisecond().max(0)
}

pub(super) fn sane(tokens: Tokens) -> Tokens {
    Tokens {
        input: tokens.input.min(MOST_TOKENS),
        cache_read: tokens.cache_read.min(MOST_TOKENS),
        cache_write: tokens.cache_write.min(MOST_TOKENS),
        output: tokens.output.min(MOST_TOKENS),
        reasoning: tokens.reasoning.min(MOST_TOKENS),
    }
}

pub(super) fn capped(number: u64, most: u64) -> i64 {
    i64::try_from(number.min(most)).unwrap_or(i64::MAX)
}

fn millis(time: Duration) -> Value<'static> {
    Value::Number(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
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
    if text.len() <= MOST_TEXT {
        return text;
    }
    text.char_indices().nth(MOST_TEXT).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

/// Tags as a JSON object.
fn shown_tags(tags: &[(Arc<str>, Box<str>)]) -> String {
    let value = |text: &str| serde_json::Value::from(cut(text));
    let object: serde_json::Map<_, _> =
        tags.iter().map(|(name, text)| (name.as_ref().to_owned(), value(text))).collect();
    serde_json::Value::Object(object).to_string()
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
