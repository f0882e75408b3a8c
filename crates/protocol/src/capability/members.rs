//! The data file of members: what becomes of each, by provider, models, client and wire.
//!
//! A line may name several models, clients and members; here each has a row of its own.

use super::Treatment;
use super::families::lines;
use crate::dialect::Dialect;

const TEXT: &str = include_str!("../../data/capabilities.csv");

/// One member of one client for some models of one provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    /// What `kind:` says.
    pub(super) provider: &'static str,
    /// As a row of the families has it.
    pub(super) models: &'static str,
    pub(super) client: Dialect,
    /// What the target is spoken to in.
    pub(super) wire: Dialect,
    /// Top-level, unless the name has a path.
    pub(super) member: &'static str,
    pub(super) treatment: Treatment,
}

/// The rows of the data file; a test sees to it that none is lost.
pub(super) fn rows() -> impl Iterator<Item = Row> {
    lines(TEXT).filter_map(parse).flatten()
}

/// The rows of a line.
pub(super) fn parse(line: &'static str) -> Option<Vec<Row>> {
    let fields: Vec<&str> = line.split(',').collect();
    let [provider, models, clients, wire, members, treatment, _note] = fields.try_into().ok()?;
    let treatment = Treatment::ALL.into_iter().find(|known| known.as_str() == treatment)?;
    let mut rows = Vec::new();
    for client in clients.split_ascii_whitespace() {
        let client = dialect(client)?;
        let wire = if wire == "same" { client } else { dialect(wire).filter(|wire| *wire != client)? };
        for models in models.split_ascii_whitespace() {
            let row = |member| Row { provider, models, client, wire, member, treatment };
            rows.extend(members.split_ascii_whitespace().map(row));
        }
    }
    (!rows.is_empty()).then_some(rows)
}

fn dialect(name: &str) -> Option<Dialect> {
    Dialect::ALL.into_iter().find(|dialect| dialect.as_str() == name)
}

#[cfg(test)]
pub(super) const FILE: &str = TEXT;
