//! The texts that an answer is made of: each is a string of its own to the client, and grows by itself.

use std::fmt;

/// A member that carries text. Two upstreams may call the same thing by different names, and to a client they are
/// two things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    /// `text` of a completion.
    Text,
    /// `content` of a chat's delta.
    Content,
    /// `reasoning_content` of a chat's delta.
    ReasoningContent,
    /// `reasoning` of a chat's delta.
    Reasoning,
}

impl Channel {
    /// The channel that a member of a chat's delta belongs to.
    pub(super) fn of_delta(name: &str) -> Option<Self> {
        match name {
            "content" => Some(Self::Content),
            "reasoning_content" => Some(Self::ReasoningContent),
            "reasoning" => Some(Self::Reasoning),
            _ => None,
        }
    }
}

/// One of something for each channel.
#[derive(Clone, Default)]
pub(super) struct PerChannel<T> {
    text: T,
    content: T,
    reasoning_content: T,
    reasoning: T,
}

impl<T> PerChannel<T> {
    pub(super) fn get(&self, channel: Channel) -> &T {
        match channel {
            Channel::Text => &self.text,
            Channel::Content => &self.content,
            Channel::ReasoningContent => &self.reasoning_content,
            Channel::Reasoning => &self.reasoning,
        }
    }

    pub(super) fn get_mut(&mut self, channel: Channel) -> &mut T {
        match channel {
            Channel::Text => &mut self.text,
            Channel::Content => &mut self.content,
            Channel::ReasoningContent => &mut self.reasoning_content,
            Channel::Reasoning => &mut self.reasoning,
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        [&self.text, &self.content, &self.reasoning_content, &self.reasoning].into_iter()
    }
}

impl PerChannel<String> {
    /// The text, when no other channel has any.
    pub(super) fn only_text(&self) -> Option<&str> {
        self.iter().skip(1).all(String::is_empty).then_some(&self.text)
    }

    /// All channels together, in bytes.
    pub(super) fn len(&self) -> usize {
        self.iter().map(String::len).sum()
    }
}

/// Shows sizes only: answers are not logged.
impl fmt::Debug for PerChannel<String> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|text| text.len())).finish()
    }
}
