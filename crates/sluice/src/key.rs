//! `sluice key new`: a secret of 256 bits with a checksum by which scanners know it.
//!
//! The form is `sk-sluice-`, 43 characters drawn evenly from 62 (256.03 bits), then 6 characters of
//! checksum. The gateway takes any secret whose hash is listed; the form only helps people and scanners.

use crate::{cli::KeyArgs, terminal};
use serde_json::Value;
use std::process::ExitCode;

const PREFIX: &str = "sk-sluice-";
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// The least number of characters that carries 256 bits.
const RANDOM: usize = 43;
const CHECKSUM: usize = 6;

/// Prints a fresh secret and its entry. The secret is alone on standard output, so that
/// `KEY=$(sluice key new …)` works; the entry goes to standard error.
pub(crate) fn new(args: &KeyArgs) -> ExitCode {
    let secret = match generate() {
        Ok(secret) => secret,
        Err(fault) => {
            terminal::tell(&format!("error: no randomness from the operating system: {fault}"));
            return ExitCode::FAILURE;
        }
    };
    terminal::print(&secret);
    terminal::tell(&format!(
        "\nThe line above is the key. It is shown this once: hand it to the client.\n\
         The configuration gets only its hash, under `keys:`\n\n{}",
        entry(args, &secret)
    ));
    ExitCode::SUCCESS
}

/// The entry under `keys:`. JSON's quoting is also YAML's, so that a key named `1` or `null` stays a text.
fn entry(args: &KeyArgs, secret: &str) -> String {
    let hash = format!("blake3:{}", blake3::hash(secret.as_bytes()).to_hex());
    let quoted = |text: &str| Value::from(text).to_string();
    let models: Vec<String> = args.models.iter().map(|model| quoted(model)).collect();
    let (name, tenant) = (quoted(&args.name), quoted(&args.tenant));
    format!("  - {{name: {name}, tenant: {tenant}, hash: {hash:?}, models: [{}]}}", models.join(", "))
}

/// A fresh secret.
fn generate() -> Result<String, getrandom::Error> {
    let mut secret = String::with_capacity(PREFIX.len() + RANDOM + CHECKSUM);
    secret.push_str(PREFIX);
    while secret.len() < PREFIX.len() + RANDOM {
        let mut bytes = [0; 64];
        getrandom::fill(&mut bytes)?;
        // 248 is the largest multiple of 62 in a byte: what is above would favour the first letters.
        let letters = bytes.iter().filter(|byte| **byte < 248).map(|byte| letter(u32::from(*byte)));
        let missing = PREFIX.len() + RANDOM - secret.len();
        secret.extend(letters.take(missing));
    }
    let sum = checksum(&secret);
    secret.push_str(&sum);
    Ok(secret)
}

/// Six characters from the blake3 of what stands before them.
fn checksum(text: &str) -> String {
    let hash = blake3::hash(text.as_bytes());
    let (first, _) = hash.as_bytes().split_first_chunk::<4>().unwrap_or((&[0; 4], &[]));
    let mut rest = u32::from_le_bytes(*first);
    (0..CHECKSUM)
        .map(|_| {
            let letter = letter(rest);
            rest /= 62;
            letter
        })
        .collect()
}

fn letter(number: u32) -> char {
    let index = usize::try_from(number % 62).unwrap_or(0);
    ALPHABET.get(index).copied().map_or('0', char::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_config::{Options, Source, load};
    use std::path::Path;

    #[test]
    fn the_entry_can_be_pasted_and_lets_its_secret_in() {
        let args = KeyArgs {
            name: "1".to_owned(),
            tenant: "null".to_owned(),
            models: vec!["a".into(), "gpt-*".into()],
        };
        let secret = generate().unwrap();
        let text = format!("tenants: [{{name: 'null'}}]\nkeys:\n{}\n", entry(&args, &secret));
        let source = Source::Text { name: "test", text: &text, base: Path::new("") };
        let settings = load(source, &Options::default()).unwrap().settings;
        let key = settings.keys.first().unwrap();
        assert_eq!((key.name.as_str(), key.tenant.as_str(), &key.models), ("1", "null", &args.models));
        assert_eq!(&key.hash.0, blake3::hash(secret.as_bytes()).as_bytes());
    }

    fn is_whole(secret: &str) -> bool {
        secret.len() == PREFIX.len() + RANDOM + CHECKSUM
            && secret.split_at_checked(PREFIX.len() + RANDOM).is_some_and(|(head, sum)| checksum(head) == sum)
    }

    #[test]
    fn a_new_key_carries_its_own_checksum() {
        let secret = generate().unwrap();
        assert!(secret.starts_with(PREFIX) && is_whole(&secret), "{secret}");
        assert!(secret.bytes().skip(PREFIX.len()).all(|byte| byte.is_ascii_alphanumeric()));
    }

    #[test]
    fn one_wrong_character_breaks_the_checksum() {
        let secret = generate().unwrap();
        for at in PREFIX.len()..secret.len() {
            let mut typo = secret.clone().into_bytes();
            typo[at] = if typo[at] == b'x' { b'y' } else { b'x' };
            assert!(!is_whole(&String::from_utf8(typo).unwrap()), "position {at}");
        }
    }

    #[test]
    fn every_letter_is_drawn_about_as_often() {
        let mut seen = [0_u32; 128];
        for _ in 0..400 {
            for byte in generate().unwrap().bytes().skip(PREFIX.len()).take(RANDOM) {
                seen[usize::from(byte)] += 1;
            }
        }
        // 17,200 letters, 277 of each on average, standard deviation 17: six of them are no accident.
        for byte in ALPHABET {
            let count = seen[usize::from(*byte)];
            assert!((177..=377).contains(&count), "{} was drawn {count} times", char::from(*byte));
        }
    }
}
