//! An answer told part by part, and the streamed body that tells it, with its pauses and faults.

use std::time::Duration;

use bytes::Bytes;

use crate::answer::{Answer, Choice, Content, Usage};
use crate::body::{Source, Step};
use crate::fault::{Behaviour, Fault};
use crate::spent::Spent;

/// A content and where it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spot<'a> {
    /// The choice's index.
    pub(crate) index: usize,
    pub(crate) choice: &'a Choice,
    /// The content's index in its choice.
    pub(crate) block: usize,
    pub(crate) content: &'a Content,
}

impl<'a> Spot<'a> {
    /// A content by its indices.
    pub(crate) fn at(answer: &'a Answer, index: usize, block: usize) -> Option<Self> {
        let choice = answer.choices.get(index)?;
        Some(Self { index, choice, block, content: choice.contents.get(block)? })
    }
}

/// One part of a streamed answer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part<'a> {
    /// Before all else.
    Open,
    /// A content begins.
    Start(Spot<'a>),
    /// A piece of its text, or of its call's arguments.
    Piece(Spot<'a>, &'a str),
    /// It is complete.
    Stop(Spot<'a>),
    /// A choice is complete.
    Finish(usize, &'a Choice),
    /// The whole answer is complete.
    Close,
    /// The answer broke off: an error event.
    Fail,
}

/// A way to write answers.
pub(crate) trait Dialect: Send {
    /// The answer as one JSON document.
    fn plain(&self, answer: &Answer) -> Vec<u8>;
    /// Appends the server-sent events of one part; parts come in their order.
    fn part(&mut self, answer: &Answer, part: Part<'_>, out: &mut Vec<u8>);
}

/// A place in an answer.
#[derive(Debug, Clone, Copy)]
enum Place {
    Open,
    /// Before a choice's content.
    Start(usize, usize),
    /// In it, at a position of its text.
    Inside(usize, usize, usize),
    Close,
    End,
}

impl Place {
    /// The part that begins here, and the place after it; `None` at the end.
    fn step(self, answer: &Answer) -> Option<(Part<'_>, Self)> {
        Some(match self {
            Self::Open => (Part::Open, Self::Start(0, 0)),
            Self::Start(index, block) => match (answer.choices.get(index), Spot::at(answer, index, block)) {
                (_, Some(spot)) => (Part::Start(spot), Self::Inside(index, block, 0)),
                (Some(choice), None) => (Part::Finish(index, choice), Self::Start(index + 1, 0)),
                (None, None) => return Self::Close.step(answer),
            },
            Self::Inside(index, block, at) => {
                let spot = Spot::at(answer, index, block)?;
                match spot.content.piece(at) {
                    Some((text, next)) => (Part::Piece(spot, text), Self::Inside(index, block, next)),
                    None => (Part::Stop(spot), Self::Start(index, block + 1)),
                }
            }
            Self::Close => (Part::Close, Self::End),
            Self::End => return None,
        })
    }

    /// The tokens of what stands before it.
    fn tokens(self, answer: &Answer) -> u64 {
        let (whole, blocks, begun) = match self {
            Self::Open => (0, 0, 0),
            Self::Start(index, block) => (index, block, 0),
            Self::Inside(index, block, at) => {
                let spot = Spot::at(answer, index, block);
                (index, block, spot.map_or(0, |spot| spot.content.tokens_before(at)))
            }
            Self::Close | Self::End => (answer.choices.len(), 0, 0),
        };
        let before = answer.choices.iter().take(whole).map(Choice::tokens).sum::<u64>();
        let contents = answer.choices.get(whole).map_or(&[][..], |choice| &choice.contents);
        before + contents.iter().take(blocks).map(Content::tokens).sum::<u64>() + begun
    }
}

/// An answer on its way out as a stream.
pub(crate) struct Talk {
    answer: Answer,
    dialect: Box<dyn Dialect>,
    place: Place,
    pieces: u64,
    /// The pause before the next part, if one is due.
    due: Duration,
    pace: Duration,
    fault: Option<(u64, Fault)>,
    broken: bool,
}

impl Talk {
    /// A stream of the answer as the behaviour has it.
    pub(crate) fn new(answer: Answer, dialect: Box<dyn Dialect>, behaviour: &Behaviour) -> Self {
        Self {
            answer,
            dialect,
            place: Place::Open,
            pieces: 0,
            due: behaviour.before_first,
            pace: behaviour.pace,
            fault: behaviour.fault,
            broken: false,
        }
    }

    fn fail(&mut self, fault: Fault) -> Step {
        self.broken = true;
        match fault {
            Fault::Cut => Step::Cut,
            Fault::Hang => Step::Hang,
            Fault::Eof => Step::End,
            Fault::Error => {
                let mut out = Vec::new();
                self.dialect.part(&self.answer, Part::Fail, &mut out);
                Step::Send(out.into())
            }
        }
    }
}

impl Source for Talk {
    fn next(&mut self) -> Step {
        if !self.due.is_zero() {
            return Step::Pause(std::mem::take(&mut self.due));
        }
        if self.broken {
            return Step::End;
        }
        if let Some((_, fault)) = self.fault.take_if(|(after, _)| *after == self.pieces) {
            return self.fail(fault);
        }
        let mut out = Vec::with_capacity(512);
        while let Some((part, next)) = self.place.step(&self.answer) {
            self.place = next;
            self.dialect.part(&self.answer, part, &mut out);
            if matches!(part, Part::Piece(..)) {
                self.pieces += 1;
                self.due = self.pace;
                return Step::Piece(out.into());
            }
            // Parts that a dialect has no words for cost no write.
            if !out.is_empty() {
                return Step::Send(out.into());
            }
        }
        Step::End
    }

    fn spent(&self) -> Option<Spent> {
        let usage = self.answer.usage;
        Some(match self.place {
            Place::End => Spent::whole(usage),
            place => Spent::part(usage, place.tokens(&self.answer)),
        })
    }
}

/// A plain answer on its way out under a fault: the head promises all of it, and half of it comes.
pub(crate) struct Broken {
    first_half: Option<Bytes>,
    fault: Fault,
    usage: Option<Usage>,
}

impl Broken {
    /// Half of the answer, then the fault; `usage` is that of all of it, where it is billed.
    pub(crate) fn new(mut whole: Bytes, fault: Fault, usage: Option<Usage>) -> Self {
        whole.truncate(whole.len() / 2);
        Self { first_half: Some(whole), fault, usage }
    }
}

impl Source for Broken {
    fn next(&mut self) -> Step {
        match (self.first_half.take(), self.fault) {
            (Some(half), _) => Step::Send(half),
            (None, Fault::Hang) => Step::Hang,
            (None, Fault::Eof) => Step::End,
            (None, Fault::Cut | Fault::Error) => Step::Cut,
        }
    }

    fn spent(&self) -> Option<Spent> {
        let usage = self.usage?;
        Some(Spent::part(usage, if self.first_half.is_none() { usage.completion / 2 } else { 0 }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Finish;

    #[test]
    fn at_every_place_the_tokens_before_it_have_been_sent() {
        let choice = |text: &str| Choice::of(Content::Text(text.to_owned()), Finish::Stop);
        let answer = Answer {
            id: String::new(),
            created: 0,
            model: String::new(),
            fingerprint: String::new(),
            choices: vec![choice("one, two"), choice("three")],
            usage: Usage::default(),
        };
        let (mut place, mut sent) = (Place::Open, vec![Place::Open.tokens(&answer)]);
        while let Some((_, next)) = place.step(&answer) {
            place = next;
            sent.push(place.tokens(&answer));
        }
        // Nothing, open, start, `one,`, ` two`, stop, finish, start, ` three`, stop, finish, close.
        assert_eq!(sent, [0, 0, 0, 2, 3, 3, 3, 3, 4, 4, 4, 4]);
    }
}
