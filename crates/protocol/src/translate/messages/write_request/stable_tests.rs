//! A conversation that is one turn longer begins with the same bytes.

use proptest::prelude::*;

use super::{family, write};
use crate::capability::Thinking;
use crate::dialect::Dialect;

/// One exchange's worth of turns: what cannot be parted without being refused stays together.
fn step() -> impl Strategy<Value = Vec<String>> {
    let words = prop_oneof![
        Just(String::from("word")),
        Just(String::from("ends with space \\n")),
        Just(String::from(" \\t")),
        Just(String::new()),
        "[a-zé]{1,8}",
    ];
    let words = move || words.clone();
    let turn = |role: &str, content: String| format!(r#"{{"role":"{role}","content":{content}}}"#);
    prop_oneof![
        (words()).prop_map(move |text| vec![turn("user", format!("\"{text}\""))]),
        (words()).prop_map(move |text| vec![turn("assistant", format!("\"{text}\""))]),
        (words()).prop_map(move |text| vec![turn("system", format!("\"{text}\""))]),
        (words(), words()).prop_map(move |(one, two)| {
            let texts = [one, two].map(|text| format!(r#"{{"type":"text","text":"{text}"}}"#)).join(",");
            vec![turn("assistant", format!("[{texts}]"))]
        }),
        (words(), 1_usize..4, any::<bool>()).prop_map(move |(text, calls, thinks)| {
            let thought = r#"{"type":"thinking","thinking":"hm","signature":"c2ln"},"#;
            let thought = if thinks { thought } else { "" };
            let uses: Vec<_> = (0..calls)
                .map(|call| {
                    format!(r#"{{"type":"tool_use","id":"c.{call}","name":"f","input":{{"n":{call}}}}}"#)
                })
                .collect();
            let result = |call| {
                let result =
                    format!(r#"[{{"type":"tool_result","tool_use_id":"c.{call}","content":"{text}"}}]"#);
                turn("user", result)
            };
            let content = format!(r#"[{thought}{{"type":"text","text":"{text}"}},{}]"#, uses.join(","));
            let mut turns = vec![turn("assistant", content)];
            turns.extend((0..calls).map(result));
            turns
        }),
    ]
}

fn body(system: &str, turns: &[String]) -> String {
    let turns = turns.join(",");
    format!(
        r#"{{"model":"m","max_tokens":5000,"system":{system},"tools":[{{"name":"f","input_schema":{{"type":"object"}}}}],"metadata":{{"user_id":"u"}},"output_config":{{"effort":"low"}},"cache_control":{{"type":"ephemeral"}},"messages":[{{"role":"user","content":"Hi"}},{turns}]}}"#
    )
}

const PLAIN: &str = r#""Be brief""#;
const MARKED: &str = r#"[{"type":"text","text":"Be brief","cache_control":{"type":"ephemeral"}}]"#;

proptest! {
    #[test]
    fn a_turn_more_changes_nothing_before_it(
        system in prop::sample::select(vec![PLAIN, MARKED]),
        steps in prop::collection::vec(step(), 2..7),
    ) {
        let shorter: Vec<_> = steps[..steps.len() - 1].concat();
        let longer = steps.concat();
        let write = |turns: &[String]| {
            write(&body(system, turns), Dialect::Chat, family(Thinking::Adaptive), |request| request.reasoning = None)
        };
        let (shorter, _) = write(&shorter).expect("a body");
        let (longer, _) = write(&longer).expect("a body");
        // All but what closes the last message, the list and the body.
        let open = shorter.strip_suffix("]}]}").expect("the list of messages is last");
        prop_assert!(longer.starts_with(open), "{shorter}\n{longer}");
    }
}

#[test]
fn thinking_by_effort_stays_through_a_tool_loop() {
    let asks = vec![r#"{"role":"user","content":"What?"}"#.to_owned()];
    let mut loops = asks.clone();
    loops.push(
        r#"{"role":"assistant","content":[{"type":"tool_use","id":"c","name":"f","input":{}}]}"#.to_owned(),
    );
    loops.push(
        r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":"1"}]}"#.to_owned(),
    );
    let write = |turns: &[String]| {
        write(&body(PLAIN, turns), Dialect::Chat, family(Thinking::Adaptive), |_| {}).expect("a body").0
    };
    let (shorter, longer) = (write(&asks), write(&loops));
    assert!(shorter.contains(r#""thinking":{"type":"adaptive"}"#));
    assert!(longer.starts_with(shorter.strip_suffix("]}]}").expect("messages are last")), "{longer}");
}
