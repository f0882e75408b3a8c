//! Every label value that does not come from the configuration, as closed enums.
//!
//! A metric's label is either a configured name or one of these: nothing on the wire can make a new time series.

mod cache;
mod config;
mod limits;
mod request;
mod trace;
mod upstream;

pub use cache::{BypassLabel, CacheResult, CacheTier, Eviction, InvalidEntry, SavedBy, StoreResult};
pub use config::Reload;
pub use limits::{Alone, AuthFailure, Decision, LimitLabel};
pub use request::{AbortPhase, CappedLabel, EndpointLabel, Outcome, Rejection, Source, Stage};
pub use trace::SpanLoss;
pub use upstream::{
    AttemptOutcome, ConnectionState, HedgeResult, ResumeResult, RetryResult, StreamEnd, TokenType,
};

/// Declares an enum whose variants are label values.
macro_rules! labels {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            /// All values, for families that start at zero.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The text of all values.
            pub const WORDS: &'static [&'static str] = &[$($text),+];

            /// Where it stands among them.
            #[must_use]
            pub const fn index(self) -> usize {
                self as usize
            }

            /// The label's text.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}

use labels;

/// One value per variant of a label enum.
pub struct PerLabel<L: 'static, T> {
    values: Vec<(L, T)>,
}

impl<L: Copy + PartialEq, T> PerLabel<L, T> {
    /// Makes the values.
    #[must_use]
    pub fn new(all: &[L], make: impl Fn(L) -> T) -> Self {
        Self { values: all.iter().map(|label| (*label, make(*label))).collect() }
    }

    /// The enums are closed and small: a scan beats a map.
    #[must_use]
    pub fn get(&self, label: L) -> Option<&T> {
        self.values.iter().find(|(own, _)| *own == label).map(|(_, value)| value)
    }
}

/// The label value of whatever is not in the configuration.
pub const OTHER: &str = "_other";
