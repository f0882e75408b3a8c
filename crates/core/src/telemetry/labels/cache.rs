//! Labels of the response cache.

use super::labels;

labels! {
    /// What the response cache made of a request.
    CacheResult {
        /// A stored answer was given.
        Hit = "hit",
        /// None was there.
        Miss = "miss",
        /// It was not asked.
        Bypass = "bypass",
        /// The answer of an equal request under way was shared.
        Coalesced = "coalesced",
        /// The second tier could not be asked; to the client it is a miss.
        Error = "error",
    }
}

labels! {
    /// Where stored answers are.
    CacheTier {
        /// In this process.
        Memory = "memory",
        /// Shared by all replicas.
        Redis = "redis",
        /// In neither.
        None = "none",
    }
}

labels! {
    /// Why the response cache was not asked.
    BypassLabel {
        /// Nothing in the request says that it is repeatable.
        NoSeed = "no_seed",
        /// The client's headers said so.
        Header = "header",
        /// Tools that run at the provider.
        Tools = "tools",
        /// No cache is configured, or none for this model or key.
        Disabled = "disabled",
        /// The kind of request, or what the key may ask for.
        Policy = "policy",
    }
}

labels! {
    /// What became of an answer that might be kept.
    StoreResult {
        /// Kept.
        Ok = "ok",
        /// The tier failed.
        Error = "error",
        /// Larger than may be kept.
        TooLarge = "too_large",
        /// Cut, or without its end.
        Incomplete = "incomplete",
        /// Whole, but not to be given again: filtered, refused, empty, or of a fallback.
        Unfit = "unfit",
    }
}

labels! {
    /// Why a stored answer went.
    Eviction {
        /// Room was needed.
        Capacity = "capacity",
        /// Its time was over.
        Ttl = "ttl",
        /// It was purged.
        Invalidated = "invalidated",
    }
}

labels! {
    /// Why a stored answer cannot be believed.
    InvalidEntry {
        /// Not in this version's format.
        Version = "version",
        /// Damaged.
        Checksum = "checksum",
        /// It is another key's.
        Binding = "binding",
        /// It ends too early.
        Cut = "truncated",
        /// It is, or unpacks to, more than the limit.
        TooLarge = "too_large",
        /// Something else lies in its place.
        WrongType = "wrong_type",
        /// It was purged, and came back.
        Purged = "purged",
    }
}

labels! {
    /// What spared money.
    SavedBy {
        /// An answer that was there already.
        ResponseCache = "response_cache",
        /// The provider's own cache of prompts, less what writing to it costs more.
        PromptCache = "prompt_cache",
    }
}
