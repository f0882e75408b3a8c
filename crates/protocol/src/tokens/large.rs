//! Values that are too large to be read: encoded media is cut out, and of the rest a few windows are weighed.
//!
//! Time is that of two searches for bytes, whatever the value holds. Whether it is valid JSON is not asked.

use memchr::{memchr, memmem};

use super::weigh::{self, Weight};

/// So much is weighed of each stretch between two payloads.
const WINDOWS: usize = 16;
const WINDOW: usize = 512;
/// What is shorter is text like any other.
const MIN_PAYLOAD: usize = 1 << 10;
/// So many marks are looked at; behind them everything is text.
const MAX_MARKS: usize = 1 << 10;
/// How far behind `"base64"` its data may begin.
const NEAR: usize = 256;

/// What was found in a large value.
pub(super) struct Large {
    /// Of what is text.
    pub(super) weight: Weight,
    /// How many encoded pictures, recordings or files there are.
    pub(super) payloads: u64,
}

/// Estimates a value from samples.
pub(super) fn sample(value: &[u8]) -> Large {
    let mark = memmem::Finder::new("base64");
    let mut found = Large { weight: Weight::default(), payloads: 0 };
    let (mut text, mut searched) = (value, 0);
    for _ in 0..MAX_MARKS {
        let Some(at) = mark.find(text.get(searched..).unwrap_or_default()) else { break };
        searched += at + mark.needle().len();
        let Some((start, length)) = payload(text.get(searched..).unwrap_or_default()) else { continue };
        found.payloads += 1;
        found.weight += windows(text.get(..searched + start).unwrap_or_default());
        text = text.get(searched + start + length..).unwrap_or_default();
        searched = 0;
    }
    found.weight += windows(text);
    found
}

/// Where behind the mark its data begins, and how long it is. Data runs to the next quote, so that each byte is
/// searched once.
fn payload(behind: &[u8]) -> Option<(usize, usize)> {
    let start = if behind.first() == Some(&b',') {
        // `data:image/png;base64,…`
        1
    } else {
        // `"type":"base64","media_type":"image/png","data":"…`
        let near = behind.get(..NEAR).unwrap_or(behind);
        let name = memmem::find(near, br#""data""#)? + br#""data""#.len();
        name + memchr(b'"', near.get(name..)?)? + 1
    };
    let data = behind.get(start..)?;
    if !data.get(..64)?.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/-_=\\".contains(byte)) {
        return None;
    }
    let length = memchr(b'"', data).unwrap_or(data.len());
    (length >= MIN_PAYLOAD).then_some((start, length))
}

/// The weight of a text, told from windows at equal distances.
fn windows(text: &[u8]) -> Weight {
    if text.len() <= WINDOWS * WINDOW {
        return weigh::written(text);
    }
    let mut weight = Weight::default();
    for stretch in text.chunks(text.len().div_ceil(WINDOWS)) {
        weight += weigh::written(stretch.get(..WINDOW).unwrap_or(stretch));
    }
    weight.scaled(WINDOWS * WINDOW, text.len())
}
