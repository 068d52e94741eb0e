//! The only clock and the only randomness of the host. Everything else gets time as a value.

use std::fmt;
use std::time::{Duration, Instant};

/// A moment in microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub i64);

impl fmt::Display for Micros {
    /// RFC 3339 in UTC with milliseconds, such as `2026-01-01T00:00:00.000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(moment) => write!(f, "{moment:.3}"),
            Err(_) => write!(f, "{} µs", self.0),
        }
    }
}

/// Now, by the wall clock of the machine.
#[allow(clippy::disallowed_methods, reason = "this is the door the lint points to")]
pub fn now() -> Micros {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Micros(match since {
        Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
        Err(before) => {
            i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros)
        }
    })
}

/// Measures how long something takes.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts measuring.
    #[allow(clippy::disallowed_methods, reason = "this is the door the lint points to")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// How long it is since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The seed of everything random that a function sees in one lane of one batch: the same for a
/// batch that runs again, another one for every operator, batch and partition.
pub fn seed(job: &str, op: &str, batch: u64, partition: u32) -> u64 {
    let mut hash = xxhash_rust::xxh3::Xxh3::with_seed(0);
    for name in [job, op] {
        hash.update(&(name.len() as u64).to_le_bytes());
        hash.update(name.as_bytes());
    }
    hash.update(&batch.to_le_bytes());
    hash.update(&partition.to_le_bytes());
    hash.digest()
}

/// A small generator of repeatable random numbers (SplitMix64, Steele et al., OOPSLA 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Starts from a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_differs_by_every_part_and_not_by_where_names_are_cut() {
        let base = seed("job", "op", 1, 0);
        assert_eq!(base, seed("job", "op", 1, 0));
        for other in [
            seed("jobo", "p", 1, 0),
            seed("job", "op", 2, 0),
            seed("job", "op", 1, 1),
            seed("job", "oq", 1, 0),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn moments_are_shown_in_utc() {
        assert_eq!(Micros(1_767_225_600_000_000).to_string(), "2026-01-01T00:00:00.000Z");
    }
}
