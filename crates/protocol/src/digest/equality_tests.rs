//! The digest against a slow reference: two bodies have the same digest exactly if their reference texts are
//! the same, however they are written.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::dialect::{Dialect, Profile};
use crate::envelope::Envelope;

use super::body_digest;

/// A value as it is meant.
#[derive(Debug, Clone)]
enum Tree {
    Word(&'static str),
    /// A whole number times ten to an exponent.
    Number(i128, i32),
    Text(String),
    List(Vec<Tree>),
    /// Names may come twice.
    Object(Vec<(String, Tree)>),
}

const PIECES: &[&str] =
    &["a", "b", "B", "é", "e\u{301}", "\n", "\"", "\\", "/", "😀", "\u{fffd}", "\u{0}", "cache_control"];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => prop::collection::vec(select(PIECES), 0..3).prop_map(|pieces| pieces.concat()),
        1 => (select(PIECES), 250..520_usize).prop_map(|(piece, count)| piece.repeat(count)),
    ]
}

fn tree() -> impl Strategy<Value = Tree> {
    let mantissa = prop_oneof![
        4 => -20..20_i128,
        1 => (1_i128 << 53) - 2..(1 << 53) + 2,
        1 => (1_i128 << 63) - 2..(1 << 63) + 2,
        1 => -(1_i128 << 64)..1 << 64,
    ];
    let leaf = prop_oneof![
        select(["null", "true", "false"].as_slice()).prop_map(Tree::Word),
        (mantissa, -3..4).prop_map(|(mantissa, exponent)| Tree::Number(mantissa, exponent)),
        text().prop_map(Tree::Text),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Tree::List),
            prop::collection::vec((text(), inner), 0..6).prop_map(Tree::Object),
        ]
    })
}

/// The canonical text of the reference: exact decimals, members sorted, equal names in their order.
fn reference(tree: &Tree) -> String {
    match tree {
        Tree::Word(word) => (*word).to_owned(),
        Tree::Number(0, _) => "0".to_owned(),
        Tree::Number(mantissa, exponent) if mantissa % 10 == 0 => {
            reference(&Tree::Number(mantissa / 10, exponent + 1))
        }
        Tree::Number(mantissa, exponent) => format!("{mantissa}e{exponent}"),
        Tree::Text(text) => format!("{text:?}"),
        Tree::List(items) => format!("[{}]", items.iter().map(reference).collect::<Vec<_>>().join(",")),
        Tree::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| name);
            let member = |(name, value): &(String, Tree)| format!("{name:?}:{}", reference(value));
            format!("{{{}}}", members.into_iter().map(member).collect::<Vec<_>>().join(","))
        }
    }
}

/// Writes a tree in one of its many spellings.
struct Writer {
    state: u64,
}

impl Writer {
    fn pick(&mut self, below: u64) -> u64 {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) % below
    }

    fn space(&mut self) -> &'static str {
        ["", "", "", " ", "\n\t"][self.pick(5) as usize]
    }

    fn value(&mut self, tree: &Tree) -> String {
        let written = match tree {
            Tree::Word(word) => (*word).to_owned(),
            Tree::Number(mantissa, exponent) => self.number(*mantissa, *exponent),
            Tree::Text(text) => self.text(text),
            Tree::List(items) => {
                format!("[{}]", items.iter().map(|item| self.value(item)).collect::<Vec<_>>().join(","))
            }
            Tree::Object(members) => {
                let mut members = members.clone();
                for _ in 0..members.len() * 4 {
                    let at = self.pick(members.len() as u64) as usize;
                    if at > 0 && members[at - 1].0 != members[at].0 {
                        members.swap(at - 1, at);
                    }
                }
                let mut member = |(name, value): &(String, Tree)| {
                    format!("{}{}:{}", self.text(name), self.space(), self.value(value))
                };
                let members: Vec<_> = members.iter().map(&mut member).collect();
                format!("{{{}}}", members.join(","))
            }
        };
        format!("{}{written}{}", self.space(), self.space())
    }

    fn number(&mut self, mantissa: i128, exponent: i32) -> String {
        let sign = if mantissa < 0 || mantissa == 0 && self.pick(2) == 0 { "-" } else { "" };
        let digits = mantissa.unsigned_abs().to_string();
        let zeros = self.pick(4) as usize;
        match self.pick(4) {
            0 if exponent == 0 => format!("{sign}{digits}"),
            1 => format!("{sign}{digits}{}e{}", "0".repeat(if mantissa == 0 { 0 } else { zeros }), {
                if mantissa == 0 { 17 } else { exponent - zeros as i32 }
            }),
            2 => format!("{sign}{digits}.{}E{exponent}", "0".repeat(zeros + 1)),
            _ => {
                let shift = exponent + (digits.len() + zeros) as i32;
                let plus = if shift >= 0 { "+" } else { "" };
                format!("{sign}0.{}{digits}e{plus}{shift}", "0".repeat(zeros))
            }
        }
    }

    fn text(&mut self, text: &str) -> String {
        let mut written = String::from("\"");
        for character in text.chars() {
            let must = matches!(character, '"' | '\\' | '\0'..='\x1f');
            match (character, self.pick(4)) {
                (_, 0) => {
                    let mut units = [0; 2];
                    for unit in character.encode_utf16(&mut units) {
                        written += &if self.pick(2) == 0 {
                            format!("\\u{unit:04x}")
                        } else {
                            format!("\\u{unit:04X}")
                        };
                    }
                }
                ('"' | '\\' | '/', 1..) if must || self.pick(2) == 0 => written.extend(['\\', character]),
                ('\n', _) => written += "\\n",
                _ if must => written += &format!("\\u{:04x}", u32::from(character)),
                _ => written.push(character),
            }
        }
        written + "\""
    }
}

