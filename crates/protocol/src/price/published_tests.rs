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
        assert!(0 < cached && cached <= input && input <= written && written <= 2 * input, "{row:?}");
        assert!(row.model.contains("embedding") || input < output && output <= 10 * input, "{row:?}");
    }
}

#[test]
fn malformed_rows_are_refused() {
    for line in [
        "openai,m,1,,,2",
        "openai,m,1,,,x,2026-01",
        "openai,m,,,,2,2026-01",
        "openai,m,1,,,,2026-01",
        "a,b,1,2,3,4,d,e",
    ] {
        assert_eq!(Published::parse(line), None, "{line}");
    }
}
