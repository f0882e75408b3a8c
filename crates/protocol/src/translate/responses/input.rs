//! Input items as turns of a conversation.
//!
//! What a model has done at one time is several items here (reasoning, a message, calls) and one turn everywhere
//! else; so are the results of calls that were made side by side. Items that only their own provider can read (hosted
//! tools, references to what it keeps) are refused with their place.

use std::borrow::Cow;

use super::{custom, offered, parts, seal};
use crate::canonical::{Block, Content, Role, Text, Turn};
use crate::raw::{self, Object};
use crate::translate::Untranslatable;
use crate::translate::strays::Strays;

/// Members of items that say nothing to a model, or are read here.
const KNOWN: &[&str] = &[
    "type",
    "role",
    "content",
    "id",
    "status",
    "name",
    "call_id",
    "arguments",
    "input",
    "output",
    "namespace",
    "cache_control",
];

/// Reads `input`, which is a text or a list of items, behind the turns that are there already.
pub(super) fn read<'a>(
    json: &'a str,
    turns: &mut Vec<Turn<'a>>,
    lost: &mut Strays<'a>,
) -> Result<(), Untranslatable> {
    if let Some(text) = Text::read(json) {
        turns.push(turn(Role::User, 0, vec![Block { content: Content::Text(text), mark: None }]));
        return Ok(());
    }
    let items =
        raw::items(json).map_err(|_| Untranslatable::new("input", "expected text or a list of items"))?;
    let mut reader = Reader { turns, last: Kind::Other, lost };
    for (index, item) in items.into_iter().enumerate() {
        let place = format!("input[{index}]");
        let item = Object::parse(item)
            .map_err(|_| Untranslatable::new(&*place, "expected an object in which no name comes twice"))?;
        reader.item(&item, index, &place)?;
    }
    // Nobody wants reasoning back that led to nothing.
    turns.retain(|turn| turn.role != Role::Assistant || !turn.blocks.iter().all(is_thinking));
    Ok(())
}

/// What the newest turn holds, as far as it matters for what may join it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// What the model did.
    Model,
    /// Results of calls.
    Results,
    /// Anything else, which stays alone.
    Other,
}

struct Reader<'t, 'l, 'a> {
    turns: &'t mut Vec<Turn<'a>>,
    last: Kind,
    lost: &'l mut Strays<'a>,
}

impl<'a> Reader<'_, '_, 'a> {
    fn item(&mut self, item: &Object<'a>, index: usize, place: &str) -> Result<(), Untranslatable> {
        let kind = item.string("type");
        match kind.as_deref() {
            Some("message") => self.message(item, index, place),
            None if item.some("role").is_some() => self.message(item, index, place),
            Some("custom_tool_call") => self.custom_call(item, index, place),
            Some("function_call") => self.call(item, index, place),
            Some("function_call_output" | "custom_tool_call_output") => self.result(item, index, place),
            Some("reasoning") => {
                self.reasoning(item, index);
                Ok(())
            }
            Some("item_reference") | None => Err(Untranslatable::new(
                place,
                "refers to what one provider keeps, and the target has no Responses API",
            )),
            Some(_) => Err(Untranslatable::new(place, "an item of a type that the target has no place for")),
        }
    }

    fn message(&mut self, item: &Object<'a>, index: usize, place: &str) -> Result<(), Untranslatable> {
        let role = item.string("role");
        let (role, developer) = match role.as_deref() {
            Some("user") => (Role::User, false),
            Some("assistant") => (Role::Assistant, false),
            Some("system") => (Role::System, false),
            Some("developer") => (Role::System, true),
            _ => {
                return Err(Untranslatable::new(
                    format!("{place}.role"),
                    "nobody who takes part in a conversation",
                ));
            }
        };
        let content = item.some("content").unwrap_or("[]");
        let mut blocks = parts::read(content, &format!("{place}.content"), self.lost)?;
        // A mark on an item ends where the item ends.
        if let (Some(mark), Some(last)) = (item.some("cache_control"), blocks.last_mut()) {
            last.mark.get_or_insert(Cow::Borrowed(mark));
        }
        self.lost.look(item, KNOWN, "input[]");
        let name = item.some("name");
        if role == Role::Assistant {
            // A turn of several items has no one name.
            if let Some(name) = name {
                self.lost.add("input[].name", name);
            }
            self.join(Kind::Model, index, blocks);
        } else {
            let name = name.and_then(Text::read);
            self.turns.push(Turn { developer, name, ..turn(role, index, blocks) });
            self.last = Kind::Other;
        }
        Ok(())
    }