/// A tree with one small change at the node that `steps` lead to; it may mean the same as before.
fn change(tree: &mut Tree, steps: &[Index], what: &Tree, how: usize) {
    let child = match (&mut *tree, steps.first()) {
        (Tree::List(items), Some(step)) if !items.is_empty() => {
            let at = step.index(items.len());
            items.get_mut(at)
        }
        (Tree::Object(members), Some(step)) if !members.is_empty() => {
            let at = step.index(members.len());
            members.get_mut(at).map(|(_, value)| value)
        }
        _ => None,
    };
    if let Some(child) = child {
        return change(child, &steps[1..], what, how);
    }
    match (&mut *tree, how) {
        (Tree::Number(mantissa, _), 0 | 1) => *mantissa += 1,
        (Tree::Number(_, exponent), 2) => *exponent += 1,
        (Tree::Number(mantissa, exponent), 3) => (*mantissa, *exponent) = (*mantissa * 10, *exponent - 1),
        (Tree::Text(text), 0) => text.push('a'),
        (Tree::Text(text), 1) => text.truncate(text.char_indices().last().map_or(0, |(at, _)| at)),
        _ if how == 4 => *tree = Tree::List(vec![tree.clone()]),
        _ => *tree = what.clone(),
    }
}

/// A change to the members or items of the node itself.
fn rearrange(tree: &mut Tree, how: usize, at: &Index) {
    match tree {
        Tree::List(items) if items.len() > 1 => match how {
            0 => items.rotate_left(1),
            1 => drop(items.remove(at.index(items.len()))),
            _ => items.reverse(),
        },
        Tree::Object(members) if members.len() > 1 => match how {
            0 => members.rotate_left(1),
            1 => drop(members.remove(at.index(members.len()))),
            2 => members[0].0 = members[1].0.clone(),
            _ => {
                let name = members[0].0.clone();
                members[0].0 = std::mem::replace(&mut members[1].0, name);
            }
        },
        _ => {}
    }
}

fn digest(tree: &Tree, seed: u64) -> [u8; 32] {
    let mut writer = Writer { state: seed };
    let mut members = [
        "\"model\":\"m\"".to_owned(),
        format!("\"prompt\":{}", writer.text("p")),
        format!("\"x\":{}", writer.value(tree)),
        "\"user\":\"u\"".to_owned(),
    ];
    let at = writer.pick(4) as usize;
    members.rotate_left(at);
    let body = format!("{{{}}}", members.join(","));
    let call = Envelope::scan(body.clone().into(), Dialect::Completions, Profile::Open);
    body_digest(&call.unwrap_or_else(|fault| panic!("{fault}: {body}")))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1024, ..ProptestConfig::default() })]

    #[test]
    fn every_spelling_of_a_body_has_one_digest(tree in tree(), one: u64, two: u64) {
        prop_assert_eq!(digest(&tree, one), digest(&tree, two));
    }

    #[test]
    fn digests_are_equal_exactly_where_the_meaning_is(
        tree in tree(), what in tree(), how in 0..6_usize, at: Index, twist in 0..8_usize, one: u64, two: u64,
        steps in prop::collection::vec(any::<Index>(), 0..5),
    ) {
        let mut other = tree.clone();
        change(&mut other, &steps, &what, how);
        if twist < 5 {
            rearrange(&mut other, twist, &at);
        }
        let means_the_same = reference(&tree) == reference(&other);
        prop_assert_eq!(digest(&tree, one) == digest(&other, two), means_the_same, "{:?} {:?}", tree, other);
    }
}
