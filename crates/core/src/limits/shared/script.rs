//! Questions and answers on the wire: the arguments of `decide.lua` and what comes back.

use super::question::{Answer, Question, What, signed};
use crate::redis::Trouble;
use ::redis::{Script, ScriptInvocation};
use sluice_config::model::{Period, RateLimit};
use std::time::Duration;

const SOURCE: &str = include_str!("decide.lua");

/// Numbers that come back for each bucket.
const WIDTH: usize = 6;

/// A pot stays so long after its period, for whoever ends late.
const POT_GRACE: i64 = 86_400;

/// Greater numbers are not exact in a script.
const MOST: u64 = 1 << 52;

/// Who asks, and what of the list of replicas has to be done with it.
pub(super) struct Head<'a> {
    pub(super) replicas: &'a str,
    pub(super) me: &'a str,
    pub(super) lease: Duration,
    pub(super) life: Duration,
    pub(super) beat: Beat,
}

/// What becomes of this replica's name in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beat {
    Quiet,
    On,
    Off,
}

/// The script.
pub(super) fn script() -> Script {
    Script::new(SOURCE)
}

/// The script under a clock of the test's: the server's own cannot be set.
#[cfg(test)]
pub(super) fn script_with_clock(key: &str) -> Script {
    Script::new(&SOURCE.replace("redis.call('TIME')", &format!("redis.call('LRANGE', '{key}', 0, 1)")))
}

/// Puts the head into an invocation.
pub(super) fn begin<'a>(script: &'a Script, head: &Head<'_>) -> ScriptInvocation<'a> {
    let mut call = script.key(head.replicas);
    let beat = match head.beat {
        Beat::Quiet => "",
        Beat::On => "on",
        Beat::Off => "off",
    };
    call.arg(head.me).arg(micros(head.lease)).arg(micros(head.life)).arg(beat);
    call
}

/// Adds a bucket. `name` is its key without the period, `ledger` which ledger is this process's.
pub(super) fn add(call: &mut ScriptInvocation<'_>, name: &str, question: &Question, ledger: &str) {
    match question.what {
        What::Rate(limit) => {
            let (amount, per) = reduced(limit);
            call.key(name).arg("rate").arg(amount).arg(per).arg(limit.burst.clamp(1, MOST)).arg("").arg(0);
        }
        What::Money(budget) => {
            let span = question.span.map_or((0, 0), |span| (span.start, span.end));
            let period = match budget.per {
                Period::Day => "day",
                Period::Month => "month",
            };
            call.key(format!("{name}:{period}:{}", span.0));
            call.arg("money").arg(budget.nano_usd).arg("").arg(question.base).arg(ledger);
            call.arg(span.1.saturating_add(POT_GRACE).saturating_mul(1000));
        }
    }
    call.arg(question.seq)
        .arg(question.drawn)
        .arg(question.unreported)
        .arg(question.balance)
        .arg(question.committed)
        .arg(question.paid)
        .arg(question.need)
        .arg(question.want.min(MOST))
        .arg(u8::from(question.withdraw));
}

/// What the script has said.
pub(super) struct Said {
    /// Replicas that are alive.
    pub(super) replicas: u32,
    /// The one that asks was not among them until now.
    pub(super) is_new: bool,
    /// An answer to each question.
    pub(super) answers: Vec<Answer>,
}

/// Reads a reply to `count` questions.
///
/// # Errors
/// When it is no answer of the script's.
pub(super) fn read(reply: &[i64], count: usize) -> Result<Said, Trouble> {
    let (Some(([replicas, is_new, granted], answers)), true) =
        (reply.split_first_chunk::<3>(), reply.len() == 3 + count * WIDTH)
    else {
        return Err(Trouble::BadReply);
    };
    let (answers, _) = answers.as_chunks::<WIDTH>();
    let granted = *granted == 1;
    let answers = answers.iter().map(|[has, units, remaining, others, wait, paid]| Answer {
        has: *has == 1,
        granted,
        units: *units,
        remaining: *remaining,
        others: *others,
        wait: Duration::from_micros(u64::try_from(*wait).unwrap_or(0)),
        paid: *paid,
    });
    let replicas = u32::try_from(*replicas).unwrap_or(1).max(1);
    Ok(Said { replicas, is_new: *is_new == 1, answers: answers.collect() })
}

/// Units in so many microseconds, in smallest terms: the script counts in products of both.
fn reduced(limit: RateLimit) -> (u64, u64) {
    let amount = limit.rate.amount.max(1);
    let per = u64::try_from(limit.rate.per.as_micros()).unwrap_or(MOST).max(1);
    let common = crate::limits::cell::greatest_common_divisor(amount, per);
    (amount / common, per / common)
}

fn micros(time: Duration) -> i64 {
    signed(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}
