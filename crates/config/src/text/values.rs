//! Names, addresses, hashes, dates.

use super::{Invalid, Text};
use crate::{
    codes,
    model::{Expiry, KeyHash, Secret},
    suggest,
};
use sluice_protocol::provider::{PRESETS, Preset, preset};
use std::net::SocketAddr;

/// The name of a thing in the file.
pub(crate) struct Name;

/// What `kind:` names.
pub(crate) struct KindName;

/// Any text that must not be shown.
pub(crate) struct SecretText;

const LONGEST_NAME: usize = 200;

impl Text for Name {
    type Value = String;
    const NAME: &'static str = "name";
    const WHAT: &'static str = "a name";
    const PATTERN: Option<&'static str> = None;
    const EXAMPLE: &'static str = "main";

    fn parse(text: &str) -> Result<String, Invalid> {
        let help = "1 to 200 visible characters, no space at either end";
        if text.is_empty() {
            return Err(Invalid::value("is empty", help));
        }
        if text.trim() != text || text.chars().any(char::is_control) || text.chars().count() > LONGEST_NAME {
            return Err(Invalid::value("is not a usable name", help));
        }
        Ok(text.to_owned())
    }
}

impl Text for KindName {
    type Value = &'static Preset;
    const NAME: &'static str = "kind";
    const WHAT: &'static str = "a kind of provider";
    const PATTERN: Option<&'static str> = None;
    const EXAMPLE: &'static str = "openai_compatible";

    fn parse(text: &str) -> Result<&'static Preset, Invalid> {
        if let Some(preset) = preset(text) {
            return Ok(preset);
        }
        let known = || PRESETS.iter().map(|preset| preset.id);
        let list = || format!("one of {}", known().collect::<Vec<_>>().join(", "));
        let help =
            suggest::closest(text, known()).map_or_else(list, |near| format!("did you mean `{near}`?"));
        Err(Invalid::new(codes::UNKNOWN_NAME, "is not a known kind of provider", help))
    }
}

impl Text for SecretText {
    type Value = Secret;
    const NAME: &'static str = "secret";
    const WHAT: &'static str = "text";
    const PATTERN: Option<&'static str> = None;
    const SECRET: bool = true;
    const EXAMPLE: &'static str = "unset";

    fn parse(text: &str) -> Result<Secret, Invalid> {
        Ok(Secret::new(text.to_owned()))
    }
}

impl Text for SocketAddr {
    type Value = Self;
    const NAME: &'static str = "address";
    const WHAT: &'static str = "an address";
    const PATTERN: Option<&'static str> = None;
    const EXAMPLE: &'static str = "127.0.0.1:4000";

    fn parse(text: &str) -> Result<Self, Invalid> {
        text.parse().map_err(|_| {
            let help = "an IP address and a port: 127.0.0.1:4000, 0.0.0.0:4000, [::1]:4000";
            Invalid::value("is not an address to listen on", help)
        })
    }
}

impl Text for ipnet::IpNet {
    type Value = Self;
    const NAME: &'static str = "network";
    const WHAT: &'static str = "a network";
    const PATTERN: Option<&'static str> = None;
    const EXAMPLE: &'static str = "10.0.0.0/8";

    fn parse(text: &str) -> Result<Self, Invalid> {
        text.parse().map_err(|_| {
            Invalid::value("is not a network", "an address and a prefix: 10.0.0.0/8, 192.0.2.7/32")
        })
    }
}

impl Text for KeyHash {
    type Value = Self;
    const NAME: &'static str = "hash";
    const WHAT: &'static str = "a hash";
    const PATTERN: Option<&'static str> = Some("blake3:[0-9a-fA-F]{64}");
    // Somebody may paste the key itself.
    const SECRET: bool = true;
    const EXAMPLE: &'static str = "blake3:0000000000000000000000000000000000000000000000000000000000000000";

    fn parse(text: &str) -> Result<Self, Invalid> {
        let help = "`blake3:` and the 64 hexadecimal digits of the secret's blake3-256; `sluice key new` prints the entry";
        text.strip_prefix("blake3:")
            .and_then(hex)
            .map(Self)
            .ok_or_else(|| Invalid::new(codes::BAD_HASH, "is not the hash of a key", help))
    }
}

fn hex(text: &str) -> Option<[u8; 32]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes: Option<Vec<u8>> =
        pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    bytes?.try_into().ok()
}

impl Text for Expiry {
    type Value = Self;
    const NAME: &'static str = "expiry";
    const WHAT: &'static str = "a date";
    const PATTERN: Option<&'static str> = None;
    const EXAMPLE: &'static str = "2099-12-31";

    fn parse(text: &str) -> Result<Self, Invalid> {
        let end_of_day = || {
            let date: jiff::civil::Date = text.parse().ok()?;
            let next = date.tomorrow().ok()?;
            next.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|midnight| midnight.timestamp().as_second())
        };
        let instant = || text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second);
        // A bare date has no time; as an instant it would be its first second, and the key dead on its day.
        let second = if text.contains(['T', 't', ' ']) { instant() } else { end_of_day() };
        second.map(Self).ok_or_else(|| {
            Invalid::value("is not a date", "2027-06-30 (valid to its end, UTC) or 2027-06-30T12:00:00Z")
        })
    }
}
