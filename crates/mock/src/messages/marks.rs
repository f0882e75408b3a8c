//! `cache_control`: the marks of a request, in the order in which the cache reads it.

use serde_json::{Map, Value};

/// More marks are refused.
const MOST: usize = 4;

/// How long what a mark ends is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ttl {
    FiveMinutes,
    OneHour,
    Wrong,
}

/// The marks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Marks(Vec<Ttl>);

impl Marks {
    /// Those of a body: tools, system, messages, then the automatic one at the end.
    pub(super) fn of(body: &Map<String, Value>) -> Self {
        let mut marks = Self::default();
        for name in ["tools", "system", "messages"] {
            if let Some(value) = body.get(name) {
                marks.gather(value);
            }
        }
        marks.mark(body.get("cache_control"));
        marks
    }

    fn mark(&mut self, mark: Option<&Value>) {
        let Some(mark) = mark.filter(|mark| !mark.is_null()) else { return };
        let ttl = match (mark.get("type").and_then(Value::as_str), mark.get("ttl").and_then(Value::as_str)) {
            (Some("ephemeral"), Some("5m")) => Ttl::FiveMinutes,
            (Some("ephemeral"), None) if mark.get("ttl").is_none() => Ttl::FiveMinutes,
            (Some("ephemeral"), Some("1h")) => Ttl::OneHour,
            _ => Ttl::Wrong,
        };
        self.0.push(ttl);
    }

    /// Blocks hold blocks in `content` only: what looks like a mark in a schema or an input is none.
    fn gather(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.gather(item)),
            Value::Object(members) => {
                if let Some(content) = members.get("content") {
                    self.gather(content);
                }
                self.mark(members.get("cache_control"));
            }
            _ => {}
        }
    }

    /// Whether there are any.
    pub(super) fn any(&self) -> bool {
        !self.0.is_empty()
    }

    /// Judges them.
    pub(super) fn check(&self) -> Result<(), String> {
        let Self(marks) = self;
        if marks.contains(&Ttl::Wrong) {
            return Err("cache_control: Input should be of type 'ephemeral', its ttl '5m' or '1h'".to_owned());
        }
        if marks.len() > MOST {
            return Err(format!(
                "A maximum of {MOST} blocks with cache_control may be provided. Found {}.",
                marks.len()
            ));
        }
        let short = marks.iter().position(|ttl| *ttl == Ttl::FiveMinutes);
        if short.is_some_and(|short| marks.iter().skip(short).any(|ttl| *ttl == Ttl::OneHour)) {
            return Err(
                "cache_control: a mark with the ttl '1h' must not come after one with '5m'".to_owned()
            );
        }
        Ok(())
    }

    /// Tokens written to the cache, those kept for five minutes and those kept for an hour.
    pub(super) fn split(&self, written: u64) -> (u64, u64) {
        let hours = self.0.iter().filter(|ttl| **ttl == Ttl::OneHour).count() as u64;
        let all = (self.0.len() as u64).max(1);
        let long = written * hours / all;
        (written - long, long)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(body: &Value) -> Marks {
        Marks::of(body.as_object().unwrap())
    }

    #[test]
    fn marks_are_found_where_blocks_are_and_nowhere_else() {
        let mark = json!({ "type": "ephemeral" });
        let schema = json!({ "properties": { "cache_control": { "type": "string" } } });
        let body = json!({
            "tools": [{ "name": "f", "input_schema": schema, "cache_control": mark }],
            "system": [{ "type": "text", "text": "x", "cache_control": mark }],
            "messages": [{ "role": "user", "content": [
                { "type": "tool_result", "content": [{ "type": "text", "text": "x", "cache_control": mark }] },
                { "type": "tool_use", "input": { "cache_control": 1 } },
            ] }],
            "cache_control": mark,
        });
        assert_eq!(of(&body).0.len(), 4);
        assert_eq!(of(&body).check(), Ok(()));
    }

    #[test]
    fn an_hour_comes_before_five_minutes_and_what_is_written_is_split() {
        let block =
            |ttl: &str| json!({ "type": "text", "cache_control": { "type": "ephemeral", "ttl": ttl } });
        let marks = of(&json!({ "system": [block("1h"), block("5m")] }));
        assert_eq!((marks.check(), marks.split(192)), (Ok(()), (96, 96)));
        assert!(of(&json!({ "system": [block("5m"), block("1h")] })).check().is_err());
        assert!(of(&json!({ "system": [block("2h")] })).check().is_err());
        assert_eq!(Marks::default().split(64), (64, 0));
    }
}
