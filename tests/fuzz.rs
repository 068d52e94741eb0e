//! Every parser of bytes from outside, with thousands of inputs that are nearly right.
//!
//! The inputs are mutations of seeds, the same ones every time; `WEIR_FUZZ=1000000 cargo test
//! --release --test fuzz` tries more of them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a target stops where something is wrong")]

#[path = "fuzz/targets.rs"]
mod targets;

use targets::{TARGETS, Target};

/// Inputs for each target.
const COUNT: u64 = 100_000;

/// Texts and numbers that parsers have trouble with.
const PIECES: [&[u8]; 20] = [
    b"\0",
    b"\xff",
    b"\xff\xff\xff\xff",
    b"\xef\xbb\xbf",
    b"\n",
    b"\r\n",
    b"\"",
    b"\"\"\"",
    b"'",
    b"[",
    b"]",
    b"{",
    b"}",
    b"${",
    b"\\u",
    b"1e999",
    b"-0",
    b"9223372036854775808",
    b"99999-12-31",
    b"\x80\0\0\0",
];

struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end.max(1)
    }

    /// One change: a bit, a byte, a piece put in, a part cut out, doubled or taken from another.
    fn mutate(&mut self, data: &mut Vec<u8>, other: &[u8]) {
        let at = self.below(data.len() + 1);
        let end = at + self.below((data.len() - at).min(32) + 1);
        match self.below(6) {
            0 if at < data.len() => data[at] ^= 1 << self.below(8),
            1 if at < data.len() => data[at] = self.below(256) as u8,
            2 => drop(data.splice(at..at, PIECES[self.below(PIECES.len())].iter().copied())),
            3 => drop(data.drain(at..end)),
            4 => {
                let part = data[at..end].to_vec();
                data.splice(at..at, part);
            }
            _ => {
                let from = self.below(other.len() + 1);
                let to = from + self.below((other.len() - from).min(64) + 1);
                data.splice(at..end, other[from..to].iter().copied());
            }
        }
    }
}

fn count() -> u64 {
    #[allow(clippy::disallowed_methods, reason = "a test may be asked for more")]
    let asked = std::env::var("WEIR_FUZZ").ok();
    asked.map_or(COUNT, |count| count.parse().unwrap())
}

fn try_all(target: &Target) {
    let seeds = (target.seeds)();
    assert!(!seeds.is_empty(), "{} has no seeds", target.name);
    seeds.iter().for_each(|seed| (target.run)(seed));
    (target.run)(b"");
    let mut random = Random(0x5eed);
    for _ in 0..count() {
        let mut data = seeds[random.below(seeds.len())].clone();
        let other = random.below(seeds.len());
        for _ in 0..=random.below(6) {
            random.mutate(&mut data, &seeds[other]);
        }
        let caught = std::panic::catch_unwind(|| (target.run)(&data));
        assert!(caught.is_ok(), "{} fails with {:?}", target.name, data.escape_ascii().to_string());
    }
}

#[test]
fn seeds_are_right() {
    targets::check_seeds();
}

macro_rules! targets {
    ($($name:ident: $place:literal,)*) => {
        $(#[test]
        fn $name() {
            assert_eq!(TARGETS[$place].name, stringify!($name));
            try_all(&TARGETS[$place]);
        })*

        #[test]
        fn every_target_is_tried() {
            assert_eq!([$(stringify!($name)),*], TARGETS.map(|target| target.name));
        }
    };
}

targets! {
    columns: 0,
    job: 1,
    layout: 2,
    types: 3,
    csv: 4,
    json: 5,
    text: 6,
}
