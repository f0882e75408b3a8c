//! Every diagnostic code, once. A code never changes its meaning; new ones are added at the end.

/// A diagnostic's code and what it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// `SL001` and so on.
    pub id: &'static str,
    /// What it means, in a few words.
    pub about: &'static str,
}

macro_rules! codes {
    ($($name:ident = $id:literal, $about:literal;)+) => {
        $(
            #[doc = concat!($id, ": ", $about, ".")]
            pub const $name: Code = Code { id: $id, about: $about };
        )+

        /// All codes, in order.
        pub const ALL: &[Code] = &[$($name),+];
    };
}

codes! {
    SYNTAX = "SL001", "the file cannot be read, or is not YAML";
    UNKNOWN_FIELD = "SL002", "a field that does not exist";
    DUPLICATE_KEY = "SL003", "a field written twice in one map";
    UNKNOWN_NAME = "SL004", "a provider, tenant, key or kind that does not exist";
    WRONG_TYPE = "SL005", "text, number, list or map where another is due";
    MISSING = "SL006", "a field that must be there";
    BAD_UNIT = "SL007", "an amount without its unit, or with one that does not exist";
    OUT_OF_RANGE = "SL008", "a number outside its range";
    BAD_VALUE = "SL009", "a value that its field does not know";
    DUPLICATE_NAME = "SL010", "two things of one list with the same name, or two keys with the same hash";
    TARGETS = "SL011", "no target, or targets whose weights add up to nothing";
    BASE_URL = "SL012", "an upstream address that cannot work";
    NO_PRICE = "SL013", "a budget, or a choice by price, over a target whose price is not known";
    BAD_HASH = "SL014", "a key's hash that is not one";
    NO_MODEL = "SL015", "a key that may ask for models that no name matches";
    EXPIRED = "SL016", "a key that no longer works";
    INLINE_SECRET = "SL017", "a secret typed into the file";
    READABLE_SECRET = "SL018", "a secret's file that everybody on the machine may read";
    UNSET_VARIABLE = "SL019", "`${…}` that stands for nothing, or is not well formed";
    BAD_HEADER = "SL020", "an upstream header that may not be sent";
    BAD_WILDCARD = "SL021", "`*` where it cannot stand";
    BAD_RULE = "SL022", "a routing rule that never or always matches";
    EXPOSED = "SL023", "a listener that others could reach without a key or a token";
    SAME_ADDRESS = "SL024", "both listeners on one address";
    BAD_FILE = "SL025", "a certificate or key file that cannot be used";
    ENVIRONMENT = "SL026", "a `SLUICE__…` variable that sets nothing";
    TOO_DEEP = "SL027", "aliases or nesting beyond what a configuration needs";
    NOTHING_SERVED = "SL028", "a configuration that answers nobody";
    NOT_ACTIVE = "SL029", "a section that is accepted and does nothing yet; at present there is none";
    EMPTY_VALUE = "SL030", "a field with nothing after its colon";
    IDLE_CACHE = "SL031", "cache settings that cannot do what they say";
    SHARED_ANSWERS = "SL032", "stored answers that several tenants share";
    IDLE_LIMIT = "SL033", "settings of limits that mean nothing where they stand";
    IDLE_ROUTE = "SL034", "settings of routing that cannot do all that they say";
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn codes_count_up_without_a_gap() {
        let ids: Vec<_> = ALL.iter().map(|code| code.id.to_owned()).collect();
        let expected: Vec<_> = (1..=ALL.len()).map(|number| format!("SL{number:03}")).collect();
        assert_eq!(ids, expected);
    }
}
