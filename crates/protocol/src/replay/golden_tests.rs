//! Streams as vendors send them and the plain bodies they make, and the other way round.

use super::*;

#[test]
fn an_openai_chat_stream_with_logprobs_and_usage() {
    let stream = r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o","service_tier":"default","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"aB3"}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o","service_tier":"default","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"content":"Hi \ud83d"},"logprobs":{"content":[{"token":"Hi","logprob":-0.10,"bytes":[72,105],"top_logprobs":[]}],"refusal":null},"finish_reason":null}],"usage":null,"obfuscation":"x"}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o","service_tier":"default","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"content":"\ude00 \"é\""},"logprobs":{"content":[{"token":" \ud83d","logprob":-1e-7,"bytes":null,"top_logprobs":[]}],"refusal":null},"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o","service_tier":"default","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o","service_tier":"default","system_fingerprint":"fp_1","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}

data: [DONE]

"#;
    insta::assert_snapshot!(plain(Dialect::Chat, stream), @r#"{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"Hi \ud83d\ude00 \"é\"","refusal":null},"logprobs":{"content":[{"token":"Hi","logprob":-0.10,"bytes":[72,105],"top_logprobs":[]},{"token":" \ud83d","logprob":-1e-7,"bytes":null,"top_logprobs":[]}],"refusal":null},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12},"service_tier":"default","system_fingerprint":"fp_1"}"#);
}

#[test]
fn chat_choices_and_tool_calls_that_take_turns() {
    let stream = r#"data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":1,"delta":{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"f","arguments":""}}]},"finish_reason":null}]}

data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","reasoning_content":"Fir"},"finish_reason":null,"stop_reason":null}]}

data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":1,"delta":{"tool_calls":[{"index":1,"id":"call_b","type":"function","function":{"name":"g","arguments":"{}"}},{"index":0,"function":{"arguments":"{\"a\""}}]},"finish_reason":null}]}

data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"reasoning_content":"st"},"finish_reason":null}]}

data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"4"},"finish_reason":null},{"index":1,"delta":{"tool_calls":[{"index":0,"function":{"name":null,"arguments":":1}"}}]},"finish_reason":"tool_calls"}]}

data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop","stop_reason":"\n"}],"usage":{"prompt_tokens":1,"completion_tokens":2},"timings":{"predicted_ms":1.50}}

data: [DONE]

"#;
    insta::assert_snapshot!(plain(Dialect::Chat, stream), @r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"4","reasoning_content":"First"},"finish_reason":"stop","stop_reason":"\n"},{"index":1,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"call_a","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},{"id":"call_b","type":"function","function":{"name":"g","arguments":"{}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":2},"timings":{"predicted_ms":1.50}}"#);
}

