//! Sums of a range of time: a table for people, CSV and JSON for programs.

use super::{
    figures::{Align, columns, dollars, grouped, usd},
    when::spelled,
};
use jiff::Timestamp;
use serde::Serialize;
use sluice_core::ledger::{By, Row, Totals};

/// The sums of a range.
pub(super) struct Summary {
    pub(super) by: By,
    pub(super) since: Timestamp,
    /// What the range begins with, where nobody said when.
    pub(super) since_is: Option<&'static str>,
    /// Absent: up to now.
    pub(super) until: Option<Timestamp>,
    pub(super) rows: Vec<Row>,
}

/// Whom a row without a name stands for.
const NOBODY: &str = "(none)";

impl Summary {
    fn total(&self) -> Totals {
        self.rows.iter().fold(Totals::default(), |sum, row| sum.plus(row.totals))
    }

    fn what(&self) -> &'static str {
        match self.by {
            By::Tenant => "tenant",
            By::Key => "key",
            By::Model => "model",
            By::Day => "day",
        }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let until = self.until.map_or_else(|| "now".to_owned(), spelled);
        let note = self.since_is.map_or_else(String::new, |what| format!(" ({what})"));
        let mut text = format!("usage by {}, from {}{note} to {until}\n\n", self.what(), spelled(self.since));
        if self.rows.is_empty() {
            text.push_str("no requests\n");
            return text;
        }
        let heading = [
            self.what(),
            "requests",
            "errors",
            "cache hits",
            "tokens in",
            "cache read",
            "cache write",
            "tokens out",
            "cost",
        ];
        let mut rows = vec![heading.map(str::to_owned).to_vec()];
        rows.extend(self.rows.iter().map(|row| line(&row.name, &row.totals)));
        let total = self.total();
        rows.push(line("total", &total));
        let align = [
            Align::Left,
            Align::Right,
            Align::Right,
            Align::Right,
            Align::Right,
            Align::Right,
            Align::Right,
            Align::Right,
            Align::Point,
        ];
        text.push_str(&columns(&align, rows));
        match total.unpriced {
            0 => {}
            1 => text.push_str("\n1 request of a model without a price is not in the cost.\n"),
            n => {
                let n = grouped(n);
                text.push_str(&format!("\n{n} requests of models without a price are not in the cost.\n"));
            }
        }
        text
    }

    /// As RFC 4180 has it, with whole numbers and without a total.
    pub(super) fn csv(&self) -> String {
        let mut text = format!(
            "{},requests,errors,cache_hits,input_tokens,cache_read_tokens,cache_write_tokens,output_tokens,\
             reasoning_tokens,unpriced_requests,cost_usd\r\n",
            self.what()
        );
        for Row { name, totals } in &self.rows {
            let Totals { requests, errors, cache_hits, unpriced, tokens, nano_usd } = totals;
            let numbers = [
                *requests,
                *errors,
                *cache_hits,
                tokens.input,
                tokens.cache_read,
                tokens.cache_write,
                tokens.output,
                tokens.reasoning,
                *unpriced,
            ];
            text.push_str(&field(name));
            for number in numbers {
                text.push_str(&format!(",{number}"));
            }
            text.push_str(&format!(",{}\r\n", usd(*nano_usd)));
        }
        text
    }

    /// One object.
    pub(super) fn json(&self) -> String {
        let rows = self.rows.iter().map(|row| Named {
            name: Some(row.name.as_str()).filter(|name| !name.is_empty()),
            sums: Sums::from(&row.totals),
        });
        pretty(&Object {
            since: self.since.to_string(),
            until: self.until.map(|until| until.to_string()),
            by: self.what(),
            rows: rows.collect(),
            total: Sums::from(&self.total()),
        })
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Object<'a> {
    since: String,
    /// Absent: up to now.
    until: Option<String>,
    by: &'static str,
    rows: Vec<Named<'a>>,
    total: Sums,
}

#[derive(Serialize)]
struct Named<'a> {
    /// Absent: requests for no configured model.
    name: Option<&'a str>,
    #[serde(flatten)]
    sums: Sums,
}

#[derive(Serialize)]
struct Sums {
    requests: u64,
    errors: u64,
    cache_hits: u64,
    input_tokens: u64,
    cache_read_tokens: u64,
    cache_write_tokens: u64,
    output_tokens: u64,
    reasoning_tokens: u64,
    unpriced_requests: u64,
    /// A whole number, which adds up exactly.
    cost_nano_usd: u64,
    /// A text, since most readers make a float of a number.
    cost_usd: String,
}

impl From<&Totals> for Sums {
    fn from(totals: &Totals) -> Self {
        let Totals { requests, errors, cache_hits, unpriced, tokens, nano_usd } = *totals;
        Self {
            requests,
            errors,
            cache_hits,
            input_tokens: tokens.input,
            cache_read_tokens: tokens.cache_read,
            cache_write_tokens: tokens.cache_write,
            output_tokens: tokens.output,
            reasoning_tokens: tokens.reasoning,
            unpriced_requests: unpriced,
            cost_nano_usd: nano_usd,
            cost_usd: usd(nano_usd),
        }
    }
}

/// Plain data always has a JSON form.
fn pretty(object: &impl Serialize) -> String {
    serde_json::to_string_pretty(object).unwrap_or_default()
}

fn line(name: &str, totals: &Totals) -> Vec<String> {
    let Totals { requests, errors, cache_hits, tokens, nano_usd, .. } = totals;
    let name = if name.is_empty() { NOBODY } else { name };
    let numbers =
        [*requests, *errors, *cache_hits, tokens.input, tokens.cache_read, tokens.cache_write, tokens.output];
    let mut line = vec![name.to_owned()];
    line.extend(numbers.map(grouped));
    line.push(dollars(*nano_usd));
    line
}

/// A field of CSV, quoted where it has to be.
fn field(text: &str) -> String {
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
#[path = "summary_tests.rs"]
mod tests;
