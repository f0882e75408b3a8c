//! The fuzz targets' functions on seeds, whole and damaged, in every ordinary test run.
//!
//! What must hold is in the drivers; here is only where the bytes come from. `fuzz/README.md` says how to search
//! for longer.

#![cfg(test)]

#[path = "../fuzz/src/drivers.rs"]
pub mod drivers;

use proptest::prelude::*;
use std::{fs, path::Path, sync::LazyLock};

/// What is sent and answered, as providers document it.
static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| fs::read(path).unwrap()).collect()
});

type Driver = fn(&[u8]);

const DRIVERS: [(&str, Driver); 9] = [
    ("sse", drivers::sse),
    ("envelope", drivers::envelope),
    ("request", drivers::request),
    ("reply", drivers::reply),
    ("stream", drivers::stream),
    ("usage", drivers::usage),
    ("upstream_error", drivers::upstream_error),
    ("replay", drivers::replay),
    ("family", drivers::family),
];

/// Pieces at which readers have to decide something.
const PIECES: &[&str] = &[
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "true",
    "-0",
    "1e999",
    "9007199254740993",
    "\\ud800",
    "\"\"",
    "{}",
    "[]",
    "\n",
    "\r",
    "\n\n",
    "\r\n\r\n",
    "data: ",
    "event: error\n",
    "data: [DONE]\n\n",
    "\u{feff}",
    "\0",
    "\u{e9}",
    "\"type\":\"text\",",
    "\"index\":7,",
    "\"content\":null,",
    "\"usage\":{},",
    "\"error\":{\"message\":\"x\"},",
];

/// One way to damage bytes. Places are taken modulo what is there.
#[derive(Debug, Clone)]
enum Damage {
    Flip { at: usize, mask: u8 },
    Cut { at: usize },
    Remove { at: usize, length: usize },
    Repeat { at: usize, length: usize },
    Insert { at: usize, piece: usize },
    Overwrite { at: usize, piece: usize },
    Graft { at: usize, seed: usize, from: usize, length: usize },
}

fn damage() -> impl Strategy<Value = Damage> {
    let place = 0..8192usize;
    let length = 1..96usize;
    let piece = 0..PIECES.len();
    prop_oneof![
        (place.clone(), 1..=255u8).prop_map(|(at, mask)| Damage::Flip { at, mask }),
        place.clone().prop_map(|at| Damage::Cut { at }),
        (place.clone(), length.clone()).prop_map(|(at, length)| Damage::Remove { at, length }),
        (place.clone(), length.clone()).prop_map(|(at, length)| Damage::Repeat { at, length }),
        (place.clone(), piece.clone()).prop_map(|(at, piece)| Damage::Insert { at, piece }),
        (place.clone(), piece).prop_map(|(at, piece)| Damage::Overwrite { at, piece }),
        (place.clone(), any::<usize>(), place, length).prop_map(|(at, seed, from, length)| Damage::Graft {
            at,
            seed,
            from,
            length
        }),
    ]
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let within = |at: usize| at % (bytes.len() + 1);
        match *self {
            Self::Flip { at, mask } => {
                let at = within(at);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= mask;
                }
            }
            Self::Cut { at } => bytes.truncate(within(at)),
            Self::Remove { at, length } => {
                let (at, end) = (within(at), (within(at) + length).min(bytes.len()));
                bytes.drain(at..end);
            }
            Self::Repeat { at, length } => {
                let (at, end) = (within(at), (within(at) + length).min(bytes.len()));
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            Self::Insert { at, piece } => {
                let at = within(at);
                bytes.splice(at..at, PIECES[piece].bytes());
            }
            Self::Overwrite { at, piece } => {
                let (at, end) = (within(at), (within(at) + PIECES[piece].len()).min(bytes.len()));
                bytes.splice(at..end, PIECES[piece].bytes());
            }
            Self::Graft { at, seed, from, length } => {
                let other = &SEEDS[seed % SEEDS.len()];
                let from = from % other.len();
                let piece = other[from..(from + length).min(other.len())].to_vec();
                let at = within(at);
                bytes.splice(at..at, piece);
            }
        }
    }
}

#[test]
fn every_driver_takes_every_seed() {
    assert!(SEEDS.len() > 15, "the seeds have moved");
    for seed in SEEDS.iter() {
        for (_, drive) in DRIVERS {
            drive(seed);
        }
    }
}

#[test]
fn every_target_has_its_driver_here() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    let mut targets: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    targets.sort();
    let mut drivers = DRIVERS.map(|(name, _)| name);
    drivers.sort_unstable();
    assert_eq!(targets, drivers);
}

#[test]
fn every_driver_takes_a_seed_cut_anywhere() {
    for seed in SEEDS.iter() {
        for length in (0..seed.len()).step_by(37) {
            for (_, drive) in DRIVERS {
                drive(&seed[..length]);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_driver_takes_damaged_seeds(
        seed in any::<usize>(),
        damages in proptest::collection::vec(damage(), 1..6),
    ) {
        let mut bytes = SEEDS[seed % SEEDS.len()].clone();
        damages.iter().for_each(|damage| damage.apply(&mut bytes));
        DRIVERS.iter().for_each(|(_, drive)| drive(&bytes));
    }

    #[test]
    fn every_driver_takes_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        DRIVERS.iter().for_each(|(_, drive)| drive(&bytes));
    }
}
