//! One batch as one transaction: records, and the sums that they add to.
//!
//! The sums are gathered in memory first, so that a batch touches each of their rows once. Numbers are cut to
//! what keeps every sum a whole number: an upstream's nonsense must not turn money into a float.

use super::{
    record::{Tokens, UsageRecord},
    rows::{MOST_COST, Rows, at, capped, sane},
    trouble::Trouble,
};
use crate::telemetry::labels::{CacheResult, Outcome};
use rusqlite::{Connection, Error, TransactionBehavior, params};
use std::{
    collections::HashMap,
    hash::{Hash, Hasher},
    sync::Arc,
};

/// Milliseconds of a day.
pub(super) const DAY: i64 = 86_400_000;

/// Where the sums of a day stop: eight of them still add up without overflow.
const MOST_SUM: u64 = 1 << 60;

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
        let mut rows = Rows::new(&transaction)?;
        for record in batch {
            match rows.write(record) {
                Ok(()) => sums.add(record),
                // One strange record must not hold up all that come after it.
                Err(error) if Trouble::is_of_the_row(&error) => unwritable += 1,
                Err(error) => return Err(error),
            }
        }
    }
    sums.write(&transaction)?;
    transaction.commit()?;
    Ok(unwritable)
}

/// What a batch adds to the sums of days.
#[derive(Default)]
struct Sums<'r>(HashMap<Group<'r>, Sum>);

/// What a row of the daily sums stands for.
///
/// Groups are told apart by where their names are kept, which is the configuration's: comparing texts for every
/// record costs more. A batch in which a reload falls has two groups of one row, which adds both.
struct Group<'r> {
    day: i64,
    tenant: &'r Arc<str>,
    key: &'r Arc<str>,
    model: Option<&'r Arc<str>>,
}

impl Group<'_> {
    fn place(&self) -> (i64, *const str, *const str, Option<*const str>) {
        (self.day, Arc::as_ptr(self.tenant), Arc::as_ptr(self.key), self.model.map(Arc::as_ptr))
    }
}

impl PartialEq for Group<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl Eq for Group<'_> {}

impl Hash for Group<'_> {
    /// One number for the hasher: few groups are in a batch, and what is spread over a batch's days or tenants alone
    /// is told apart by the comparison.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let model = self.model.map_or(0, |model| model.as_ptr().addr());
        state.write_usize(self.key.as_ptr().addr() ^ model.rotate_left(17));
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

impl<'r> Sums<'r> {
    fn add(&mut self, record: &'r UsageRecord) {
        let day = at(record).div_euclid(DAY);
        let (tenant, key, model) = (&record.tenant, &record.key, record.model.as_ref());
        let group = Group { day, tenant, key, model };
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
            for (scope, name) in [("tenant", &**group.tenant), ("key", &**group.key)] {
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
                &**tenant,
                &**key,
                model.map_or("", |model| &**model),
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

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
