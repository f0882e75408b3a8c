//! What OpenAI's two completion endpoints call by the same names: length, sampling, stops, format, effort, the user.
//!
//! Owns which members say nothing at all, so that their loss is none. The conversation, tools and the prompt are
//! read where their dialect is.

mod reasoning;

use crate::canonical::{Extra, Format, Json, Request, Text};
use crate::envelope::Envelope;
use crate::json::{Kind, Number, Scanner};
use crate::lenient::is_filled;
use crate::raw::{self, Object};

use super::Untranslatable;

/// What is read here; `stream_options` is about the answer's form, which is not the upstream's affair.
const READ: &[&str] = &[
    "model",
    "stream",
    "stream_options",
    "$schema",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "top_k",
    "stop",
    "response_format",
    "reasoning_effort",
    "reasoning",
    "thinking",
    "cache_control",
];

/// The text of a top-level member's value, unless it is null.
pub(super) fn member<'a>(call: &'a Envelope, name: &str) -> Option<&'a str> {
    let value = call.value(name).and_then(|value| std::str::from_utf8(value).ok());
    value.filter(|value| *value != "null")
}

/// A request without its conversation and tools. `own` are the members that the dialect itself reads.
pub(super) fn request<'a>(call: &'a Envelope, own: &[&str]) -> Result<Request<'a>, Untranslatable> {
    let json = |name| member(call, name).map(Json::Borrowed);
    let (user, users) = user(call);
    Ok(Request {
        dialect: call.dialect(),
        turns: Vec::new(),
        tools: Vec::new(),
        tool_choice: None,
        parallel_tool_calls: None,
        // Where both are there, the newer name is the one that OpenAI heeds.
        max_tokens: json("max_completion_tokens").or_else(|| json("max_tokens")),
        temperature: json("temperature"),
        top_p: json("top_p"),
        top_k: json("top_k"),
        stop: stop(call)?,
        format: member(call, "response_format").map(format).transpose()?.flatten(),
        reasoning: reasoning::read(call)?,
        stream: call.stream(),
        user,
        cache_control: json("cache_control"),
        extras: extras(call, |name| READ.contains(&name) || own.contains(&name) || users.contains(&name)),
    })
}

/// The end user, and the name of the member that tells. Of two that differ the other is an extra.
fn user(call: &Envelope) -> (Option<Text<'_>>, Vec<&'static str>) {
    let told = |name| member(call, name).and_then(Text::read).filter(|user| !user.is_empty());
    match (told("user"), told("safety_identifier")) {
        (Some(user), Some(other)) if user == other => (Some(user), vec!["user", "safety_identifier"]),
        (Some(user), _) => (Some(user), vec!["user"]),
        (None, Some(user)) => (Some(user), vec!["safety_identifier"]),
        (None, None) => (None, Vec::new()),
    }
}

/// Texts that end the answer: one, or several.
fn stop(call: &Envelope) -> Result<Vec<Text<'_>>, Untranslatable> {
    let Some(stop) = member(call, "stop") else { return Ok(Vec::new()) };
    if let Some(one) = Text::read(stop) {
        return Ok(vec![one]);
    }
    let odd = || Untranslatable::new("stop", "expected a string or an array of strings");
    raw::items(stop).map_err(|_| odd())?.into_iter().map(|text| Text::read(text).ok_or_else(odd)).collect()
}

/// `response_format`; plain text is none.
fn format(json: &str) -> Result<Option<Format<'_>>, Untranslatable> {
    let odd = |_| Untranslatable::new("response_format", "expected an object, and one in `json_schema`");
    let format = Object::parse(json).map_err(odd)?;
    Ok(match format.string("type").as_deref() {
        Some("text") => None,
        Some("json_object") => Some(Format::JsonObject),
        Some("json_schema") => {
            let inner = format.object("json_schema").map_err(odd)?;
            Some(Format::JsonSchema {
                name: text(&inner, "name"),
                description: text(&inner, "description"),
                schema: inner.some("schema").map(Json::Borrowed),
                strict: boolean(&inner, "strict"),
            })
        }
        _ => Some(Format::Native(json.into())),
    })
}

/// All members that say something and that nobody reads.
fn extras(call: &Envelope, is_read: impl Fn(&str) -> bool) -> Vec<Extra<'_>> {
    let extra = |member| {
        let name = call.name(member)?.decode();
        let value = std::str::from_utf8(call.body().get(member.value.clone())?).ok()?;
        (!is_read(&name) && !is_neutral(&name, value)).then(|| Extra { name, value: value.into() })
    };
    call.members().filter_map(extra).collect()
}

