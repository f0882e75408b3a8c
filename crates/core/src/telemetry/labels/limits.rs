//! Labels of limits and of the callers they hold for.

use super::labels;

labels! {
    /// Why a caller was not let in.
    AuthFailure {
        /// No credential.
        Missing = "missing",
        /// No such key.
        Unknown = "unknown",
        /// The key's time is over.
        Expired = "expired",
        /// The key may not use the model.
        ModelDenied = "model_denied",
    }
}

labels! {
    /// Which limit decided.
    LimitLabel {
        /// None: the request went on.
        None = "none",
        /// Requests in a time.
        Requests = "requests",
        /// Tokens in a time.
        Tokens = "tokens",
        /// Requests in flight, or waiting.
        Concurrency = "concurrency",
        /// Money.
        Budget = "budget",
        /// Our own care for a provider's account.
        Upstream = "upstream",
        /// Shared limits that could not be asked, where nothing may pass then.
        Unavailable = "unavailable",
    }
}

labels! {
    /// What a limit decided.
    Decision {
        /// It went on.
        Allowed = "allowed",
        /// It went on after a wait.
        Queued = "queued",
        /// It was refused.
        Limited = "limited",
    }
}

labels! {
    /// How shared limits were decided without Redis.
    Alone {
        /// By this replica's share.
        Local = "local",
        /// By nobody.
        FailOpen = "fail_open",
        /// Nothing passed.
        FailClosed = "fail_closed",
    }
}
