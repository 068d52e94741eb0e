//! Counters and gauges of user code.

use std::collections::BTreeMap;

use super::GuestState;
use crate::plugin::abi::v0_1::weir::operator::metrics::Host;

/// Length of a name in bytes.
const NAME_BYTES_MAX: usize = 64;

/// What an instance counted in a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counters {
    /// Sums by name.
    pub counts: BTreeMap<String, u64>,
    /// The last value by name.
    pub gauges: BTreeMap<String, f64>,
    /// Calls that were not counted because the name is no name or there are too many.
    pub refused: u64,
    names_max: u64,
}

impl Counters {
    /// Nothing counted yet, under at most so many names.
    pub fn new(names_max: u64) -> Self {
        Self { names_max, ..Self::default() }
    }

    /// What was counted, leaving nothing.
    pub fn take(&mut self) -> Self {
        let names_max = self.names_max;
        std::mem::replace(self, Self::new(names_max))
    }

    /// Whether nothing was counted and nothing was refused.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.gauges.is_empty() && self.refused == 0
    }

    /// Adds what another instance counted. Of too many names those that come first in the alphabet
    /// stay, so that the order in which lanes end doesn't matter.
    pub fn merge(&mut self, other: Self) {
        for (name, by) in other.counts {
            let sum = self.counts.entry(name).or_default();
            *sum = sum.saturating_add(by);
        }
        self.gauges.extend(other.gauges);
        self.refused = self.refused.saturating_add(other.refused);
        while (self.counts.len() + self.gauges.len()) as u64 > self.names_max {
            let (count, gauge) = (self.counts.last_key_value(), self.gauges.last_key_value());
            if count.map(|(name, _)| name) >= gauge.map(|(name, _)| name) {
                self.counts.pop_last();
            } else {
                self.gauges.pop_last();
            }
            self.refused = self.refused.saturating_add(1);
        }
    }

    fn admits(&mut self, name: &str) -> bool {
        let well_formed = name.len() <= NAME_BYTES_MAX
            && name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let known = self.counts.contains_key(name) || self.gauges.contains_key(name);
        let names = (self.counts.len() + self.gauges.len()) as u64;
        let fits = well_formed && (known || names < self.names_max);
        self.refused += u64::from(!fits);
        fits
    }
}

impl Host for GuestState {
    fn count(&mut self, name: String, by: u64) {
        if self.counters.admits(&name) {
            let sum = self.counters.counts.entry(name).or_default();
            *sum = sum.saturating_add(by);
        }
    }

    fn gauge(&mut self, name: String, value: f64) {
        if self.counters.admits(&name) {
            self.counters.gauges.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_and_limited() {
        let mut counters = Counters::new(256);
        assert!(counters.admits("rows_2"));
        for bad in ["", "2rows", "a-b", "ä", &"x".repeat(65)] {
            assert!(!counters.admits(bad), "{bad}");
        }
        for n in 0..300 {
            if counters.admits(&format!("n{n}")) {
                counters.counts.insert(format!("n{n}"), 1);
            }
        }
        assert_eq!(counters.counts.len(), 256);
    }

    fn counted(names: &[&str]) -> Counters {
        let mut counters = Counters::new(3);
        for name in names {
            counters.counts.insert((*name).to_owned(), 1);
        }
        counters
    }

    #[test]
    fn names_are_limited_over_all_calls_in_any_order() {
        let parts = [counted(&["b", "d"]), counted(&["a", "d"]), counted(&["b", "c"])];
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let mut sum = Counters::new(3);
            order.into_iter().for_each(|place| sum.merge(parts[place].clone()));
            let counts: Vec<_> = sum.counts.iter().map(|(n, by)| (n.as_str(), *by)).collect();
            assert_eq!(counts, [("a", 1), ("b", 2), ("c", 1)]);
            assert!(sum.refused >= 1);
        }
    }
}
