//! Plain answers as upstreams give them, and what is read from them.

use super::read_reply;
use crate::raw::Garbled;
use crate::translate::answer_samples::reply;

/// Snapshots what an answer says, under a name.
macro_rules! golden {
    ($($name:ident: $body:expr;)+) => {
        $(
            #[test]
            fn $name() {
                insta::assert_snapshot!(reply(&read_reply($body).expect("an answer")));
            }
        )+
    };
}

golden! {
    openai_text: r#"{
  "id": "chatcmpl-1",
  "object": "chat.completion",
  "created": 1700000001,
  "model": "gpt-4o-2024",
  "choices": [
    {
      "index": 0,
      "message": {"role": "assistant", "content": "Hello \"you\"", "refusal": null, "annotations": []},
      "logprobs": null,
      "finish_reason": "stop"
    }
  ],
  "usage": {
    "prompt_tokens": 19, "completion_tokens": 10, "total_tokens": 29,
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0}
  },
  "service_tier": "default",
  "system_fingerprint": "fp_1"
}"#;

    openai_calls: r#"{"id":"c","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"call_a","type":"function","function":{"name":"get_weather","arguments":"{\n\"city\": \"Rome\"\n}"}},{"id":"call_b","type":"function","function":{"name":"now","arguments":""}}]},"logprobs":null,"finish_reason":"tool_calls"}]}"#;

    several_choices_with_logprobs: r#"{"id":"c","created":1,"model":"m","choices":[{"index":1,"message":{"role":"assistant","content":"uno"},"finish_reason":"length"},{"index":0,"message":{"role":"assistant","content":"one"},"logprobs":{"content":[{"token":"one","logprob":-0.5,"bytes":null,"top_logprobs":[{"token":"one","logprob":-0.5,"bytes":null}]}],"refusal":null},"finish_reason":"stop"}]}"#;

    a_refusal: r#"{"id":"c","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":null,"refusal":"I can't."},"finish_reason":"stop"}]}"#;

    deepseek: r#"{"id":"d","created":1,"model":"deepseek-reasoner","choices":[{"index":0,"message":{"role":"assistant","content":"9.8","reasoning_content":"9.11 is less"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12,"prompt_cache_hit_tokens":4,"prompt_cache_miss_tokens":5}}"#;

    litellm_thinking_blocks: r#"{"id":"l","created":1,"model":"claude","choices":[{"index":0,"message":{"role":"assistant","content":"Hi","reasoning_content":"OneTwo","thinking_blocks":[{"type":"thinking","thinking":"One","signature":"YQ"},{"type":"redacted_thinking","data":"c2VhbGVk"},{"type":"thinking","thinking":"Two","signature":"Yg"}],"provider_specific_fields":{}},"finish_reason":"stop"}]}"#;

    reasoning_beside_a_seal_without_text: r#"{"id":"l","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi","reasoning":"hm","thinking_blocks":[{"type":"thinking","thinking":"","signature":"YQ"}]},"finish_reason":"stop"}]}"#;

    mistral_parts: r#"{"id":"mi","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"4"},{"type":"reference","reference_ids":[1]},"2"]},"finish_reason":"stop"}]}"#;

    azure_filtered: r#"{"choices":[{"content_filter_results":{"hate":{"filtered":true}},"finish_reason":"content_filter","index":0,"message":{"role":"assistant"}}],"created":5,"id":"az","model":"gpt-4o","prompt_filter_results":[]}"#;

    a_function_is_prescribed_and_the_reason_is_stop: r#"{"choices":[{"index":0,"message":{"content":"","function_call":{"name":"f","arguments":"{}"}},"finish_reason":"stop"}]}"#;

    a_word_of_its_own_and_a_stop_text: r#"{"choices":[{"message":{"content":"a"},"finish_reason":"abort"},{"message":{"content":"b"},"finish_reason":"stop","stop_reason":"\n\n"},{"message":{"content":"c"},"finish_reason":"stop","stop_reason":128001},{"message":{"content":"d"}}]}"#;

    no_choices: r#"{"id":"c","choices":[],"usage":{"cost":1}}"#;

    a_custom_tool_s_input: r#"{"choices":[{"message":{"tool_calls":[{"id":"x","type":"custom","custom":{"name":"sql","input":"SELECT 1"}}]},"finish_reason":"tool_calls"}]}"#;
}

#[test]
fn what_is_no_answer_is_garbled() {
    for body in [
        "",
        "[]",
        r#"{"choices":{}}"#,
        r#"{"choices":[1]}"#,
        r#"{"choices":[{"message":"x"}]}"#,
        r#"{"choices":[{"message":{"content":1}}]}"#,
        r#"{"choices":[{"message":{"content":{"text":"x"}}}]}"#,
        r#"{"choices":[{"message":{"content":"a","content":"b"}}]}"#,
        r#"{"choices":[{"message":{"tool_calls":"x"}}]}"#,
        r#"{"choices":[{"message":{"tool_calls":[{"id":"x","function":{"arguments":"{}"}}]}}]}"#,
    ] {
        assert_eq!(read_reply(body).map(|reply| reply.choices.len()), Err(Garbled), "{body}");
    }
    assert!(read_reply("{}").is_ok_and(|reply| reply.choices.is_empty()));
}
