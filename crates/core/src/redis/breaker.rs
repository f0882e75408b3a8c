//! When a connection is given up.
//!
//! A breaker belongs to one connection and opens once: what comes after is a new connection with a new breaker, so a
//! late failure of the old one cannot count against the new one.

use super::trouble::{RefusedKind, Trouble};
use std::sync::atomic::{AtomicU32, Ordering};

/// Failures in a row that open the breaker.
const LIMIT: u32 = 5;

/// What is at the other end; it decides what a failure means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    /// One server.
    Server,
    /// The master that Sentinel named.
    Master,
    /// Many nodes behind one handle, which reconnects to them itself.
    Cluster,
}

/// What an operation says about its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It works.
    Works,
    /// A failure, which may be the operation's own bad luck.
    Failed,
    /// It is of no more use.
    Gone,
}

impl Verdict {
    /// What a trouble on the wire means.
    pub(super) fn of(trouble: Trouble, peer: Peer) -> Self {
        match (trouble, peer) {
            (Trouble::Timeout, _) => Self::Failed,
            // One node of a cluster may fail while the others serve.
            (Trouble::Io | Trouble::BadReply, Peer::Cluster) => Self::Failed,
            (Trouble::Io | Trouble::BadReply, _) => Self::Gone,
            // The master was replaced: Sentinel knows by whom.
            (Trouble::Refused(RefusedKind::ReadOnly), Peer::Master) => Self::Gone,
            (
                Trouble::Refused(
                    RefusedKind::Loading
                    | RefusedKind::ReadOnly
                    | RefusedKind::MasterDown
                    | RefusedKind::ClusterDown,
                ),
                _,
            ) => Self::Failed,
            (Trouble::Refused(_) | Trouble::Away, _) => Self::Works,
        }
    }
}

/// Counts failures in a row.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: AtomicU32,
}

impl Breaker {
    /// Counts a verdict; true when the connection is to be given up.
    pub(super) fn opens(&self, verdict: Verdict) -> bool {
        match verdict {
            Verdict::Works => {
                // Reads first: without failures, callers on several cores share the line instead of fighting for it.
                if self.failures.load(Ordering::Relaxed) != 0 {
                    self.failures.store(0, Ordering::Relaxed);
                }
                false
            }
            Verdict::Failed => self.failures.fetch_add(1, Ordering::Relaxed) >= LIMIT - 1,
            Verdict::Gone => true,
        }
    }

    /// Were there failures since the last success?
    pub(super) fn doubtful(&self) -> bool {
        self.failures.load(Ordering::Relaxed) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fifth_failure_in_a_row_opens() {
        let breaker = Breaker::default();
        for _ in 0..4 {
            assert!(!breaker.opens(Verdict::Failed));
        }
        assert!(breaker.doubtful());
        assert!(!breaker.opens(Verdict::Works));
        assert!(!breaker.doubtful());
        let opened: Vec<bool> = (0..6).map(|_| breaker.opens(Verdict::Failed)).collect();
        assert_eq!(opened, [false, false, false, false, true, true]);
    }

    #[test]
    fn a_dead_connection_opens_at_once_except_within_a_cluster() {
        assert!(Breaker::default().opens(Verdict::of(Trouble::Io, Peer::Server)));
        assert!(Breaker::default().opens(Verdict::of(Trouble::BadReply, Peer::Master)));
        assert!(!Breaker::default().opens(Verdict::of(Trouble::Io, Peer::Cluster)));
    }

    #[test]
    fn error_replies_show_a_server_that_works_except_four() {
        use RefusedKind::{ClusterDown, Loading, MasterDown, NoScript, Oom, Other, ReadOnly, WrongType};
        let verdict = |kind, peer| Verdict::of(Trouble::Refused(kind), peer);
        for kind in [Oom, WrongType, NoScript, Other] {
            assert_eq!(verdict(kind, Peer::Server), Verdict::Works, "{kind:?}");
        }
        for kind in [Loading, ReadOnly, MasterDown, ClusterDown] {
            assert_eq!(verdict(kind, Peer::Server), Verdict::Failed, "{kind:?}");
        }
        assert_eq!(verdict(ReadOnly, Peer::Master), Verdict::Gone);
    }
}
