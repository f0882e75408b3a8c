//! Streams as upstreams send them, and what is read from them.

use crate::translate::answer_samples::{deltas, events};

/// Snapshots what a stream says, under a name.
macro_rules! golden {
    ($($name:ident: $stream:expr;)+) => {
        $(
            #[test]
            fn $name() {
                insta::assert_snapshot!(deltas(&events($stream)));
            }
        )+
    };
}

golden! {
    openai_text_with_usage_at_the_end: r#"
{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000001,"model":"gpt-4o-2024","service_tier":"default","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"x"}
{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000001,"model":"gpt-4o-2024","service_tier":"default","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"content":"Hel"},"logprobs":null,"finish_reason":null}],"usage":null}
{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000001,"model":"gpt-4o-2024","service_tier":"default","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"content":"lo \"you\"\n"},"logprobs":null,"finish_reason":null}],"usage":null}
{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000001,"model":"gpt-4o-2024","service_tier":"default","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}
{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000001,"model":"gpt-4o-2024","service_tier":"default","system_fingerprint":"fp_1","choices":[],"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":4,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":2,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}
[DONE]
"#;

    openai_parallel_calls: r#"
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":null},"finish_reason":null}]}
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"get_weather","arguments":""}}]},"finish_reason":null}]}
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"city\":"}}]},"finish_reason":null}]}
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"Rome\"}"}}]},"finish_reason":null}]}
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"call_b","type":"function","function":{"name":"get_time","arguments":""}}]},"finish_reason":null}]}
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"{}"}},{"index":0,"function":{"arguments":" "}}]},"finish_reason":null}]}
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}
[DONE]
"#;

    several_choices_in_turns: r#"
{"id":"c","created":1,"model":"m","choices":[{"index":1,"delta":{"role":"assistant","content":"uno"},"finish_reason":null}]}
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"one"},"finish_reason":null},{"index":1,"delta":{"content":" dos"},"finish_reason":"length"}]}
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"content":" two"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":4}}
[DONE]
"#;

    logprobs_stand_before_their_piece: r#"
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":{"content":[],"refusal":null},"finish_reason":null}]}
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"Hi"},"logprobs":{"content":[{"token":"Hi","logprob":-0.10,"bytes":[72,105],"top_logprobs":[]}],"refusal":null},"finish_reason":null}]}
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]}
[DONE]
"#;

    a_refusal: r#"
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"finish_reason":null}]}
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"refusal":"I can't"},"finish_reason":null}]}
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"refusal":" help."},"finish_reason":null}]}
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}
[DONE]
"#;

    deepseek_thinks_first: r#"
{"id":"d","object":"chat.completion.chunk","created":1,"model":"deepseek-reasoner","system_fingerprint":"fp_d","choices":[{"index":0,"delta":{"role":"assistant","content":null,"reasoning_content":""},"logprobs":null,"finish_reason":null}]}
{"id":"d","object":"chat.completion.chunk","created":1,"model":"deepseek-reasoner","system_fingerprint":"fp_d","choices":[{"index":0,"delta":{"content":null,"reasoning_content":"9.11 is"},"logprobs":null,"finish_reason":null}]}
{"id":"d","object":"chat.completion.chunk","created":1,"model":"deepseek-reasoner","system_fingerprint":"fp_d","choices":[{"index":0,"delta":{"content":null,"reasoning_content":" less"},"logprobs":null,"finish_reason":null}]}
{"id":"d","object":"chat.completion.chunk","created":1,"model":"deepseek-reasoner","system_fingerprint":"fp_d","choices":[{"index":0,"delta":{"content":"9.8","reasoning_content":null},"logprobs":null,"finish_reason":null}]}
{"id":"d","object":"chat.completion.chunk","created":1,"model":"deepseek-reasoner","system_fingerprint":"fp_d","choices":[{"index":0,"delta":{"content":"","reasoning_content":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":20,"completion_tokens":30,"total_tokens":50,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":25},"prompt_cache_hit_tokens":0,"prompt_cache_miss_tokens":20}}
[DONE]
"#;

    vllm_reasoning_under_its_newer_name_and_a_stop_text: r#"
{"id":"v","created":1,"model":"qwen3","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"prompt_token_ids":null}
{"id":"v","created":1,"model":"qwen3","choices":[{"index":0,"delta":{"reasoning":"hm"},"logprobs":null,"finish_reason":null,"token_ids":null}]}
{"id":"v","created":1,"model":"qwen3","choices":[{"index":0,"delta":{"content":"4"},"logprobs":null,"finish_reason":"stop","stop_reason":"END","token_ids":null}]}
{"id":"v","created":1,"model":"qwen3","choices":[],"usage":{"prompt_tokens":5,"total_tokens":8,"completion_tokens":3}}
[DONE]
"#;

    openrouter_says_its_reasoning_twice_and_its_cost: r#"
{"id":"gen-1","provider":"Anthropic","model":"anthropic/claude","object":"chat.completion.chunk","created":1,"choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning":"Let me","reasoning_details":[{"type":"reasoning.text","text":"Let me","format":"anthropic-claude-v1","index":0}]},"finish_reason":null,"native_finish_reason":null,"logprobs":null}]}
{"id":"gen-1","provider":"Anthropic","model":"anthropic/claude","object":"chat.completion.chunk","created":1,"choices":[{"index":0,"delta":{"role":"assistant","content":"Done"},"finish_reason":null,"native_finish_reason":null,"logprobs":null}]}
{"id":"gen-1","provider":"Anthropic","model":"anthropic/claude","object":"chat.completion.chunk","created":1,"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":"stop","native_finish_reason":"end_turn","logprobs":null}]}
{"id":"gen-1","provider":"Anthropic","model":"anthropic/claude","object":"chat.completion.chunk","created":1,"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null,"native_finish_reason":null,"logprobs":null}],"usage":{"prompt_tokens":10,"completion_tokens":4,"total_tokens":14,"cost":0.000120,"is_byok":false,"prompt_tokens_details":{"cached_tokens":0},"cost_details":{"upstream_inference_cost":null},"completion_tokens_details":{"reasoning_tokens":2}}}
[DONE]
"#;

    only_reasoning_details_where_there_is_no_string: r#"
{"id":"g","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","reasoning":null,"reasoning_details":[{"type":"reasoning.summary","summary":"So.","index":0},{"type":"reasoning.encrypted","data":"gAAA","index":1}]},"finish_reason":"stop"}]}
[DONE]
"#;

    litellm_thinking_blocks_without_numbers: r#"
{"id":"l","created":1,"model":"claude","choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning_content":"One","thinking_blocks":[{"type":"thinking","thinking":"One","signature":""}]},"finish_reason":null}]}
{"id":"l","created":1,"model":"claude","choices":[{"index":0,"delta":{"reasoning_content":"","thinking_blocks":[{"type":"thinking","thinking":"","signature":"c2ln"}]},"finish_reason":null}]}
{"id":"l","created":1,"model":"claude","choices":[{"index":0,"delta":{"reasoning_content":"Two","thinking_blocks":[{"type":"thinking","thinking":"Two","signature":""}]},"finish_reason":null}]}
{"id":"l","created":1,"model":"claude","choices":[{"index":0,"delta":{"thinking_blocks":[{"type":"thinking","thinking":"","signature":"c2lnMg"}]},"finish_reason":null}]}
{"id":"l","created":1,"model":"claude","choices":[{"index":0,"delta":{"thinking_blocks":[{"type":"redacted_thinking","data":"c2VhbGVk"}]},"finish_reason":null}]}
{"id":"l","created":1,"model":"claude","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}
[DONE]
"#;

    thinking_blocks_with_numbers_and_no_text: r#"
{"id":"l","created":1,"model":"claude","choices":[{"index":0,"delta":{"role":"assistant","content":null,"thinking_blocks":[{"index":0,"type":"thinking","thinking":"","signature":"YQ"}]},"finish_reason":null}]}
{"id":"l","created":1,"model":"claude","choices":[{"index":0,"delta":{"thinking_blocks":[{"index":1,"type":"thinking","thinking":"","signature":"Yg"}]},"finish_reason":"stop"}]}
[DONE]
"#;

    mistral_content_in_parts: r#"
{"id":"mi","created":1,"model":"magistral","choices":[{"index":0,"delta":{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"Let"}]}]},"finish_reason":null}]}
{"id":"mi","created":1,"model":"magistral","choices":[{"index":0,"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":" me"}],"closed":true},{"type":"text","text":"4"}]},"finish_reason":null}]}
{"id":"mi","created":1,"model":"magistral","choices":[{"index":0,"delta":{"content":"2"},"finish_reason":"stop"}]}
[DONE]
"#;

    azure_opens_with_its_filters_and_ends_by_them: r#"
{"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0,"content_filter_results":{"hate":{"filtered":false,"severity":"safe"}}}]}
{"choices":[{"content_filter_results":{},"delta":{"content":"","refusal":null,"role":"assistant"},"finish_reason":null,"index":0,"logprobs":null}],"created":5,"id":"chatcmpl-az","model":"gpt-4o","object":"chat.completion.chunk","system_fingerprint":"fp_az"}
{"choices":[{"content_filter_results":{"hate":{"filtered":false,"severity":"safe"}},"delta":{"content":"Once"},"finish_reason":null,"index":0,"logprobs":null}],"created":5,"id":"chatcmpl-az","model":"gpt-4o","object":"chat.completion.chunk","system_fingerprint":"fp_az"}
{"choices":[{"content_filter_offsets":{"check_offset":44},"content_filter_results":{"hate":{"filtered":true}},"delta":{},"finish_reason":"content_filter","index":0,"logprobs":null}],"created":5,"id":"chatcmpl-az","model":"gpt-4o","object":"chat.completion.chunk","system_fingerprint":"fp_az"}
{"choices":[{"content_filter_offsets":{"check_offset":44},"content_filter_results":{},"finish_reason":null,"index":0}],"created":0,"id":"","model":"","object":""}
[DONE]
"#;

    no_end_mark: r#"
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":null}]}
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}
"#;

    an_end_mark_but_no_reason: r#"
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":""}]}
[DONE]
"#;

    nothing_but_an_end_mark: "[DONE]";

    a_name_in_pieces_and_an_id_that_is_repeated: r#"
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"x","type":"function","function":{"name":"get_"}}]}}]}
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"x","type":"function","function":{"name":"weather"}}]}}]}
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"x","type":"function","function":{"name":"get_weather","arguments":"{}"}}]}}]}
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}
"#;

    a_new_id_with_every_piece: r#"
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"chatcmpl-tool-1","type":"function","function":{"name":"f"}}]}}]}
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"chatcmpl-tool-2","type":"function","function":{"name":null,"arguments":"{\"a\""}}]}}]}
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"chatcmpl-tool-3","type":"function","function":{"name":"","arguments":":1}"}}]},"finish_reason":"stop"}]}
"#;

    whole_calls_that_are_all_number_0: r#"
{"id":"c","created":1,"model":"gemini","choices":[{"index":0,"delta":{"role":"assistant","tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]}}]}
{"id":"c","created":1,"model":"gemini","choices":[{"index":0,"delta":{"role":"assistant","tool_calls":[{"index":0,"id":"b","type":"function","function":{"name":"f","arguments":"{\"x\":2}"}}]},"finish_reason":"stop"}]}
"#;

    calls_without_numbers_or_ids_and_with_arguments_as_an_object: r#"
{"id":"c-1","created":1,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"id":"a","function":{"name":"f","arguments":{"x":[1, 2]}}},{"function":{"name":"g","arguments":"{"}}]}}]}
{"id":"c-1","created":1,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"function":{"arguments":"}"}}]},"finish_reason":"tool_calls"}]}
"#;

    a_function_call_of_old: r#"
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":null,"function_call":{"name":"f","arguments":""}}}]}
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"function_call":{"arguments":"{}"}}}]}
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"function_call"}]}
"#;

    text_before_between_and_after_calls: r#"
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"reasoning_content":"r","content":"a","tool_calls":[{"index":0,"id":"x","function":{"name":"f"}}]}}]}
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"b"}}]}
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}}]}
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"c"},"finish_reason":"tool_calls"}]}
"#;

    a_character_in_two_halves: r#"
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"a\ud83d"}}]}
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"\ude00b"}}]}
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"x","function":{"name":"f","arguments":"\"\ud83d"}}]}}]}
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\ude00\""}}]}}]}
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"z\ud83d"},"finish_reason":"stop"}]}
"#;

    usage_with_every_chunk: r#"
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"a"}}],"usage":{"prompt_tokens":7,"completion_tokens":1,"total_tokens":8}}
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"b"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}
[DONE]
"#;

    an_error_after_some_text: r#"
{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"a"}}]}
{"error":{"message":"overloaded","code":503}}
"#;

    errors_in_other_forms: r#"
{"object":"error","message":"bad","code":400}
{"detail":"Not Found"}
{"title":"Bad Gateway","status":502}
"#;

    what_is_no_chunk: r#"
{"id":"c","choices":[{"index":0,"delta":{"content":"a"
["x"]
{"id":"c","id":"d","choices":[]}
{"choices":[7]}
{"choices":[{"delta":{"content":7}}]}
{"choices":[{"delta":"text"}]}
{"choices":[{"delta":{"tool_calls":{"0":{}}}}]}
{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"f","arguments":[1]}}]}}]}
"#;

    arguments_for_nobody_knows_what: r#"
{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"x","function":{"arguments":"{}"}}]}}]}
{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}
"#;

    text_after_the_end_of_its_choice: r#"
{"id":"c","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}
{"id":"c","choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}]}
{"id":"c","choices":[{"index":0,"delta":{"content":"b"}}]}
"#;

    what_nobody_would_miss: r#"
{"id":null,"created":"now","model":7,"choices":null,"ping":true}
{"choices":[{"index":0,"delta":null,"finish_reason":null}],"usage":{"prompt_tokens":"7"}}
{"choices":[{"delta":{"content":null,"refusal":false,"reasoning_content":{},"tool_calls":[],"annotations":[1],"thinking_blocks":[1,{"type":"new"}]}}],"x_groq":{"id":"r"}}
{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"","function":{"name":"","arguments":""}}]},"finish_reason":"stop"}]}
"#;
}

#[test]
fn an_event_of_that_name_is_an_error_whatever_it_says() {
    let event = crate::sse::event(Some("error"), r#"{"choices":[]}"#);
    assert!(deltas(&[event]).starts_with("! error"));
}
