//! Which key groups are due for a snapshot.
//!
//! A key group is written whole when the deltas since its last snapshot take [`WORN`] times as
//! much as it does. So snapshots take at most half as many bytes as deltas, over time, however
//! large the state is, and a restore reads at most about three times the state. When many groups
//! are due at once, a batch starts no more than twice the bytes of its own deltas, the most worn
//! groups first, so that the work spreads by itself.

use super::Part;

/// How much larger than its rows the deltas of a key group become.
const WORN: u64 = 2;

/// Deltas of a key group that are worth a snapshot, in bytes: small groups are not written again
/// and again for the sake of a few rows.
const WORTH: u64 = 16 * 1024;

/// How many bytes of snapshots a batch starts, by the bytes of its deltas.
const PACE: u64 = 2;

/// Bytes of deltas since the last snapshot, for each key group of an op.
#[derive(Clone, Debug)]
pub struct Wear {
    deltas: Vec<u64>,
    budget: u64,
}

impl Wear {
    /// Nothing written yet.
    pub fn new(groups: u32) -> Self {
        Self { deltas: vec![0; groups as usize], budget: 0 }
    }

    /// Starts from what a restore had to read.
    pub fn restored(deltas: Vec<u64>) -> Self {
        Self { deltas, budget: 0 }
    }

    /// A delta was written.
    pub fn add(&mut self, delta: &Part) {
        for section in delta.sections() {
            let bytes = delta.rows_of(section).len() as u64;
            self.deltas[section.group as usize] += bytes;
            self.budget += PACE * bytes;
        }
    }

    /// The key groups to write whole now, ascending, with the bytes that their rows take at
    /// present. They count as written; what fails is given back with [`Wear::failed`].
    pub fn choose(&mut self, sizes: &[u64]) -> Vec<u32> {
        let mut due: Vec<(u64, u32)> = Vec::new();
        for (group, (deltas, size)) in self.deltas.iter().zip(sizes).enumerate() {
            if *deltas >= WORTH && *deltas >= WORN * size {
                due.push((deltas * 256 / size.max(&1), group as u32));
            }
        }
        due.sort_by_key(|(worn, group)| (std::cmp::Reverse(*worn), *group));
        let mut budget = std::mem::take(&mut self.budget);
        let mut chosen = Vec::new();
        for (_, group) in due {
            let size = sizes[group as usize];
            if !chosen.is_empty() && size > budget {
                break;
            }
            budget = budget.saturating_sub(size);
            self.deltas[group as usize] = 0;
            chosen.push(group);
        }
        chosen.sort_unstable();
        chosen
    }

    /// These groups were not written after all.
    pub fn failed(&mut self, groups: &[u32], sizes: &[u64]) {
        for group in groups {
            let size = sizes[*group as usize];
            self.deltas[*group as usize] += (WORN * size).max(WORTH);
        }
    }
}

/// Ascending groups as ranges, each with its first and last.
pub(super) fn ranges_of(groups: impl Iterator<Item = u32>) -> Vec<(u32, u32)> {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for group in groups {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == group => *last = group,
            _ => ranges.push((group, group)),
        }
    }
    ranges
}