#[test]
fn an_azure_stream_opens_with_an_empty_frame_and_openrouter_cuts_its_reasoning() {
    let stream = r#"data: {"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0}]}

data: {"choices":[{"content_filter_results":{},"delta":{"role":"assistant","reasoning_details":[{"type":"reasoning.text","text":"h","index":0}]},"finish_reason":null,"index":0}],"created":5,"id":"a","model":"m","object":"chat.completion.chunk"}

data: {"choices":[{"delta":{"reasoning_details":[{"type":"reasoning.text","text":"m","index":0,"signature":"s"}]},"index":0}],"created":5,"id":"a","model":"m","object":"chat.completion.chunk"}

data: {"choices":[{"content_filter_results":{"hate":{"filtered":false}},"delta":{"content":"ok"},"finish_reason":"stop","index":0}],"created":5,"id":"a","model":"m","object":"chat.completion.chunk"}

data: [DONE]

"#;
    insta::assert_snapshot!(plain(Dialect::Chat, stream), @r#"{"id":"a","object":"chat.completion","created":5,"model":"m","choices":[{"content_filter_results":{"hate":{"filtered":false}},"message":{"role":"assistant","content":"ok","reasoning_details":[{"type":"reasoning.text","text":"hm","index":0,"signature":"s"}]},"finish_reason":"stop","index":0}],"prompt_filter_results":[{"prompt_index":0}]}"#);
}

#[test]
fn a_vllm_completions_stream() {
    let stream = r#"data: {"id":"cmpl-1","object":"text_completion","created":1,"model":"m","choices":[{"index":0,"text":" one","logprobs":{"text_offset":[0],"token_logprobs":[-0.50],"tokens":[" one"],"top_logprobs":[{" one":-0.50}]},"finish_reason":null,"stop_reason":null,"token_ids":[5]}],"usage":{"prompt_tokens":4,"completion_tokens":1}}

data: {"id":"cmpl-1","object":"text_completion","created":1,"model":"m","choices":[{"index":1,"text":" uno","logprobs":null,"finish_reason":"length","stop_reason":null}],"usage":{"prompt_tokens":4,"completion_tokens":2}}

data: {"id":"cmpl-1","object":"text_completion","created":1,"model":"m","choices":[{"index":0,"text":" two","logprobs":{"text_offset":[4],"token_logprobs":[null],"tokens":[" two"],"top_logprobs":[null]},"finish_reason":"stop","stop_reason":128001,"token_ids":[6]}],"usage":{"prompt_tokens":4,"completion_tokens":3}}

data: [DONE]

"#;
    insta::assert_snapshot!(plain(Dialect::Completions, stream), @r#"{"id":"cmpl-1","object":"text_completion","created":1,"model":"m","choices":[{"index":0,"text":" one two","logprobs":{"text_offset":[0,4],"token_logprobs":[-0.50,null],"tokens":[" one"," two"],"top_logprobs":[{" one":-0.50},null]},"finish_reason":"stop","stop_reason":128001,"token_ids":[5,6]},{"index":1,"text":" uno","logprobs":null,"finish_reason":"length","stop_reason":null}],"usage":{"prompt_tokens":4,"completion_tokens":3}}"#);
}

#[test]
fn plain_completions_as_a_stream() {
    let body = r#"{
  "id": "cmpl-1",
  "object": "text_completion",
  "created": 1,
  "model": "m",
  "choices": [
    {"text": " one\n", "index": 0, "logprobs": null, "finish_reason": "length"},
    {"text": " uno", "index": 1, "logprobs": null, "finish_reason": "stop"}
  ],
  "usage": {"prompt_tokens": 4, "completion_tokens": 3, "total_tokens": 7},
  "system_fingerprint": "fp"
}"#;
    insta::assert_snapshot!(streamed(Dialect::Completions, body), @r#"
    data: {"id":"cmpl-1","object":"text_completion","created":1,"model":"m","system_fingerprint":"fp","choices":[{"text":" one\n","index":0,"logprobs":null,"finish_reason":"length"}]}

    data: {"id":"cmpl-1","object":"text_completion","created":1,"model":"m","system_fingerprint":"fp","choices":[{"text":" uno","index":1,"logprobs":null,"finish_reason":"stop"}]}

    data: {"id":"cmpl-1","object":"text_completion","created":1,"model":"m","system_fingerprint":"fp","choices":[],"usage":{"prompt_tokens": 4, "completion_tokens": 3, "total_tokens": 7}}

    data: [DONE]
    "#);
}

#[test]
fn a_plain_chat_answer_as_a_stream() {
    let body = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":null,"refusal":null,"tool_calls":[{"id":"call_a","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},{"id":"call_b","type":"custom","custom":{"name":"g","input":"x"}}],"annotations":[]},"logprobs":null,"finish_reason":"tool_calls","stop_reason":null}],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12},"service_tier":"default","system_fingerprint":"fp","vendor":1.50}"#;
    insta::assert_snapshot!(streamed(Dialect::Chat, body), @r#"
    data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","service_tier":"default","system_fingerprint":"fp","choices":[{"index":0,"delta":{"role":"assistant","content":null,"refusal":null,"tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},{"index":1,"id":"call_b","type":"custom","custom":{"name":"g","input":"x"}}],"annotations":[]},"logprobs":null,"finish_reason":null,"stop_reason":null}],"vendor":1.50}

    data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","service_tier":"default","system_fingerprint":"fp","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"tool_calls","stop_reason":null}]}

    data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","service_tier":"default","system_fingerprint":"fp","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}

    data: [DONE]
    "#);
}

