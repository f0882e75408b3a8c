//! Reasoning items that carry our own seal, in a conversation that has come to an upstream with a Responses API.
//!
//! They hold what a model of another provider thought, for that provider alone ([`crate::translate`] seals it). The
//! upstream could not open them and would refuse the request, so they stay behind; nobody's own text is in them.

use memchr::memmem;

use crate::dialect::Dialect;
use crate::envelope::{Envelope, Member};
use crate::json::{JsonError, Kind, Scanner};
use crate::lenient::{members, text};
use crate::translate::SEAL;

/// The items of `input` that carry it, each to be taken out whole. Most bodies cost one search.
pub(super) fn find(call: &Envelope) -> Vec<Member> {
    let mut found = Vec::new();
    if call.dialect() != Dialect::Responses || memmem::find(call.body(), SEAL.as_bytes()).is_none() {
        return found;
    }
    let Some(Member { value, .. }) = call.member("input") else { return found };
    let input = call.body().get(value.clone()).unwrap_or_default();
    if !input.starts_with(b"[") {
        return found;
    }
    // The envelope has read the whole body before: it is valid.
    let _ = Scanner::new(input).array::<JsonError>(|scanner, _| {
        let item = scanner.clone().skip()?;
        if is_sealed(scanner)? {
            let (start, end) = (value.start + item.start, value.start + item.end);
            found.push(Member { name: start..start, value: start..end });
        }
        Ok(())
    });
    found
}

fn is_sealed(scanner: &mut Scanner<'_>) -> Result<bool, JsonError> {
    let (mut is_reasoning, mut is_ours) = (false, false);
    if scanner.kind()? != Kind::Object {
        scanner.skip()?;
        return Ok(false);
    }
    members(scanner, |scanner, name| {
        match name {
            "type" => is_reasoning = text(scanner)?.is_some_and(|kind| kind == "reasoning"),
            "encrypted_content" => {
                is_ours = text(scanner)?.is_some_and(|sealed| sealed.decode().starts_with(SEAL));
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(is_reasoning && is_ours)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Profile;
    use crate::splice::Splice;

    #[test]
    fn only_reasoning_with_our_seal_stays_behind() {
        let ours = r#"{"type":"reasoning","summary":[],"encrypted_content":"sluice1.W10"}"#;
        let theirs = r#"{"type":"reasoning","summary":[],"encrypted_content":"gAAAA"}"#;
        let quoted = r#"{"role":"user","content":"sluice1. is a word"}"#;
        for (input, left) in [
            (format!("[{ours},{quoted}, {theirs}]"), format!("[{quoted}, {theirs}]")),
            (format!("[{quoted} , {ours}]"), format!("[{quoted}]")),
            (format!("[{ours},{ours}]"), "[]".to_owned()),
            (format!("[{quoted},7,\"x\"]"), format!("[{quoted},7,\"x\"]")),
            ("\"sluice1.\"".to_owned(), "\"sluice1.\"".to_owned()),
        ] {
            let body = format!(r#"{{"model":"m","input":{input}}}"#);
            let call = Envelope::scan(body.into(), Dialect::Responses, Profile::Open).expect("a good body");
            let mut splice = Splice::from(&call);
            find(&call).iter().for_each(|item| {
                splice.remove_member(item);
            });
            let after = String::from_utf8(splice.into_segments().into_bytes().to_vec()).expect("UTF-8");
            assert_eq!(after, format!(r#"{{"model":"m","input":{left}}}"#));
        }
    }
}
