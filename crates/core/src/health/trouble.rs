//! What is wrong with a key of a pool, for each model that it was asked for.

use std::time::{Duration, Instant};

/// How long a key is left alone that was limited without a word about when to come back. It is asked anyway where
/// there is no other.
pub(super) const UNHINTED: Duration = Duration::from_secs(1);
/// Nobody is believed to be limited for longer.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// A refused key is asked again after so long, then after twice as long, up to a bound: the refusal may be the
/// provider's fault, and nobody should have to wake for it.
const REFUSED: Duration = Duration::from_secs(1);
/// See `REFUSED`.
const REFUSED_MOST: Duration = Duration::from_secs(60);
/// While one request finds out about a refused key, others leave it alone for so long.
const FINDING_OUT: Duration = Duration::from_secs(5);
/// Refusals in a row that could each be the request's own fault before they are taken for the key's.
const DOUBTS: u32 = 3;
/// Models whose troubles are kept by key; names can come from clients, through wildcards.
pub(super) const MOST_MODELS: usize = 64;

/// What is wrong with a key for one model.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    pub(super) model: Box<str>,
    /// When it was noticed. Answers to what was asked before say nothing of it.
    pub(super) since: Instant,
    pub(super) until: Instant,
    pub(super) kind: Kind,
    /// The key has worked for another model since: it is this model that it may not be used for.
    pub(super) of_the_model: bool,
}

/// The kinds of troubles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Limited, until an unknown time.
    Guessed,
    /// Limited, until the time that the upstream named.
    Limited,
    /// Refused so many times in a row, each time perhaps for what the request held.
    Doubted(u32),
    /// The credential was refused so many times in a row.
    Refused(u32),
}

impl Trouble {
    /// Is the key not to be used for this model?
    pub(super) fn blocks(&self, now: Instant) -> bool {
        match self.kind {
            Kind::Guessed | Kind::Doubted(_) => false,
            Kind::Limited => self.until > now,
            Kind::Refused(_) => true,
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        self.until <= now && !matches!(self.kind, Kind::Refused(_) | Kind::Doubted(_))
    }
}

/// All that is wrong with a key.
#[derive(Debug, Default)]
pub(super) struct Troubles(Vec<Trouble>);

impl Troubles {
    pub(super) fn of(&self, model: &str) -> Option<&Trouble> {
        self.0.iter().find(|trouble| *trouble.model == *model)
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Trouble> {
        self.0.iter()
    }

    pub(super) fn forget(&mut self) {
        self.0.clear();
    }

    /// It is limited. A time that the upstream has named is not shortened by what another request heard.
    pub(super) fn limited(&mut self, model: &str, hint: Option<Duration>, now: Instant) {
        let until = now + hint.unwrap_or(UNHINTED).min(LONGEST);
        let kind = if hint.is_some() { Kind::Limited } else { Kind::Guessed };
        let known = self.of(model).filter(|known| known.kind == Kind::Limited && known.until > now);
        match known.map(|known| known.until) {
            Some(named) if named >= until || kind == Kind::Guessed => {
                self.set(model, Kind::Limited, named, now);
            }
            _ => self.set(model, kind, until, now),
        }
    }

    /// It was refused; `surely` the credential was, and not perhaps the request. Says whether it is put aside now
    /// and was not before.
    pub(super) fn refused(&mut self, model: &str, surely: bool, now: Instant) -> bool {
        let before = self.of(model).map(|known| known.kind);
        let times = match before {
            Some(Kind::Refused(times)) => times.saturating_add(1),
            Some(Kind::Doubted(doubts)) if !surely && doubts + 1 < DOUBTS => {
                self.set(model, Kind::Doubted(doubts + 1), now, now);
                return false;
            }
            Some(Kind::Doubted(_)) => 1,
            _ if !surely => {
                self.set(model, Kind::Doubted(1), now, now);
                return false;
            }
            _ => 1,
        };
        let wait = REFUSED.saturating_mul(1 << (times - 1).min(6)).min(REFUSED_MOST);
        self.set(model, Kind::Refused(times), now + wait, now);
        times == 1
    }

    /// It was taken for a request that went out at `asked`: what was wrong before is over.
    pub(super) fn worked(&mut self, model: &str, asked: Instant, now: Instant) {
        self.0.retain(|trouble| (*trouble.model != *model || trouble.since > asked) && !trouble.is_over(now));
        self.0
            .iter_mut()
            .filter(|trouble| *trouble.model != *model)
            .for_each(|other| other.of_the_model = true);
    }

    /// A refused key whose time is over is tried by one request alone.
    pub(super) fn claim(&mut self, model: &str, now: Instant) {
        let refused = |trouble: &&mut Trouble| {
            *trouble.model == *model && matches!(trouble.kind, Kind::Refused(_)) && trouble.until <= now
        };
        if let Some(trouble) = self.0.iter_mut().find(refused) {
            trouble.until = now + FINDING_OUT;
        }
    }

    fn set(&mut self, model: &str, kind: Kind, until: Instant, now: Instant) {
        if let Some(known) = self.0.iter_mut().find(|trouble| *trouble.model == *model) {
            (known.kind, known.until, known.since) = (kind, until, now);
            return;
        }
        if self.0.len() >= MOST_MODELS {
            self.0.retain(|trouble| !trouble.is_over(now));
            self.0.truncate(MOST_MODELS - 1);
        }
        self.0.push(Trouble { model: model.into(), since: now, until, kind, of_the_model: false });
    }
}
