use super::*;
use proptest::prelude::*;

fn usage(dialect: Dialect, objects: &[&str]) -> Option<Usage> {
    let mut counts = Counts::default();
    for object in objects {
        counts.read(&mut Scanner::new(object.as_bytes())).expect("valid JSON");
    }
    counts.usage(dialect)
}

/// The classes, none of which is part of another: fresh input, cache reads, writes that live for minutes, writes that
/// live for an hour, answer, reasoning.
fn classes(usage: &Usage) -> [u64; 6] {
    [
        usage.input - usage.cache_read - usage.cache_write,
        usage.cache_read,
        usage.cache_write - usage.cache_write_long,
        usage.cache_write_long,
        usage.output - usage.reasoning,
        usage.reasoning,
    ]
}

/// What a provider sends, the classes that it means, and the total that it tells or that its documentation has one add
/// up. Shapes are the providers' own, of 2026-10.
type Case = (&'static str, Dialect, &'static [&'static str], [u64; 6], u64);

const CASES: &[Case] = &[
    (
        "OpenAI chat, cache read and written",
        Dialect::Chat,
        &[r#"{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120,
            "prompt_tokens_details":{"cached_tokens":64,"cache_write_tokens":16,"audio_tokens":0},
            "completion_tokens_details":{"reasoning_tokens":12,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}"#],
        [20, 64, 16, 0, 8, 12],
        120,
    ),
    (
        "OpenAI completions",
        Dialect::Completions,
        &[r#"{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}"#],
        [5, 0, 0, 0, 7, 0],
        12,
    ),
    (
        "OpenAI responses",
        Dialect::Responses,
        &[r#"{"input_tokens":4096,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":3207,
            "cache_write_tokens_details":{"ttl_30m_tokens":3207,"ttl_12h_tokens":0}},
            "output_tokens":87,"output_tokens_details":{"reasoning_tokens":7},"total_tokens":4183}"#],
        [889, 0, 3207, 0, 80, 7],
        4183,
    ),
    (
        "OpenAI embeddings",
        Dialect::Embeddings,
        &[r#"{"prompt_tokens":5,"total_tokens":5}"#],
        [5, 0, 0, 0, 0, 0],
        5,
    ),
    (
        "Azure",
        Dialect::Chat,
        &[
            r#"{"completion_tokens":1518,"completion_tokens_details":{"accepted_prediction_tokens":null,"reasoning_tokens":576,"rejected_prediction_tokens":null},
            "prompt_tokens":1566,"prompt_tokens_details":{"audio_tokens":null,"cached_tokens":1408},"total_tokens":3084}"#,
        ],
        [158, 1408, 0, 0, 942, 576],
        3084,
    ),
    (
        "Anthropic, both lives of a cache entry",
        Dialect::Messages,
        &[r#"{"input_tokens":2048,"cache_read_input_tokens":1800,"cache_creation_input_tokens":248,
            "cache_creation":{"ephemeral_5m_input_tokens":148,"ephemeral_1h_input_tokens":100},
            "output_tokens":503,"output_tokens_details":{"thinking_tokens":120},"server_tool_use":{"web_search_requests":1},"service_tier":"standard"}"#],
        [2048, 1800, 148, 100, 383, 120],
        4599,
    ),
    (
        "Anthropic, before it told the lives apart",
        Dialect::Messages,
        &[
            r#"{"input_tokens":10,"cache_creation_input_tokens":200,"cache_read_input_tokens":3000,"output_tokens":42}"#,
        ],
        [10, 3000, 200, 0, 42, 0],
        3252,
    ),
    (
        "Anthropic stream: the last counts hold, and the lives stand in the first event alone",
        Dialect::Messages,
        &[
            r#"{"input_tokens":10,"cache_creation_input_tokens":200,"cache_read_input_tokens":3000,
                "cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":200},"output_tokens":1}"#,
            r#"{"input_tokens":10,"cache_creation_input_tokens":200,"cache_read_input_tokens":3000,"output_tokens":42,
                "output_tokens_details":{"thinking_tokens":30}}"#,
        ],
        [10, 3000, 0, 200, 12, 30],
        3252,
    ),
    (
        "DeepSeek",
        Dialect::Chat,
        &[r#"{"prompt_tokens":900,"completion_tokens":300,"total_tokens":1200,"prompt_cache_hit_tokens":640,
            "prompt_cache_miss_tokens":260,"prompt_tokens_details":{"cached_tokens":640},"completion_tokens_details":{"reasoning_tokens":211}}"#],
        [260, 640, 0, 0, 89, 211],
        1200,
    ),
    (
        "vLLM, started with prompt token details",
        Dialect::Chat,
        &[
            r#"{"prompt_tokens":33,"total_tokens":43,"completion_tokens":10,"prompt_tokens_details":{"cached_tokens":16}}"#,
        ],
        [17, 16, 0, 0, 10, 0],
        43,
    ),
    (
        "vLLM",
        Dialect::Completions,
        &[r#"{"prompt_tokens":33,"total_tokens":43,"completion_tokens":10,"prompt_tokens_details":null}"#],
        [33, 0, 0, 0, 10, 0],
        43,
    ),
    (
        "Gemini's OpenAI form, thoughts in the total alone",
        Dialect::Chat,
        &[r#"{"completion_tokens":198,"prompt_tokens":20,"total_tokens":623}"#],
        [20, 0, 0, 0, 198, 405],
        623,
    ),
    (
        "Groq",
        Dialect::Chat,
        &[
            r#"{"queue_time":0.026,"prompt_tokens":4641,"prompt_time":0.009,"completion_tokens":1817,"completion_time":5.57,
            "total_tokens":6458,"total_time":5.58,"prompt_tokens_details":{"cached_tokens":4608},"completion_tokens_details":{"reasoning_tokens":900}}"#,
        ],
        [33, 4608, 0, 0, 917, 900],
        6458,
    ),
    (
        "Mistral",
        Dialect::Chat,
        &[r#"{"prompt_audio_seconds":null,"prompt_tokens":16,"completion_tokens":34,"total_tokens":50}"#],
        [16, 0, 0, 0, 34, 0],
        50,
    ),
    (
        "xAI chat, reasoning beside the answer",
        Dialect::Chat,
        &[r#"{"prompt_tokens":32,"completion_tokens":9,"total_tokens":135,
            "prompt_tokens_details":{"text_tokens":32,"audio_tokens":0,"image_tokens":0,"cached_tokens":8},
            "completion_tokens_details":{"reasoning_tokens":94,"audio_tokens":0},"num_sources_used":0}"#],
        [24, 8, 0, 0, 9, 94],
        135,
    ),
    (
        "xAI responses",
        Dialect::Responses,
        &[
            r#"{"input_tokens":125,"output_tokens":48,"total_tokens":173,"input_tokens_details":{"cached_tokens":98},"output_tokens_details":{"reasoning_tokens":0}}"#,
        ],
        [27, 98, 0, 0, 48, 0],
        173,
    ),
    (
        "Perplexity, whose total leaves out what it has read and thought",
        Dialect::Chat,
        &[r#"{"prompt_tokens":33,"completion_tokens":7163,"total_tokens":7196,"search_context_size":"low",
            "citation_tokens":20016,"num_search_queries":18,"reasoning_tokens":73997,"cost":{"total_cost":0.4}}"#],
        [33, 0, 0, 0, 7163, 0],
        7196,
    ),
    (
        "OpenRouter",
        Dialect::Chat,
        &[r#"{"completion_tokens":2,"completion_tokens_details":{"reasoning_tokens":0},"cost":0.95,
            "cost_details":{"upstream_inference_cost":19},"prompt_tokens":194,
            "prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":100,"audio_tokens":0},"total_tokens":196}"#],
        [94, 0, 100, 0, 2, 0],
        196,
    ),
    (
        "a prompt without what the cache had of it, as the total shows",
        Dialect::Chat,
        &[
            r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":115,"prompt_tokens_details":{"cached_tokens":100}}"#,
        ],
        [10, 100, 0, 0, 5, 0],
        115,
    ),
];

#[test]
fn the_classes_of_every_provider_are_apart_and_make_its_total() {
    for (name, dialect, objects, expected, total) in CASES {
        let usage = usage(*dialect, objects).expect("counts");
        assert_eq!(classes(&usage), *expected, "{name}");
        assert_eq!(expected.iter().sum::<u64>(), *total, "{name}");
        assert_eq!(usage.input + usage.output, *total, "{name}");
    }
}

#[test]
fn reasoning_without_a_total_that_the_answer_cannot_hold_stands_beside_it() {
    let beside =
        r#"{"prompt_tokens":10,"completion_tokens":5,"completion_tokens_details":{"reasoning_tokens":100}}"#;
    let usage = usage(Dialect::Chat, &[beside]).expect("counts");
    assert_eq!((usage.output, usage.reasoning), (105, 100));
}

#[test]
fn a_life_that_is_told_alone_is_a_write() {
    let lives = r#"{"input_tokens":1,"output_tokens":1,"cache_creation":{"ephemeral_5m_input_tokens":2,"ephemeral_1h_input_tokens":3}}"#;
    let usage = usage(Dialect::Messages, &[lives]).expect("counts");
    assert_eq!((usage.input, usage.cache_write, usage.cache_write_long), (6, 5, 3));
}

#[test]
fn odd_values_are_passed_over() {
    let odd = r#"{"prompt_tokens":7.0,"completion_tokens":null,"prompt_tokens_details":null,"completion_tokens_details":[1],
        "total_tokens":"9","cached_tokens":-3,"cache_write_tokens":1e99,"cache_creation":7,"cost":{"usd":0.1}}"#;
    assert_eq!(usage(Dialect::Chat, &[odd]), Some(Usage { input: 7, ..Usage::default() }));
    assert_eq!(usage(Dialect::Chat, &["null", "{}", r#"{"cost":1}"#]), None);
}

proptest! {
    /// Whatever an upstream says, no class is negative, and none is counted twice.
    #[test]
    fn classes_are_apart_whatever_is_told(
        told in proptest::collection::vec(prop_oneof![0..50u64, any::<u64>()], 8),
        given in any::<[bool; 8]>(),
        dialect in proptest::sample::select(Dialect::ALL.to_vec()),
    ) {
        const NAMES: [&str; 8] = [
            "prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens", "cache_write_tokens",
            "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens", "reasoning_tokens",
        ];
        let members: Vec<String> = NAMES.iter().zip(&told).zip(given).filter(|(_, given)| *given)
            .map(|((name, count), _)| format!("\"{name}\":{count}"))
            .collect();
        let text = format!("{{{}}}", members.join(","));
        if let Some(usage) = usage(dialect, &[&text]) {
            prop_assert!(u128::from(usage.cache_read) + u128::from(usage.cache_write) <= u128::from(usage.input));
            prop_assert!(usage.cache_write_long <= usage.cache_write);
            prop_assert!(usage.reasoning <= usage.output);
        }
    }
}
