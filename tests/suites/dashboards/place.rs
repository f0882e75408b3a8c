//! What a query's surroundings give it: the variables of Grafana, and which spans of time it may look over.

use promql_parser::parser::AtModifier;
use std::time::Duration;

/// Stand-ins that nobody writes by hand.
const RATE_INTERVAL: Duration = Duration::from_secs(61);
const RANGE: Duration = Duration::from_secs(3607);

/// Where a query stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Asked for every point of a graph.
    Graph,
    /// Asked once, for the end of the chosen time.
    Moment,
    /// Asked every minute.
    Annotation,
    /// Asked by Prometheus itself.
    Rule,
}

impl Place {
    /// Why a range of time does not belong here.
    pub fn objection(
        self,
        range: Duration,
        at: Option<&AtModifier>,
        function: Option<&str>,
    ) -> Option<&'static str> {
        if matches!(self, Self::Annotation | Self::Rule) || range == RATE_INTERVAL {
            return None;
        }
        if range == RANGE {
            let once = self == Self::Moment || matches!(at, Some(AtModifier::End));
            return (!once)
                .then_some("$__range at every point of a graph; it is for stats, tables and `@ end()`");
        }
        // A forecast looks back by its own measure.
        let forecast = matches!(function, Some("deriv" | "predict_linear"));
        (!forecast).then_some("a literal window; use $__rate_interval, or $__range in a stat")
    }
}

/// A query as Prometheus would get it, with everything chosen, and the names of the variables in it.
pub fn fill(text: &str) -> (String, Vec<String>) {
    let mut filled = String::with_capacity(text.len());
    let mut names = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        let after = after.strip_prefix('{').unwrap_or(after);
        let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
        let (name, after) = after.split_at(end);
        filled.push_str(before);
        match name {
            "__rate_interval" => filled.push_str(&format!("{}s", RATE_INTERVAL.as_secs())),
            "__range" => filled.push_str(&format!("{}s", RANGE.as_secs())),
            other => {
                filled.push_str(".*");
                names.push(other.to_owned());
            }
        }
        rest = after.strip_prefix('}').unwrap_or(after);
    }
    filled.push_str(rest);
    (filled, names)
}
