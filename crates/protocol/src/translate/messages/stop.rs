//! Why an answer ended, in Messages' words and back.

use std::borrow::Cow;

use crate::canonical::{Stop, Text};
use crate::observe::Finish;
use crate::raw::{Object, Writer};

/// Messages' words for an end that OpenAI has none for.
const ITS_OWN: [&str; 2] = ["pause_turn", "compaction"];

/// The stop reason of a message, or of the delta that ends one; absent while it is null.
pub(super) fn read_stop<'a>(message: &Object<'a>) -> Option<Stop<'a>> {
    let native = message.string("stop_reason")?;
    let sequence = message.some("stop_sequence").and_then(Text::read);
    Some(Stop { finish: Finish::parse(&native), native, sequence })
}

/// What is said of a refusal, for people. It stands beside the content, where other dialects have their refusal.
pub(super) fn read_explanation<'a>(message: &Object<'a>, stop: &Stop<'_>) -> Option<Text<'a>> {
    if stop.finish != Finish::ContentFilter {
        return None;
    }
    let details = message.object("stop_details").ok()?;
    Text::read(details.some("explanation")?).filter(|text| !text.is_empty())
}

/// What of the content bears on the reason for the end.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Said {
    /// There is a call.
    pub(super) calls: bool,
    /// There is a refusal.
    pub(super) refusal: bool,
}

/// Writes `stop_reason` and `stop_sequence`; null where the upstream did not say.
///
/// A reason that Messages has no word for is `end_turn`, as other dialects have it `stop`, with the upstream's own
/// word beside it.
pub(super) fn write_stop(stop: Option<&Stop<'_>>, said: Said, out: &mut Writer) {
    let Some(stop) = stop else {
        out.raw("stop_reason", "null").raw("stop_sequence", "null");
        return;
    };
    out.string("stop_reason", word(stop, said));
    // Another dialect's writer may tell what ended the answer although it was no sequence of the client's.
    let sequence = stop.sequence.as_ref().filter(|_| stop.finish == Finish::Stop);
    out.raw("stop_sequence", sequence.map_or("null", Text::json));
    if stop.finish == Finish::Other && !ITS_OWN.contains(&&*stop.native) && !stop.native.is_empty() {
        out.string("native_finish_reason", &stop.native);
    }
}

fn word<'a>(stop: &'a Stop<'_>, said: Said) -> &'a str {
    match stop.finish {
        // Not every upstream has words of their own for these; clients of Messages go by the word.
        Finish::Stop if said.calls => "tool_use",
        Finish::Stop if said.refusal => "refusal",
        Finish::Stop if stop.sequence.is_some() || stop.native == "stop_sequence" => "stop_sequence",
        Finish::Stop => "end_turn",
        Finish::Length if stop.native == "model_context_window_exceeded" => "model_context_window_exceeded",
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::ContentFilter => "refusal",
        Finish::Other => ITS_OWN.into_iter().find(|own| *own == stop.native).unwrap_or("end_turn"),
    }
}

/// The same, on its own.
pub(super) fn owned(stop: &Stop<'_>) -> Stop<'static> {
    Stop {
        finish: stop.finish,
        native: Cow::Owned(stop.native.clone().into_owned()),
        sequence: stop.sequence.clone().map(Text::into_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(native: &str, sequence: Option<&str>, said: Said) -> String {
        let stop =
            Stop { finish: Finish::parse(native), native: native.into(), sequence: sequence.map(Text::of) };
        let mut out = Writer::new();
        write_stop(Some(&stop), said, &mut out);
        out.finish()
    }

    #[test]
    fn every_reason_has_its_word() {
        for (native, word) in [
            ("stop", "end_turn"),
            ("end_turn", "end_turn"),
            ("length", "max_tokens"),
            ("model_context_window_exceeded", "model_context_window_exceeded"),
            ("tool_calls", "tool_use"),
            ("function_call", "tool_use"),
            ("content_filter", "refusal"),
            ("pause_turn", "pause_turn"),
            ("", "end_turn"),
        ] {
            let expected = format!(r#"{{"stop_reason":"{word}","stop_sequence":null}}"#);
            assert_eq!(written(native, None, Said::default()), expected, "{native}");
        }
        assert_eq!(
            written("abort", None, Said::default()),
            r#"{"stop_reason":"end_turn","stop_sequence":null,"native_finish_reason":"abort"}"#
        );
    }

    #[test]
    fn the_content_says_what_an_upstream_s_stop_means() {
        let calls = Said { calls: true, refusal: false };
        let refusal = Said { calls: false, refusal: true };
        let reason = |native, sequence, said| {
            let written = written(native, sequence, said);
            Object::parse(&written).expect("an object").string("stop_reason").map(Cow::into_owned)
        };
        assert_eq!(reason("stop", None, calls).as_deref(), Some("tool_use"));
        assert_eq!(reason("stop", None, refusal).as_deref(), Some("refusal"));
        assert_eq!(reason("length", None, calls).as_deref(), Some("max_tokens"), "a call that was cut off");
        assert_eq!(reason("stop", Some("END"), Said::default()).as_deref(), Some("stop_sequence"));
        assert_eq!(
            written("stop", Some("END"), Said::default()),
            r#"{"stop_reason":"stop_sequence","stop_sequence":"END"}"#
        );
    }
}