/// Does a member only say what holds without it, whoever the upstream is?
fn is_neutral(name: &str, value: &str) -> bool {
    match name {
        _ if value == "null" => true,
        "n" | "best_of" => is_number(value, 1),
        "presence_penalty" | "frequency_penalty" | "top_logprobs" => is_number(value, 0),
        "logprobs"
        | "store"
        | "echo"
        | "ignore_eos"
        | "include_stop_str_in_output"
        | "return_tokens_as_token_ids" => value == "false",
        "skip_special_tokens" => value == "true",
        "logit_bias" | "metadata" | "suffix" | "user" | "safety_identifier" => !says_something(value),
        "service_tier" => raw::string(value).is_some_and(|tier| tier == "auto"),
        "modalities" => raw::items(value).is_ok_and(|kinds| kinds == [r#""text""#]),
        _ => false,
    }
}

fn is_number(value: &str, neutral: i64) -> bool {
    matches!(Scanner::new(value.as_bytes()).kind(), Ok(Kind::Number))
        && Number::new(value).compare(neutral).is_eq()
}

/// Not null, not false, not empty.
pub(super) fn says_something(value: &str) -> bool {
    is_filled(&mut Scanner::new(value.as_bytes())).unwrap_or(true)
}

/// A member that is a string.
pub(super) fn text<'a>(object: &Object<'a>, name: &str) -> Option<Text<'a>> {
    object.get(name).and_then(Text::read)
}

/// A member that is true or false.
pub(super) fn boolean(object: &Object<'_>, name: &str) -> Option<bool> {
    object.get(name).and_then(|value| value.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::{Dialect, Profile};

    fn read(body: &'static str, then: impl FnOnce(Result<Request<'_>, Untranslatable>)) {
        let call = Envelope::scan(body.into(), Dialect::Completions, Profile::Open).expect("a body");
        then(request(&call, &["prompt"]));
    }

    #[test]
    fn what_says_nothing_is_no_extra() {
        read(
            r#"{"model":"m","prompt":"p","n":1.0,"best_of":1,"presence_penalty":0.0,"frequency_penalty":0,
                "logprobs":null,"store":false,"echo":false,"logit_bias":{},"metadata":{},"suffix":"",
                "service_tier":"auto","modalities":["text"],"top_logprobs":0,"ignore_eos":false,
                "skip_special_tokens":true,"user":"","$schema":"x","stream_options":{"include_usage":true}}"#,
            |request| assert_eq!(request.expect("a request").extras, []),
        );
    }

    #[test]
    fn what_says_something_is_an_extra_as_written_and_in_order() {
        let body = r#"{"z":1.50,"model":"m","prompt":"p","n":2,"logprobs":0,"se\u0065d":12345678901234567,"web_search_options":{},"user":7,"service_tier":"flex"}"#;
        read(body, |request| {
            let extras = request.expect("a request").extras;
            let told: Vec<_> = extras.iter().map(|extra| format!("{}={}", extra.name, extra.value)).collect();
            let expected = "z=1.50 n=2 logprobs=0 seed=12345678901234567 web_search_options={} user=7 service_tier=\"flex\"";
            assert_eq!(told.join(" "), expected);
        });
    }

    #[test]
    fn the_newer_name_for_the_length_wins_and_numbers_keep_their_spelling() {
        read(
            r#"{"model":"m","prompt":"p","max_tokens":5,"max_completion_tokens":7e0,"temperature":0.70}"#,
            |request| {
                let request = request.expect("a request");
                assert_eq!(request.max_tokens.as_deref(), Some("7e0"));
                assert_eq!(request.temperature.as_deref(), Some("0.70"));
            },
        );
    }

    #[test]
    fn of_two_users_that_differ_one_is_an_extra() {
        read(r#"{"model":"m","prompt":"p","user":"a","safety_identifier":"b"}"#, |request| {
            let request = request.expect("a request");
            assert_eq!(request.user, Some(Text::of("a")));
            assert_eq!(request.extras.first().map(|extra| &*extra.name), Some("safety_identifier"));
        });
        read(r#"{"model":"m","prompt":"p","safety_identifier":"b"}"#, |request| {
            let request = request.expect("a request");
            assert_eq!((request.user, request.extras), (Some(Text::of("b")), vec![]));
        });
    }

    #[test]
    fn a_format_that_only_openai_knows_is_kept_whole() {
        read(r#"{"model":"m","prompt":"p","response_format":{"type":"grammar","grammar":"x"}}"#, |request| {
            let format = request.expect("a request").format;
            assert!(matches!(format, Some(Format::Native(json)) if json.contains("grammar")));
        });
        read(r#"{"model":"m","prompt":"p","response_format":{"type":"json_schema"}}"#, |request| {
            assert_eq!(request.expect_err("no schema").member, "response_format");
        });
    }
}
