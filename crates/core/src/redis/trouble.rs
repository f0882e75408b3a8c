//! What an operation can fail with, in closed words.
//!
//! Errors of the client library may carry addresses, keys and values; they end here and only their kind goes on.

use ::redis::{ErrorKind, RedisError, ServerErrorKind};
use std::fmt;

/// Why there is no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// No connection, the breaker is open, or too many operations are in flight: nothing was sent.
    Away,
    /// No reply in time; a write may have been done.
    Timeout,
    /// The connection broke; a write may have been done.
    Io,
    /// The server answered with an error.
    Refused(RefusedKind),
    /// The reply is not what was asked for, or no reply of Redis at all.
    BadReply,
}

/// Declares the error replies that are told apart: the server's code and our label word.
macro_rules! refusals {
    ($($(#[$meta:meta])* $kind:ident = $word:literal from $($code:literal)|+;)+) => {
        /// The server's error replies, by their code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum RefusedKind {
            $($(#[$meta])* $kind,)+
            /// Any other code.
            Other,
        }

        const WORDS: &[&str] = &["away", "timeout", "io", "bad_reply", "refused", $($word),+];

        impl RefusedKind {
            /// The label's text.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $word,)+ Self::Other => "refused" }
            }

            /// By the first word of an error reply.
            pub(super) fn from_code(code: &str) -> Self {
                match code { $($($code)|+ => Self::$kind,)+ _ => Self::Other }
            }
        }
    };
}

refusals! {
    /// The memory limit is reached and nothing may be evicted.
    Oom = "oom" from "OOM";
    /// The server still reads its data from disk.
    Loading = "loading" from "LOADING";
    /// The server is a replica.
    ReadOnly = "readonly" from "READONLY";
    /// The key holds another type.
    WrongType = "wrongtype" from "WRONGTYPE";
    /// The script is not loaded.
    NoScript = "noscript" from "NOSCRIPT";
    /// The server is a replica without its master.
    MasterDown = "masterdown" from "MASTERDOWN";
    /// The cluster has slots that nobody serves.
    ClusterDown = "clusterdown" from "CLUSTERDOWN";
    /// The slot is on its way to another node, and the client library's own tries were used up.
    Moved = "moved" from "MOVED" | "ASK" | "TRYAGAIN";
    /// The keys of one operation belong to different slots.
    CrossSlot = "crossslot" from "CROSSSLOT";
    /// The user may not run this command or touch this key.
    NoPermission = "noperm" from "NOPERM";
    /// Password or user are missing or wrong.
    NoAuth = "noauth" from "NOAUTH" | "WRONGPASS";
    /// A script or a module holds the server.
    Busy = "busy" from "BUSY";
    /// The server refuses writes: it cannot persist them or has too few replicas.
    NoWrites = "nowrites" from "MISCONF" | "NOREPLICAS";
}

impl Trouble {
    /// The text of all values.
    pub const WORDS: &'static [&'static str] = WORDS;

    /// The label's text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Away => "away",
            Self::Timeout => "timeout",
            Self::Io => "io",
            Self::Refused(kind) => kind.as_str(),
            Self::BadReply => "bad_reply",
        }
    }

    /// The kind of an error of the client library.
    pub(super) fn of(error: RedisError) -> Self {
        if error.is_timeout() {
            return Self::Timeout;
        }
        match error.kind() {
            ErrorKind::Parse | ErrorKind::UnexpectedReturnType => Self::BadReply,
            ErrorKind::AuthenticationFailed => Self::Refused(RefusedKind::NoAuth),
            // Made by the client library when it routes; there is no reply to take the code from.
            ErrorKind::Server(ServerErrorKind::CrossSlot) => Self::Refused(RefusedKind::CrossSlot),
            ErrorKind::Server(_) | ErrorKind::Extension => Self::Refused(code_of(error)),
            // TLS failures, names that do not resolve, no master known, no node left.
            _ => Self::Io,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for Trouble {}

/// The first error reply's code: an error of a pipeline has one for each command that failed.
fn code_of(error: RedisError) -> RefusedKind {
    let replies = error.into_server_errors();
    let first = replies.as_deref().and_then(<[_]>::first);
    first.map_or(RefusedKind::Other, |(_, reply)| RefusedKind::from_code(reply.code()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::redis::{FromRedisValue, Value, parse_redis_value};

    fn refused(line: &str) -> Trouble {
        let value = parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        Trouble::of(value.extract_error().unwrap_err())
    }

    #[test]
    fn error_replies_become_words() {
        for (line, word) in [
            ("OOM command not allowed when used memory > 'maxmemory'.", "oom"),
            ("LOADING Redis is loading the dataset in memory", "loading"),
            ("READONLY You can't write against a read only replica.", "readonly"),
            ("WRONGTYPE Operation against a key", "wrongtype"),
            ("NOSCRIPT No matching script.", "noscript"),
            ("MASTERDOWN Link with MASTER is down", "masterdown"),
            ("CLUSTERDOWN Hash slot not served", "clusterdown"),
            ("MOVED 3999 10.1.2.3:6381", "moved"),
            ("NOAUTH Authentication required.", "noauth"),
            ("MISCONF Redis is configured to save", "nowrites"),
            ("ERR unknown command", "refused"),
            ("SOMETHING new", "refused"),
        ] {
            assert_eq!(refused(line).as_str(), word, "{line}");
        }
    }

    #[test]
    fn nothing_of_a_message_is_kept() {
        let trouble = refused("MOVED 3999 10.1.2.3:6381");
        assert_eq!(format!("{trouble} {trouble:?}"), "moved Refused(Moved)");
    }

    #[test]
    fn broken_connections_and_nonsense_are_told_apart() {
        let io = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        assert_eq!(Trouble::of(io.into()), Trouble::Io);
        let late = std::io::Error::from(std::io::ErrorKind::TimedOut);
        assert_eq!(Trouble::of(late.into()), Trouble::Timeout);
        assert_eq!(Trouble::of(parse_redis_value(b"?what\r\n").unwrap_err()), Trouble::BadReply);
        let wrong = u64::from_redis_value(Value::SimpleString("no number".into())).unwrap_err();
        assert_eq!(Trouble::of(wrong.into()), Trouble::BadReply);
    }
}