#[test]
fn a_plain_response_as_a_stream() {
    let body = r#"{"id":"resp_1","object":"response","created_at":1,"status":"completed","error":null,"incomplete_details":null,"model":"m","output":[{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"Hm"}]},{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","annotations":[{"type":"url_citation","url":"u"}],"logprobs":[],"text":"Hi \u00e9"}]},{"id":"fc_1","type":"function_call","status":"completed","arguments":"{\"a\":1}","call_id":"call_1","name":"f"}],"usage":{"input_tokens":36,"output_tokens":87,"total_tokens":123},"temperature":1.0}"#;
    let events = streamed(Dialect::Responses, body);
    assert_eq!(plain(Dialect::Responses, &events), body);
    insta::assert_snapshot!(events, @r#"
    event: response.created
    data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","created_at":1,"status":"in_progress","error":null,"incomplete_details":null,"model":"m","output":[],"usage":null,"temperature":1.0}}

    event: response.in_progress
    data: {"type":"response.in_progress","sequence_number":1,"response":{"id":"resp_1","object":"response","created_at":1,"status":"in_progress","error":null,"incomplete_details":null,"model":"m","output":[],"usage":null,"temperature":1.0}}

    event: response.output_item.added
    data: {"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[]}}

    event: response.reasoning_summary_part.added
    data: {"type":"response.reasoning_summary_part.added","sequence_number":3,"item_id":"rs_1","output_index":0,"summary_index":0,"part":{"type":"summary_text","text":""}}

    event: response.reasoning_summary_text.delta
    data: {"type":"response.reasoning_summary_text.delta","sequence_number":4,"item_id":"rs_1","output_index":0,"summary_index":0,"delta":"Hm"}

    event: response.reasoning_summary_text.done
    data: {"type":"response.reasoning_summary_text.done","sequence_number":5,"item_id":"rs_1","output_index":0,"summary_index":0,"text":"Hm"}

    event: response.reasoning_summary_part.done
    data: {"type":"response.reasoning_summary_part.done","sequence_number":6,"item_id":"rs_1","output_index":0,"summary_index":0,"part":{"type":"summary_text","text":"Hm"}}

    event: response.output_item.done
    data: {"type":"response.output_item.done","sequence_number":7,"output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"Hm"}]}}

    event: response.output_item.added
    data: {"type":"response.output_item.added","sequence_number":8,"output_index":1,"item":{"id":"msg_1","type":"message","status":"in_progress","role":"assistant","content":[]}}

    event: response.content_part.added
    data: {"type":"response.content_part.added","sequence_number":9,"item_id":"msg_1","output_index":1,"content_index":0,"part":{"type":"output_text","annotations":[],"logprobs":[],"text":""}}

    event: response.output_text.delta
    data: {"type":"response.output_text.delta","sequence_number":10,"item_id":"msg_1","output_index":1,"content_index":0,"delta":"Hi \u00e9","logprobs":[]}

    event: response.output_text.annotation.added
    data: {"type":"response.output_text.annotation.added","sequence_number":11,"item_id":"msg_1","output_index":1,"content_index":0,"annotation_index":0,"annotation":{"type":"url_citation","url":"u"}}

    event: response.output_text.done
    data: {"type":"response.output_text.done","sequence_number":12,"item_id":"msg_1","output_index":1,"content_index":0,"text":"Hi \u00e9","logprobs":[]}

    event: response.content_part.done
    data: {"type":"response.content_part.done","sequence_number":13,"item_id":"msg_1","output_index":1,"content_index":0,"part":{"type":"output_text","annotations":[{"type":"url_citation","url":"u"}],"logprobs":[],"text":"Hi \u00e9"}}

    event: response.output_item.done
    data: {"type":"response.output_item.done","sequence_number":14,"output_index":1,"item":{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","annotations":[{"type":"url_citation","url":"u"}],"logprobs":[],"text":"Hi \u00e9"}]}}

    event: response.output_item.added
    data: {"type":"response.output_item.added","sequence_number":15,"output_index":2,"item":{"id":"fc_1","type":"function_call","status":"in_progress","arguments":"","call_id":"call_1","name":"f"}}

    event: response.function_call_arguments.delta
    data: {"type":"response.function_call_arguments.delta","sequence_number":16,"item_id":"fc_1","output_index":2,"delta":"{\"a\":1}"}

    event: response.function_call_arguments.done
    data: {"type":"response.function_call_arguments.done","sequence_number":17,"item_id":"fc_1","output_index":2,"name":"f","arguments":"{\"a\":1}"}

    event: response.output_item.done
    data: {"type":"response.output_item.done","sequence_number":18,"output_index":2,"item":{"id":"fc_1","type":"function_call","status":"completed","arguments":"{\"a\":1}","call_id":"call_1","name":"f"}}

    event: response.completed
    data: {"type":"response.completed","sequence_number":19,"response":{"id":"resp_1","object":"response","created_at":1,"status":"completed","error":null,"incomplete_details":null,"model":"m","output":[{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"Hm"}]},{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","annotations":[{"type":"url_citation","url":"u"}],"logprobs":[],"text":"Hi \u00e9"}]},{"id":"fc_1","type":"function_call","status":"completed","arguments":"{\"a\":1}","call_id":"call_1","name":"f"}],"usage":{"input_tokens":36,"output_tokens":87,"total_tokens":123},"temperature":1.0}}
    "#);
}

#[test]
fn an_anthropic_stream_with_every_kind_of_block() {
    let stream = r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","content":[],"model":"claude","stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":25,"cache_read_input_tokens":1000,"output_tokens":1,"service_tier":"standard"}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Let me "}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"see"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQB"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}

event: ping
data: {"type":"ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hel"}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"lo"}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"citations_delta","citation":{"type":"char_location","start_char_index":0}}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: content_block_start
data: {"type":"content_block_start","index":2,"content_block":{"type":"web_search_tool_result","tool_use_id":"t","content":[{"type":"web_search_result","url":"u"}]}}

event: content_block_stop
data: {"type":"content_block_stop","index":2}

event: content_block_start
data: {"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"toolu_1","name":"f","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{\"a\": 1"}}

event: content_block_delta
data: {"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":".50}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":3}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":15,"server_tool_use":{"web_search_requests":1}}}

event: message_stop
data: {"type":"message_stop"}

"#;
    let body = plain(Dialect::Messages, stream);
    let again = streamed(Dialect::Messages, &body);
    assert_eq!(plain(Dialect::Messages, &again), body);
    for kind in ["thinking_delta", "signature_delta", "text_delta", "citations_delta", "input_json_delta"] {
        assert!(again.contains(kind), "{kind}");
    }
    insta::assert_snapshot!(body, @r#"{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"thinking","thinking":"Let me see","signature":"EqQB"},{"type":"text","text":"Hello","citations":[{"type":"char_location","start_char_index":0}]},{"type":"web_search_tool_result","tool_use_id":"t","content":[{"type":"web_search_result","url":"u"}]},{"type":"tool_use","id":"toolu_1","name":"f","input":{"a": 1.50}}],"model":"claude","stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":25,"cache_read_input_tokens":1000,"output_tokens":15,"service_tier":"standard","server_tool_use":{"web_search_requests":1}}}"#);
}

#[test]
fn a_plain_message_as_a_stream() {
    let body = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[{"type":"text","text":"Hi","citations":null},{"type":"tool_use","id":"toolu_1","name":"f","input":{"a": "\u00e9"}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":25,"output_tokens":15}}"#;
    let events = streamed(Dialect::Messages, body);
    assert_eq!(plain(Dialect::Messages, &events), body);
    insta::assert_snapshot!(events, @r#"
    event: message_start
    data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":25,"output_tokens":15}}}

    event: content_block_start
    data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":"","citations":null}}

    event: content_block_delta
    data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}

    event: content_block_stop
    data: {"type":"content_block_stop","index":0}

    event: content_block_start
    data: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_1","name":"f","input":{}}}

    event: content_block_delta
    data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\": \"\\u00e9\"}"}}

    event: content_block_stop
    data: {"type":"content_block_stop","index":1}

    event: message_delta
    data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":25,"output_tokens":15}}

    event: message_stop
    data: {"type":"message_stop"}
    "#);
}
