//! What a request builds on at its upstream, or leaves there. Only the Responses API keeps anything.
//!
//! Where such a request goes is decided elsewhere; it can be served only where its state is.

use crate::cacheable::set;
use crate::dialect::Dialect;
use crate::envelope::Envelope;

/// What is kept upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Nothing.
    Nothing,
    /// The answer, for later requests to build on: the Responses API stores what nobody forbids.
    Answer,
    /// What the request builds on; holds the member that says so.
    Past(&'static str),
}

/// Reads it.
#[must_use]
pub fn kept(call: &Envelope) -> Kept {
    if call.dialect() != Dialect::Responses {
        return Kept::Nothing;
    }
    let is_set = |name: &&str| set(call, name).is_some_and(|value| value != b"false");
    match ["previous_response_id", "conversation", "background", "prompt"].iter().find(|name| is_set(name)) {
        Some(member) => Kept::Past(member),
        None if set(call, "store") == Some(b"false") => Kept::Nothing,
        None => Kept::Answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Profile;

    #[test]
    fn an_answer_is_kept_unless_that_is_forbidden_and_the_past_binds() {
        for (members, expected) in [
            ("", Kept::Answer),
            (r#","store":null"#, Kept::Answer),
            (r#","store":false"#, Kept::Nothing),
            (r#","store":false,"previous_response_id":"resp_1""#, Kept::Past("previous_response_id")),
            (r#","conversation":{"id":"c"}"#, Kept::Past("conversation")),
            (r#","background":true,"store":false"#, Kept::Past("background")),
            (r#","background":false,"previous_response_id":null,"store":false"#, Kept::Nothing),
        ] {
            let body = format!(r#"{{"model":"m","input":"x"{members}}}"#);
            let call = Envelope::scan(body.into(), Dialect::Responses, Profile::Open).expect("a good body");
            assert_eq!(kept(&call), expected, "{members}");
        }
    }
}
