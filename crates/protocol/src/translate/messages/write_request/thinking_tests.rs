//! Golden bodies of requests that ask for thought.

use super::*;

const EFFORT: &str = r#"{"model":"m","max_tokens":20000,"temperature":0.2,"top_p":0.97,"output_config":{"effort":"high"},"messages":[{"role":"user","content":"Hi"}]}"#;
const NONE: &str = r#"{"model":"m","max_tokens":9,"output_config":{"effort":"none"},"messages":[{"role":"user","content":"Hi"}]}"#;
const LOOP: &str = r#"{"model":"m","max_tokens":9000,"output_config":{"effort":"medium"},"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"thinking","thinking":"Hm.","signature":"c2ln"},{"type":"tool_use","id":"c","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":"1"}]},{"role":"assistant","content":[{"type":"tool_use","id":"d","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"d","content":"2"}]}]}"#;
const THOUGHTLESS: &str = r#"{"model":"m","max_tokens":9000,"output_config":{"effort":"medium"},"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"thinking","thinking":"Hm."},{"type":"tool_use","id":"c","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":"1"}]}]}"#;

#[test]
fn thinking_with_a_budget() {
    insta::assert_snapshot!(golden(
        Thinking::Budget,
        &[
            ("an effort is worth at most half of the answer", EFFORT, AS_IS),
            (
                "the least budget",
                r#"{"model":"m","max_tokens":1025,"output_config":{"effort":"minimal"},"messages":[{"role":"user","content":"Hi"}]}"#,
                AS_IS
            ),
            (
                "an answer too short for it",
                r#"{"model":"m","max_tokens":1024,"output_config":{"effort":"low"},"messages":[{"role":"user","content":"Hi"}]}"#,
                AS_IS
            ),
            ("none is nothing", NONE, AS_IS),
            (
                "a word that nobody knows",
                r#"{"model":"m","max_tokens":9000,"output_config":{"effort":"heroic"},"messages":[{"role":"user","content":"Hi"}]}"#,
                AS_IS
            ),
            ("thoughts of a tool loop go back as they came", LOOP, AS_IS),
            ("a loop that lost them is gone on with without", THOUGHTLESS, AS_IS),
            (
                "a lost thought of an answer that is over is no obstacle",
                r#"{"model":"m","max_tokens":9000,"output_config":{"effort":"medium"},"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"tool_use","id":"c","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":"1"}]},{"role":"assistant","content":"One"},{"role":"user","content":"Thanks"}]}"#,
                AS_IS
            ),
            (
                "thoughts come first, sealed ones too, and take no mark",
                r#"{"model":"m","max_tokens":9000,"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"text","text":"So"},{"type":"redacted_thinking","data":"ZGF0","cache_control":{"type":"ephemeral"}},{"type":"thinking","thinking":"","signature":"c2ln"}]},{"role":"user","content":"Go on"}]}"#,
                AS_IS
            ),
            ("a forced call and thinking exclude each other", EFFORT, |request| {
                request.tool_choice = Some(ToolChoice::Required);
            }),
            (
                "so do an answer that has begun and thinking",
                r#"{"model":"m","max_tokens":9000,"output_config":{"effort":"low"},"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Well,"}]}"#,
                AS_IS
            ),
            (
                "in the upstream's own form",
                r#"{"model":"m","max_tokens":9000,"top_k":5,"top_p":0.5,"temperature":1,"thinking":{"type":"enabled","budget_tokens":2e3},"messages":[{"role":"user","content":"Hi"}]}"#,
                AS_IS
            ),
            ("as much as it likes, which older models do not know", HELLO, |request| {
                let thinking = r#"{"type":"adaptive"}"#;
                request.max_tokens = Some("9000".into());
                request.reasoning =
                    Some(Reasoning { thinking: Some(thinking.into()), ..Reasoning::default() });
            }),
            ("that form in a loop that lost its thoughts", THOUGHTLESS, |request| {
                let thinking = r#"{"type":"enabled","budget_tokens":2000}"#;
                request.reasoning.as_mut().expect("an effort").thinking = Some(thinking.into());
            }),
        ]
    ));
}

#[test]
fn thinking_by_effort() {
    insta::assert_snapshot!(golden(
        Thinking::Adaptive,
        &[
            ("an effort", EFFORT, AS_IS),
            (
                "the least",
                r#"{"model":"m","max_tokens":9,"output_config":{"effort":"minimal"},"messages":[{"role":"user","content":"Hi"}]}"#,
                AS_IS
            ),
            ("more than high, and a summary of it", EFFORT, |request| {
                let reasoning = request.reasoning.as_mut().expect("an effort");
                reasoning.effort = Some(Text::of("xhigh"));
                reasoning.summary = Some(Text::of("auto"));
            }),
            ("none switches it off, since these think as they like where nothing is said", NONE, AS_IS),
            ("a loop that lost its thoughts goes on", THOUGHTLESS, AS_IS),
            ("a budget, which newer models refuse, as an effort", HELLO, |request| {
                let thinking = r#"{"type":"enabled","budget_tokens":10000,"display":"summarized"}"#;
                request.reasoning =
                    Some(Reasoning { thinking: Some(thinking.into()), ..Reasoning::default() });
            }),
            ("a budget beside an effort", EFFORT, |request| {
                let thinking = r#"{"type":"enabled","budget_tokens":1024}"#;
                request.reasoning.as_mut().expect("an effort").thinking = Some(thinking.into());
            }),
            (
                "with a schema in one member",
                r#"{"model":"m","max_tokens":9,"output_config":{"effort":"low","format":{"type":"json_schema","schema":{"type":"object","additionalProperties":false,"properties":{"n":{"type":"number","maximum":1.50}}}}},"messages":[{"role":"user","content":"Hi"}]}"#,
                AS_IS
            ),
        ]
    ));
    insta::assert_snapshot!(golden(Thinking::Always, &[("none, where it cannot be switched off", NONE, AS_IS)]), @r#"
    # none, where it cannot be switched off
    {"model":"claude-x","max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]}]}
    lost: ["reasoning_effort"]
    "#);
    insta::assert_snapshot!(golden(Thinking::None, &[("a model that does not think", EFFORT, AS_IS)]), @r#"
    # a model that does not think
    {"model":"claude-x","max_tokens":20000,"temperature":0.2,"messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]}]}
    lost: ["reasoning_effort", "top_p"]
    "#);
}
