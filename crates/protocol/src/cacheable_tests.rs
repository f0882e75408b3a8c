use super::*;
use crate::dialect::Profile;
use Dialect::{Chat, Completions, CountTokens, Embeddings, Messages, Responses};
use Obstacle::{Audio, Count, HostedTools, SeveralSamples, Stateful, Store};

/// A sound request of a dialect, with further members.
fn call(dialect: Dialect, more: &str) -> Envelope {
    let own = match dialect {
        Completions => r#""prompt":"p""#,
        Chat => r#""messages":[{"role":"user","content":"hi"}]"#,
        Embeddings | Responses => r#""input":"hi""#,
        Messages | CountTokens => r#""max_tokens":1,"messages":[{"role":"user","content":"hi"}]"#,
    };
    let comma = if more.is_empty() { "" } else { "," };
    let body = format!(r#"{{"model":"m",{own}{comma}{more}}}"#);
    Envelope::scan(body.into(), dialect, Profile::Open).expect("a good body")
}

#[track_caller]
fn check(dialect: Dialect, more: &str, expected: Option<Obstacle>) {
    assert_eq!(obstacle(&call(dialect, more)), expected, "{}: {more}", dialect.as_str());
}

#[test]
fn plain_requests_have_no_obstacle() {
    for dialect in [Completions, Chat, Embeddings, Messages] {
        check(dialect, "", None);
        check(dialect, r#""stream":true,"temperature":1,"store":null,"x":{"tools":[1]}"#, None);
    }
    check(Responses, r#""store":false"#, None);
    check(CountTokens, r#""seed":7"#, Some(Count));
}

#[test]
fn several_samples_need_a_seed() {
    for (more, expected) in [
        (r#""n":1"#, None),
        (r#""n":1.0,"best_of":10e-1"#, None),
        (r#""n":null,"best_of":null"#, None),
        (r#""n":2"#, Some(SeveralSamples)),
        (r#""n":0"#, Some(SeveralSamples)),
        (r#""best_of":3"#, Some(SeveralSamples)),
        (r#""best_of":"1""#, Some(SeveralSamples)),
        (r#""\u006e":2"#, Some(SeveralSamples)),
        (r#""n":2,"seed":7"#, None),
        (r#""n":2,"seed":null"#, Some(SeveralSamples)),
    ] {
        check(Completions, more, expected);
        check(Chat, more, expected);
    }
}

#[test]
fn what_is_stored_upstream_is_not_stored_here() {
    for dialect in Dialect::ALL.into_iter().filter(|dialect| *dialect != CountTokens) {
        check(dialect, r#""store":true"#, Some(Store));
        check(dialect, r#""store":"yes""#, Some(Store));
        check(dialect, r#""store":false"#, None);
    }
    check(Responses, "", Some(Stateful));
    check(Responses, r#""store":null"#, Some(Stateful));
    for (more, expected) in [
        (r#""previous_response_id":"r""#, Some(Stateful)),
        (r#""conversation":{"id":"c"}"#, Some(Stateful)),
        (r#""conversation":"c""#, Some(Stateful)),
        (r#""background":true"#, Some(Stateful)),
        (r#""background":"x""#, Some(Stateful)),
        (r#""previous_response_id":null,"conversation":null,"background":null"#, None),
        (r#""background":false"#, None),
    ] {
        check(Responses, &format!(r#""store":false,{more}"#), expected);
    }
}

#[test]
fn audio_is_told_from_text() {
    for (more, expected) in [
        (r#""modalities":["text","audio"]"#, Some(Audio)),
        (r#""modalities":["\u0061udio"]"#, Some(Audio)),
        (r#""modalities":["text"]"#, None),
        (r#""modalities":[]"#, None),
        (r#""modalities":null,"audio":null"#, None),
        (r#""modalities":"audio""#, Some(Audio)),
        (r#""modalities":[1]"#, Some(Audio)),
        (r#""audio":{"voice":"alloy"}"#, Some(Audio)),
    ] {
        check(Chat, more, expected);
    }
}

#[test]
fn tools_of_the_client_are_told_from_hosted_ones() {
    for (more, expected) in [
        (r#""tools":[]"#, None),
        (r#""tools":null"#, None),
        (r#""tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]"#, None),
        (r#""tools":[{"type":"custom"},{"\u0074ype":"func\u0074ion"}]"#, None),
        (r#""tools":[{"type":"function"},{"type":"web_search"}]"#, Some(HostedTools)),
        (r#""tools":[{"type":"mcp"},{"type":"function"}]"#, Some(HostedTools)),
        (r#""tools":[{"\u0074ype":"code_interpreter"}]"#, Some(HostedTools)),
        (r#""tools":[{"type":"web_search","type":"function"}]"#, Some(HostedTools)),
        (r#""tools":[{"type":"function","type":"web_search"}]"#, Some(HostedTools)),
        (r#""tools":[{"type":"bash_20250124"}]"#, Some(HostedTools)),
        (r#""tools":[{"type":null}]"#, Some(HostedTools)),
        (r#""tools":[{"name":"f"}]"#, Some(HostedTools)),
        (r#""tools":["web_search"]"#, Some(HostedTools)),
        (r#""tools":{"type":"function"}"#, Some(HostedTools)),
        (r#""web_search_options":{}"#, Some(HostedTools)),
        (r#""web_search_options":null"#, None),
    ] {
        check(Chat, more, expected);
        check(Responses, &format!(r#""store":false,{more}"#), expected);
    }
}

#[test]
fn tools_of_messages_have_types_of_their_own() {
    for (more, expected) in [
        (r#""tools":[{"name":"f","input_schema":{"type":"object"}}]"#, None),
        (r#""tools":[{"type":null,"name":"f"},{"type":"custom","name":"g"}]"#, None),
        (
            r#""tools":[{"type":"bash_20250124"},{"type":"text_editor_20250728"},{"type":"computer_20250124"},{"type":"memory_20250818"}]"#,
            None,
        ),
        (r#""tools":[{"type":"web_search_20250305"}]"#, Some(HostedTools)),
        (r#""tools":[{"type":"code_execution_20250825"}]"#, Some(HostedTools)),
        (r#""tools":[{"type":"function"}]"#, Some(HostedTools)),
        (r#""tools":[{"type":"bash"}]"#, Some(HostedTools)),
        (r#""tools":[{"type":7}]"#, Some(HostedTools)),
        (r#""tools":[{"type":"custom","type":"web_fetch_20250910"}]"#, Some(HostedTools)),
        (r#""mcp_servers":[{"url":"u"}]"#, Some(HostedTools)),
        (r#""mcp_servers":[ ]"#, None),
        (r#""mcp_servers":null,"container":null"#, None),
        (r#""container":"c""#, Some(HostedTools)),
        (r#""container":{"skills":[]}"#, Some(HostedTools)),
        (r#""container":1"#, Some(HostedTools)),
        (r#""container":{},"mcp_servers":"""#, None),
    ] {
        check(Messages, more, expected);
    }
}

#[test]
fn only_a_request_that_says_so_is_repeatable() {
    for (dialect, more, expected) in [
        (Completions, "", Repeatable::No),
        (Completions, r#""seed":0"#, Repeatable::Seed),
        (Messages, r#""seed":-7.0,"temperature":1"#, Repeatable::Seed),
        (Embeddings, r#""seed":1"#, Repeatable::Seed),
        (Embeddings, r#""temperature":0"#, Repeatable::Embeddings),
        (Chat, r#""seed":null,"temperature":null"#, Repeatable::No),
        (Chat, r#""temperature":0"#, Repeatable::TemperatureZero),
        (Chat, r#""temperature":-0.00e7"#, Repeatable::TemperatureZero),
        (Chat, r#""temperature":0e99999999999999999999"#, Repeatable::TemperatureZero),
        (Chat, r#""temperature":1e-999"#, Repeatable::No),
        (Chat, r#""temperature":0.1"#, Repeatable::No),
        (Chat, r#""top_p":0"#, Repeatable::No),
    ] {
        assert_eq!(repeatable(&call(dialect, more)), expected, "{}: {more}", dialect.as_str());
    }
}

#[test]
fn every_obstacle_has_its_word() {
    let words = Obstacle::ALL.map(Obstacle::as_str);
    assert_eq!(words, ["several-samples", "hosted-tools", "audio", "store", "stateful", "count"]);
}
