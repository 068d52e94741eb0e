//! Chance that can be had again, and how much of it is asked for.

use std::time::Duration;

/// Numbers that follow from a seed (splitmix64).
pub struct Chance(u64);

impl Chance {
    /// `WEIR_CRASH_SEED` makes other numbers; each test has its own.
    pub fn new(test: u64) -> Self {
        Self(asked("WEIR_CRASH_SEED", 1).wrapping_mul(0x9e37_79b9) ^ (test << 40))
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// A time below `end`.
    pub fn time(&mut self, end: Duration) -> Duration {
        Duration::from_micros(self.below(end.as_micros() as u64))
    }

    /// One of several.
    pub fn of<'a, T>(&mut self, several: &'a [T]) -> &'a T {
        &several[self.below(several.len() as u64) as usize]
    }
}

/// A number from the environment.
pub fn asked(variable: &str, otherwise: u64) -> u64 {
    let Ok(text) = std::env::var(variable) else { return otherwise };
    text.parse().unwrap_or_else(|_| panic!("{variable} has to be a number, not {text}"))
}

/// Tells how much was done, also when the test goes well: the test runner keeps `eprintln` back.
#[allow(clippy::explicit_write, reason = "it is to be seen in any case")]
pub fn tell(what: &str) {
    use std::io::Write;
    writeln!(std::io::stderr(), "crash: {what}").unwrap();
}
