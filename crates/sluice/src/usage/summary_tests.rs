use super::*;
use sluice_core::ledger::Tokens;

fn row(name: &str, requests: u64, unpriced: u64, nano_usd: u64) -> Row {
    let tokens = Tokens { input: 1_234_567, cache_read: 8, cache_write: 7, output: 900, reasoning: 5 };
    let totals = Totals { requests, errors: 2, cache_hits: 3, unpriced, tokens, nano_usd };
    Row { name: name.to_owned(), totals }
}

fn summary(rows: Vec<Row>) -> Summary {
    Summary {
        by: By::Tenant,
        since: "2026-11-01T00:00:00Z".parse().unwrap(),
        since_is: Some("the beginning of the month"),
        until: None,
        rows,
    }
}

fn two(unpriced: u64) -> Summary {
    summary(vec![row("search", 12_345, unpriced, 1_012_340_000_000), row("", 5, 0, 123_000)])
}

#[test]
fn the_table_adds_up_and_says_what_the_cost_leaves_out() {
    assert_eq!(
        two(12).text(),
        "\
usage by tenant, from 2026-11-01 00:00 UTC (the beginning of the month) to now

tenant  requests  errors  cache hits  tokens in  cache read  cache write  tokens out           cost
search    12,345       2           3  1,234,567           8            7         900  $1,012.34
(none)         5       2           3  1,234,567           8            7         900      $0.000123
total     12,350       4           6  2,469,134          16           14       1,800  $1,012.340123

12 requests of models without a price are not in the cost.
"
    );
    assert!(two(1).text().ends_with("\n1 request of a model without a price is not in the cost.\n"));
    assert!(!two(0).text().contains("without a price"));
}

#[test]
fn a_range_that_was_asked_for_is_told_as_it_is() {
    let mut asked = summary(Vec::new());
    asked.by = By::Day;
    asked.since_is = None;
    asked.until = Some("2026-11-23T17:45:30Z".parse().unwrap());
    assert_eq!(
        asked.text(),
        "usage by day, from 2026-11-01 00:00 UTC to 2026-11-23 17:45:30 UTC\n\nno requests\n"
    );
}

#[test]
fn csv_has_raw_numbers_and_quotes_what_it_must() {
    let header = "tenant,requests,errors,cache_hits,input_tokens,cache_read_tokens,cache_write_tokens,\
                  output_tokens,reasoning_tokens,unpriced_requests,cost_usd\r\n";
    let rows = vec![row("a,\"b\"\n", 12_345, 6, 12_340_000_000), row("", 5, 0, 1)];
    assert_eq!(
        summary(rows).csv(),
        format!(
            "{header}\"a,\"\"b\"\"\n\",12345,2,3,1234567,8,7,900,5,6,12.34\r\n\
             ,5,2,3,1234567,8,7,900,5,0,0.000000001\r\n"
        )
    );
    assert_eq!(summary(Vec::new()).csv(), header);
}

#[test]
fn json_is_one_object_with_exact_cost() {
    let told: serde_json::Value = serde_json::from_str(&two(12).json()).unwrap();
    let sums = |requests: u64, factor: u64, unpriced: u64, nano_usd: u64, cost: &str| {
        serde_json::json!({
            "requests": requests, "errors": 2 * factor, "cache_hits": 3 * factor,
            "input_tokens": 1_234_567 * factor, "cache_read_tokens": 8 * factor,
            "cache_write_tokens": 7 * factor, "output_tokens": 900 * factor, "reasoning_tokens": 5 * factor,
            "unpriced_requests": unpriced, "cost_nano_usd": nano_usd, "cost_usd": cost,
        })
    };
    let named = |name: serde_json::Value, mut sums: serde_json::Value| {
        sums["name"] = name;
        sums
    };
    assert_eq!(
        told,
        serde_json::json!({
            "since": "2026-11-01T00:00:00Z",
            "until": null,
            "by": "tenant",
            "rows": [
                named("search".into(), sums(12_345, 1, 12, 1_012_340_000_000, "1012.34")),
                named(serde_json::Value::Null, sums(5, 1, 0, 123_000, "0.000123")),
            ],
            "total": sums(12_350, 2, 12, 1_012_340_123_000, "1012.340123"),
        })
    );
}
