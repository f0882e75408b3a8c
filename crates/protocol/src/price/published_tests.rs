use super::*;
use crate::{provider::preset, usage::Usage};

#[test]
fn every_row_of_the_data_file_can_be_read() {
    let rows: Vec<Published> = rows().collect();
    assert_eq!(rows.len(), lines().count(), "a line is not understood");
    assert!(rows.len() > 30);
    let names: Vec<_> = rows.iter().map(|row| (row.kind, row.model)).collect();
    assert!(names.is_sorted_by(|one, next| one < next), "out of order, or twice");
    for row in &rows {
        let home = preset(row.kind).and_then(|preset| preset.base_url);
        assert!(home.is_some_and(|url| url.starts_with("https://")), "{row:?} has no address of its own");
        let (year, month) = row.as_of.split_once('-').unwrap();
        assert!(year.len() == 4 && year >= "2025" && ("01"..="12").contains(&month), "{row:?}");
        assert!(!row.model.is_empty() && !row.model.contains(['*', ' ']), "{row:?}");
    }
}

#[test]
fn cached_input_is_never_dearer_than_input_and_output_never_cheaper() {
    let million = 1_000_000;
    for row in rows() {
        let Some(price) = row.price else { continue };
        let input = price.cost(&Usage { input: million, ..Usage::default() });
        let cached = price.cost(&Usage { input: million, cache_read: million, ..Usage::default() });
        let written = price.cost(&Usage { input: million, cache_write: million, ..Usage::default() });
        let output = price.cost(&Usage { output: million, ..Usage::default() });
        let hour =
            Usage { input: million, cache_write: million, cache_write_long: million, ..Usage::default() };
        let long = price.cost(&hour);
        assert!(0 < cached && cached <= input && input <= written && written <= 2 * input, "{row:?}");
        assert!(written <= long && long <= 2 * input, "{row:?}");
        assert!(row.model.contains("embedding") || input < output && output <= 10 * input, "{row:?}");
    }
}

#[test]
fn malformed_rows_are_refused() {
    for line in [
        "openai,m,1,,,,2",
        "openai,m,1,,,2,2026-01",
        "openai,m,1,,,,x,2026-01",
        "openai,m,,,,,2,2026-01",
        "openai,m,,,,2,,2026-01",
        "openai,m,1,,,,,2026-01",
        "a,b,1,2,3,4,5,d,e",
    ] {
        assert_eq!(Published::parse(line), None, "{line}");
    }
}

/// An answer of each provider with published prices, and what its own page makes of it: tokens times USD per million,
/// in nano-dollars.
#[test]
fn an_answer_costs_what_its_provider_charges() {
    let plain = Usage { input: 1_000, output: 100, ..Usage::default() };
    let cached = Usage { cache_read: 600, ..plain };
    let written =
        Usage { input: 5_000, cache_read: 1_000, cache_write: 3_000, output: 200, ..Usage::default() };
    let for_an_hour = Usage { cache_write_long: 2_000, ..written };
    let reasoned = Usage { reasoning: 80, ..cached };
    let cases: &[(&str, &str, &Usage, u64)] = &[
        ("openai", "gpt-4o", &plain, 1_000 * 2_500 + 100 * 10_000),
        ("openai", "gpt-4o", &cached, 400 * 2_500 + 600 * 1_250 + 100 * 10_000),
        ("openai", "gpt-5-2025-08-07", &reasoned, 400 * 1_250 + 600 * 125 + 100 * 10_000),
        ("openai", "gpt-4", &cached, 1_000 * 30_000 + 100 * 60_000),
        ("anthropic", "claude-sonnet-4-5-20250929", &plain, 1_000 * 3_000 + 100 * 15_000),
        (
            "anthropic",
            "claude-sonnet-4-5",
            &written,
            1_000 * 3_000 + 1_000 * 300 + 3_000 * 3_750 + 200 * 15_000,
        ),
        (
            "anthropic",
            "claude-sonnet-4-5",
            &for_an_hour,
            1_000 * 3_000 + 1_000 * 300 + 1_000 * 3_750 + 2_000 * 6_000 + 200 * 15_000,
        ),
        (
            "anthropic",
            "claude-opus-5",
            &for_an_hour,
            1_000 * 5_000 + 1_000 * 500 + 1_000 * 6_250 + 2_000 * 10_000 + 200 * 25_000,
        ),
        ("groq", "openai/gpt-oss-120b", &cached, 400 * 150 + 600 * 75 + 100 * 600),
        ("groq", "llama-3.3-70b-versatile", &plain, 1_000 * 590 + 100 * 790),
    ];
    for (kind, model, usage, expected) in cases {
        let of_kind: Vec<Published> = rows().filter(|row| row.kind == *kind).collect();
        let price = find(&of_kind, model).unwrap_or_else(|| panic!("{model} has no price"));
        assert_eq!(price.cost(usage), *expected, "{kind} {model} {usage:?}");
    }
}

/// Anthropic's rule: an entry for five minutes costs five quarters of input, one for an hour twice input.
#[test]
fn anthropic_s_cache_entries_cost_what_its_rule_says() {
    let million = 1_000_000;
    for row in rows().filter(|row| row.kind == "anthropic") {
        let price = row.price.expect("a price");
        let usage = Usage { input: million, ..Usage::default() };
        let input = price.cost(&usage);
        assert_eq!(price.cost(&Usage { cache_write: million, ..usage }) * 4, input * 5, "{row:?}");
        assert_eq!(
            price.cost(&Usage { cache_write: million, cache_write_long: million, ..usage }),
            input * 2,
            "{row:?}"
        );
    }
}
