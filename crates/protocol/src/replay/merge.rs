//! How the pieces of a streamed object join, member by member: tables say how, and this is their one reader.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::Unconvertible;
use crate::raw::{Object, Writer, array, between_quotes, items};

/// How the values of one member join over the pieces. Null and the empty string never replace anything.
#[derive(Debug, Clone, Copy)]
pub(super) enum How {
    /// Not part of the whole.
    Drop,
    /// The newest value.
    Last,
    /// The oldest value that says something; a 0 does not.
    First,
    /// All pieces say the same, or nothing.
    Once,
    /// Strings, one after the other.
    Concat,
    /// Arrays, one after the other.
    Append,
    /// Arrays of objects, joined by their `index`, or by position where they have none.
    Indexed(Table),
    /// The same, where nobody but the `index` says which belong together.
    Numbered(Table),
    /// Objects, joined member by member.
    Members(Table),
}

/// Says how a member of the given name joins.
pub(super) type Table = fn(&str) -> How;

/// An object as far as it has been put together, its members in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Merged<'a> {
    members: Vec<(Cow<'a, str>, Slot<'a>)>,
}

#[derive(Debug)]
pub(super) enum Slot<'a> {
    Value(&'a str),
    /// What stands between the quotes, as written.
    Text(String),
    Items(Vec<&'a str>),
    Indexed(BTreeMap<u64, Merged<'a>>),
    Members(Merged<'a>),
}

impl<'a> Merged<'a> {
    /// Joins the next piece to what is there.
    pub(super) fn add(&mut self, piece: &Object<'a>, table: Table) -> Result<(), Unconvertible> {
        piece.iter().try_for_each(|(name, value)| self.put(name.clone(), value, table(name)))
    }

    pub(super) fn put(&mut self, name: Cow<'a, str>, value: &'a str, how: How) -> Result<(), Unconvertible> {
        if matches!(how, How::Drop) {
            return Ok(());
        }
        if let Some((_, slot)) = self.members.iter_mut().find(|(known, _)| *known == name) {
            return slot.add(value, how);
        }
        let mut slot = Slot::Value("null");
        slot.add(value, how)?;
        self.members.push((name, slot));
        Ok(())
    }

    /// Adds one item to an array.
    pub(super) fn push(&mut self, name: &'static str, item: &'a str) -> Result<(), Unconvertible> {
        self.put(name.into(), "[]", How::Append)?;
        match self.members.iter_mut().find(|(known, _)| *known == name) {
            Some((_, Slot::Items(items))) => items.push(item),
            _ => return Err(Unconvertible),
        }
        Ok(())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Slot<'a>)> {
        self.members.iter().map(|(name, slot)| (&**name, slot))
    }

    pub(super) fn get(&self, name: &str) -> Option<&Slot<'a>> {
        self.iter().find(|(known, _)| *known == name).map(|(_, slot)| slot)
    }

    pub(super) fn write(&self) -> String {
        let mut out = Writer::new();
        for (name, slot) in self.iter() {
            out.raw(name, &slot.write());
        }
        out.finish()
    }
}

impl<'a> Slot<'a> {
    fn add(&mut self, value: &'a str, how: How) -> Result<(), Unconvertible> {
        let is_empty = self.is_null();
        if matches!(value, "null" | "\"\"") {
            if matches!(self, Self::Value("null")) {
                *self = Self::Value(value);
            }
            return Ok(());
        }
        match how {
            How::Drop => {}
            How::Last => *self = Self::Value(value),
            How::First if is_empty || matches!(self, Self::Value("0")) => *self = Self::Value(value),
            How::First => {}
            How::Once if is_empty => *self = Self::Value(value),
            How::Once => {
                return if matches!(self, Self::Value(old) if *old == value) {
                    Ok(())
                } else {
                    Err(Unconvertible)
                };
            }
            How::Concat => self.text(is_empty)?.push_str(between_quotes(value).ok_or(Unconvertible)?),
            How::Append => {
                if is_empty {
                    *self = Self::Items(Vec::new());
                }
                let Self::Items(list) = self else { return Err(Unconvertible) };
                list.extend(items(value)?);
            }
            How::Indexed(table) | How::Numbered(table) => {
                if is_empty {
                    *self = Self::Indexed(BTreeMap::new());
                }
                let Self::Indexed(list) = self else { return Err(Unconvertible) };
                for (position, item) in (0..).zip(items(value)?) {
                    let item = Object::parse(item)?;
                    let by_position = matches!(how, How::Indexed(_)) && item.some("index").is_none();
                    let index = if by_position { Some(position) } else { item.count("index") };
                    list.entry(index.ok_or(Unconvertible)?).or_default().add(&item, table)?;
                }
            }
            How::Members(table) => {
                if is_empty {
                    *self = Self::Members(Merged::default());
                }
                let Self::Members(members) = self else { return Err(Unconvertible) };
                members.add(&Object::parse(value)?, table)?;
            }
        }
        Ok(())
    }

    /// Null, or the empty string by which some say null.
    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::Value("null" | "\"\""))
    }

    fn text(&mut self, is_empty: bool) -> Result<&mut String, Unconvertible> {
        if is_empty {
            *self = Self::Text(String::new());
        }
        match self {
            Self::Text(text) => Ok(text),
            _ => Err(Unconvertible),
        }
    }

    pub(super) fn write(&self) -> String {
        match self {
            Self::Value(value) => (*value).to_owned(),
            Self::Text(text) => format!("\"{text}\""),
            Self::Items(items) => array(items),
            Self::Indexed(list) => array(list.values().map(Merged::write)),
            Self::Members(members) => members.write(),
        }
    }
}
