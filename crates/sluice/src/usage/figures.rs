//! Figures for people and for programs: exact dollars, grouped numbers, columns.

/// Nano-dollars as dollars: exact, with at least two decimals and none that says nothing.
pub(super) fn usd(nano_usd: u64) -> String {
    format!("{}.{}", nano_usd / NANO, decimals(nano_usd))
}

/// `$1,234.50`.
pub(super) fn dollars(nano_usd: u64) -> String {
    format!("${}.{}", grouped(nano_usd / NANO), decimals(nano_usd))
}

const NANO: u64 = 1_000_000_000;

fn decimals(nano_usd: u64) -> String {
    let mut decimals = format!("{:09}", nano_usd % NANO);
    let said = decimals.trim_end_matches('0').len();
    decimals.truncate(said.max(2));
    decimals
}

/// `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// How the cells of a column stand below each other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
    /// By the decimal point.
    Point,
}

/// Rows as aligned columns, two spaces apart. The first row is the heading.
pub(super) fn columns(align: &[Align], mut rows: Vec<Vec<String>>) -> String {
    for cell in rows.iter_mut().flatten() {
        // What a client chose must not move the cursor of whoever looks.
        *cell = cell.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    }
    for (column, _) in align.iter().enumerate().filter(|(_, align)| **align == Align::Point) {
        point(&mut rows, column);
    }
    let widths: Vec<usize> =
        (0..align.len()).map(|column| widest(&rows, column, |cell| cell.chars().count())).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(align).zip(&widths).map(|((cell, align), width)| match align {
            Align::Left => format!("{cell:<width$}"),
            Align::Right | Align::Point => format!("{cell:>width$}"),
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Makes every number of a column as wide from its point on.
fn point(rows: &mut [Vec<String>], column: usize) {
    fn places(cell: &str) -> usize {
        cell.rfind('.').map_or(0, |point| cell.len() - point)
    }
    let most = widest(rows, column, places);
    for cell in rows.iter_mut().skip(1).filter_map(|row| row.get_mut(column)) {
        let missing = most - places(cell);
        cell.push_str(&" ".repeat(missing));
    }
}

fn widest(rows: &[Vec<String>], column: usize, width: impl Fn(&str) -> usize) -> usize {
    rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_exact_and_say_nothing_twice() {
        for (nano_usd, expected) in [
            (0, "0.00"),
            (12_340_000_000, "12.34"),
            (123_000, "0.000123"),
            (1, "0.000000001"),
            (500_000_000, "0.50"),
            (1_999_999_999, "1.999999999"),
            (1_234_567_000_000_000, "1234567.00"),
            // Beyond what a float holds.
            (9_007_199_254_740_993, "9007199.254740993"),
            (u64::MAX, "18446744073.709551615"),
        ] {
            assert_eq!(usd(nano_usd), expected);
            assert_eq!(dollars(nano_usd).replace(',', ""), format!("${expected}"));
        }
        assert_eq!(dollars(1_234_567_000_000_000), "$1,234,567.00");
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, expected) in [(0, "0"), (999, "999"), (1000, "1,000"), (12_345_678, "12,345,678")] {
            assert_eq!(grouped(number), expected);
        }
        assert_eq!(grouped(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn columns_are_aligned_and_points_stand_below_each_other() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = vec![
            row(["tenant", "requests", "cost"]),
            row(["é\u{1b}[2J", "1", "$1,234.50"]),
            row(["batch", "12,345", "$0.000123"]),
            row(["c", "0", "-"]),
        ];
        let text = columns(&[Align::Left, Align::Right, Align::Point], rows);
        assert_eq!(
            text,
            "tenant  requests           cost\n\
             é\u{fffd}[2J          1  $1,234.50\n\
             batch     12,345      $0.000123\n\
             c              0       -\n"
        );
    }
}
