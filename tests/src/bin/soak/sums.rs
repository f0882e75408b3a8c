//! The tokens of the mock against those of the ledger, model by model. What may be expected of which is told at
//! [`Sums`].

use crate::{
    books::{Ledger, OfModel, Spent, Tokens},
    checks::{Findings, listed},
    ways::{Sums, WAYS},
};

/// How near estimates have to come, in percent.
const NEAR: f64 = 10.0;

/// The four sums of one of the upstream's models.
#[derive(Clone, Copy, Default)]
struct Sides {
    mock: OfModel,
    told: Tokens,
    estimated: Tokens,
}

impl Sides {
    fn plus(self, other: Self) -> Self {
        Self {
            mock: OfModel {
                finished: self.mock.finished.plus(other.mock.finished),
                cut: self.mock.cut.plus(other.mock.cut),
            },
            told: self.told.plus(other.told),
            estimated: self.estimated.plus(other.estimated),
        }
    }

    /// What the mock knows of answers whose end the gateway has not read.
    fn unread(&self) -> Tokens {
        self.mock.cut.plus(self.mock.finished.without(self.told))
    }
}

/// Compares, and prints what was compared.
pub(crate) fn agree(mock: &Spent, ledger: &Ledger, findings: &mut Findings) {
    let columns = ["mock: whole answers", "ledger: by its word", "mock: cut answers", "ledger: estimated"];
    let [one, two, three, four] = columns;
    println!("\n{:<16} | {one:<27} | {two:<27} | {three:<27} | {four}", "answers in+out");
    let (mut cut, mut whole) = (Sides::default(), Tokens::default());
    for (model, sums) in WAYS.iter().flat_map(|way| way.upstream_models()) {
        let sides = Sides {
            mock: mock.of(&model),
            told: ledger.bought(&model, Some("provider")),
            estimated: ledger.bought(&model, Some("estimated")),
        };
        println!("{}", Row(&model, &sides));
        match sums {
            Sums::Whole => {
                equal(&model, &sides, findings);
                findings.unless(sides.estimated.answers == 0, || {
                    format!("{model}: {} estimates where nobody leaves", sides.estimated.answers)
                });
                whole = whole.plus(sides.told);
            }
            Sums::Broken => {
                equal(&model, &sides, findings);
                whole = whole.plus(sides.told);
                cut = cut.plus(sides);
            }
            Sums::Left => {
                at_most(&model, &sides, findings);
                cut = cut.plus(sides);
            }
            Sums::Unread => {
                at_most(&model, &sides, findings);
                covered(&model, &sides, findings);
            }
            Sums::None => {
                let asked =
                    ledger.bought(&model, None).answers + sides.told.answers + sides.estimated.answers;
                findings.unless(asked == 0, || format!("{model}: {asked} tries, and none was expected"));
            }
        }
    }
    println!(
        "\nwhole answers, compared token by token: {} with {} + {}",
        whole.answers, whole.input, whole.output
    );
    near("cut answers, input", cut.estimated.input, cut.unread().input, findings);
    near("cut answers, output", cut.estimated.output, cut.unread().output, findings);
    let outcomes = ledger.outcomes();
    let tries: u64 = outcomes.iter().map(|(_, count)| count).sum();
    let faults: u64 =
        outcomes.iter().filter(|(what, _)| what != "ok" && what != "cancelled").map(|(_, count)| count).sum();
    println!(
        "{tries} tries at upstreams (the mock met {} requests), {:.1} % of them failed: {}",
        mock.requests,
        percent(faults, tries),
        listed(&outcomes)
    );
}

/// Each answer that the mock has finished was counted by its word, and no other.
fn equal(model: &str, sides: &Sides, findings: &mut Findings) {
    findings.unless(sides.told == sides.mock.finished, || {
        format!("{model}: the mock finished {:?}, the ledger has {:?}", sides.mock.finished, sides.told)
    });
}

/// Nothing is counted by the mock's word that the mock has not finished.
fn at_most(model: &str, sides: &Sides, findings: &mut Findings) {
    let (told, finished) = (sides.told, sides.mock.finished);
    let fits =
        told.answers <= finished.answers && told.input <= finished.input && told.output <= finished.output;
    findings.unless(fits, || format!("{model}: the mock finished {finished:?}, the ledger has {told:?}"));
}

/// Whatever the mock may want money for is in the ledger.
fn covered(model: &str, sides: &Sides, findings: &mut Findings) {
    let (estimated, unread) = (sides.estimated, sides.unread());
    let fits = estimated.answers >= unread.answers
        && estimated.input as f64 >= unread.input as f64 * (1.0 - NEAR / 100.0);
    findings.unless(fits, || {
        format!("{model}: beside what was read the mock has {unread:?}, the ledger has {estimated:?}")
    });
}

fn near(what: &str, estimated: u64, true_count: u64, findings: &mut Findings) {
    let off = percent(estimated, true_count) - 100.0;
    println!("{what}: {estimated} estimated, {true_count} by the mock, {off:+.1} %");
    findings.unless(true_count > 0 && off.abs() <= NEAR, || {
        format!("{what}: {estimated} estimated of {true_count}, which is {off:+.1} %")
    });
}

fn percent(part: u64, whole: u64) -> f64 {
    part as f64 * 100.0 / whole.max(1) as f64
}

struct Row<'a>(&'a str, &'a Sides);

impl std::fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(model, Sides { mock, told, estimated }) = self;
        write!(f, "{model:<16}")?;
        for tokens in [&mock.finished, told, &mock.cut, estimated] {
            write!(f, " | {:>6} {:>10}+{:<9}", tokens.answers, tokens.input, tokens.output)?;
        }
        Ok(())
    }
}
