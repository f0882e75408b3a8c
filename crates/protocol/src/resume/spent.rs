//! Token counts of an answer that two upstreams wrote, the second with the first one's text in its prompt.

use std::ops::Range;

use bytes::Bytes;

use crate::json::{JsonError, Scanner};
use crate::lenient::{count, members};
use crate::splice::Splice;

/// A count and where it stands in the event's data.
type Count = Option<(u64, Range<usize>)>;

/// Moves `delivered` tokens from the prompt to the answer, to which they belong; the total stays. `usage` is the
/// range of the counts in `data`. Counts that cannot be read stay as they are.
pub(super) fn move_to_answer(data: &[u8], usage: Range<usize>, delivered: u64, splice: &mut Splice) -> bool {
    let (mut prompt, mut completion, mut cached): (Count, Count, Count) = (None, None, None);
    let mut scanner = Scanner::new(data.get(usage.clone()).unwrap_or_default());
    let read = members(&mut scanner, |scanner, name| {
        match name {
            "prompt_tokens" => prompt = counted(scanner, usage.start)?,
            "completion_tokens" => completion = counted(scanner, usage.start)?,
            "prompt_tokens_details" => members(scanner, |scanner, name| {
                if name == "cached_tokens" {
                    cached = counted(scanner, usage.start)?;
                }
                Ok(())
            })?,
            _ => {}
        }
        Ok(())
    });
    let (Ok(()), Some(prompt), Some(completion)) = (read, prompt, completion) else { return false };
    let moved = delivered.min(prompt.0);
    let asked = prompt.0 - moved;
    let mut put = |range: Range<usize>, count: u64| {
        splice.replace(range, Bytes::from(count.to_string()));
    };
    put(prompt.1, asked);
    put(completion.1, completion.0.saturating_add(moved));
    // The cache may have held the text so far, which is no part of the client's prompt.
    if let Some((_, range)) = cached.filter(|(cached, _)| *cached > asked) {
        put(range, asked);
    }
    true
}

fn counted(scanner: &mut Scanner<'_>, offset: usize) -> Result<Count, JsonError> {
    scanner.kind()?;
    let start = scanner.position();
    let found = count(scanner)?;
    Ok(found.map(|count| (count, offset + start..offset + scanner.position())))
}

#[cfg(test)]
#[path = "spent_tests.rs"]
mod tests;