    fn call(&mut self, item: &Object<'a>, index: usize, place: &str) -> Result<(), Untranslatable> {
        let arguments = item.get("arguments").unwrap_or("\"\"");
        let content = Content::ToolCall {
            id: id(item, place)?,
            name: name(item, place)?,
            arguments: raw::string(arguments)
                .or_else(|| arguments.starts_with('{').then_some(Cow::Borrowed(arguments)))
                .ok_or_else(|| Untranslatable::new(format!("{place}.arguments"), "expected a string"))?,
        };
        self.lost.look(item, KNOWN, "input[]");
        self.join(Kind::Model, index, vec![Block { content, mark: mark(item) }]);
        Ok(())
    }

    fn custom_call(&mut self, item: &Object<'a>, index: usize, place: &str) -> Result<(), Untranslatable> {
        let input = item.get("input").filter(|input| input.starts_with('"'));
        let input =
            input.ok_or_else(|| Untranslatable::new(format!("{place}.input"), "expected a string"))?;
        let content = Content::ToolCall {
            id: id(item, place)?,
            name: name(item, place)?,
            arguments: custom::arguments(input).into(),
        };
        self.lost.look(item, KNOWN, "input[]");
        self.join(Kind::Model, index, vec![Block { content, mark: mark(item) }]);
        Ok(())
    }

    fn result(&mut self, item: &Object<'a>, index: usize, place: &str) -> Result<(), Untranslatable> {
        let output = item.some("output").unwrap_or("[]");
        let content = Content::ToolResult {
            id: id(item, place)?,
            content: parts::read(output, &format!("{place}.output"), self.lost)?,
            is_error: false,
        };
        self.lost.look(item, KNOWN, "input[]");
        self.join(Kind::Results, index, vec![Block { content, mark: mark(item) }]);
        Ok(())
    }

    /// What we sealed comes out as it was; what another has sealed says nothing to anybody else. Where nothing is
    /// sealed, what can be read is what was thought: some want it back with the results of the calls it led to.
    fn reasoning(&mut self, item: &Object<'a>, index: usize) {
        let contents = match item.some("encrypted_content") {
            Some(sealed) => raw::string(sealed).and_then(|sealed| seal::open(&sealed)).unwrap_or_default(),
            None => thought(item).into_iter().collect(),
        };
        if !contents.is_empty() {
            let blocks = contents.into_iter().map(|content| Block { content, mark: None });
            self.join(Kind::Model, index, blocks.collect());
        }
    }

    /// Adds blocks to the newest turn if that is of the same kind, or else begins one.
    fn join(&mut self, kind: Kind, index: usize, mut blocks: Vec<Block<'a>>) {
        match self.turns.last_mut() {
            Some(last) if self.last == kind => last.blocks.append(&mut blocks),
            _ => {
                let role = if kind == Kind::Model { Role::Assistant } else { Role::User };
                self.turns.push(turn(role, index, blocks));
                self.last = kind;
            }
        }
    }
}

fn turn(role: Role, at: usize, blocks: Vec<Block<'_>>) -> Turn<'_> {
    Turn { role, developer: false, name: None, blocks, at }
}

fn mark<'a>(item: &Object<'a>) -> Option<Cow<'a, str>> {
    item.some("cache_control").map(Cow::Borrowed)
}

/// By what a call and its result know each other.
fn id<'a>(item: &Object<'a>, place: &str) -> Result<Text<'a>, Untranslatable> {
    let id = item.some("call_id").and_then(Text::read);
    id.ok_or_else(|| Untranslatable::new(format!("{place}.call_id"), "expected a string"))
}

fn name<'a>(item: &Object<'a>, place: &str) -> Result<Text<'a>, Untranslatable> {
    let name = item.some("name").and_then(Text::read);
    let name = name.ok_or_else(|| Untranslatable::new(format!("{place}.name"), "expected a string"))?;
    Ok(match item.string("namespace") {
        Some(namespace) => Text::of(&offered::joined(&namespace, &name.meant())),
        None => name,
    })
}

/// What a reasoning item shows: all of it where that is there, else the summary.
fn thought<'a>(item: &Object<'a>) -> Option<Content<'a>> {
    let texts = |name| -> Vec<Text<'a>> {
        let parts = item.items(name).unwrap_or_default();
        parts
            .into_iter()
            .filter_map(|part| Object::parse(part).ok()?.some("text").and_then(Text::read))
            .collect()
    };
    let mut shown = texts("content");
    if shown.is_empty() {
        shown = texts("summary");
    }
    let text = match shown.len() {
        0 => return None,
        1 => shown.pop()?,
        _ => Text::joined(&shown, r"\n\n"),
    };
    Some(Content::Thinking { text, signature: None })
}

fn is_thinking(block: &Block<'_>) -> bool {
    matches!(block.content, Content::Thinking { .. } | Content::RedactedThinking(_))
}
