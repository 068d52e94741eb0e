//! Where a row of a range was read, as one number, and what that means.
//!
//! ```text
//! bits 40–55   which file of the range, so that a range has 65,536 files at most
//! bits  0–39   the byte at which its line begins; in a file that is never divided the line, from 0
//! ```
//!
//! What is behind the 40 bits, a tebibyte into a file, is not told apart.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::open::{Open, Piece, Rules};
use crate::source::{FileRange, SourceError};

/// How many files a range may have.
pub(super) const FILES_MAX: usize = 1 << 16;

const AT_BITS: u32 = 40;
const AT_MAX: u64 = (1 << AT_BITS) - 1;

/// So many bytes of a file lie between two places of which the line is remembered.
const STEP_BYTES: u64 = 256 * 1024;

/// Of so many files it is remembered.
const FILES_REMEMBERED: usize = 64;

/// A place in the file of this number.
pub(super) fn of(number: usize, at: u64) -> u64 {
    ((number as u64) << AT_BITS) | at.min(AT_MAX)
}

/// The last place in the file of this number.
pub(super) fn most(number: usize) -> u64 {
    of(number, AT_MAX)
}

/// The number of the file, and the place in it.
pub(super) fn parts(origin: u64) -> (usize, u64) {
    ((origin >> AT_BITS) as usize, origin & AT_MAX)
}

/// Which line a byte stands on, remembered here and there, so that a file with many bad lines is
/// not read from its beginning for each of them.
#[derive(Default)]
pub(super) struct LineIndex(Mutex<BTreeMap<String, BTreeMap<u64, u64>>>);

impl LineIndex {
    /// The line, from 1, that begins at this byte of a file.
    pub(super) fn line(&self, file: &FileRange, at: u64) -> Result<u64, SourceError> {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if files.len() >= FILES_REMEMBERED && !files.contains_key(&file.path) {
            files.clear();
        }
        let known = files.entry(file.path.clone()).or_default();
        let (from, before) = known.range(..=at).next_back().map_or((0, 0), |(at, n)| (*at, *n));
        let (number, whole) = (0, true);
        let piece = Piece { number, file: file.clone(), from: 0, to: file.bytes, whole };
        let rules = Rules { tolerant: true, unpacked_max: 0 };
        let lines = match Open::new(piece, rules)? {
            Some(open) => before + open.count_lines(from, at)?,
            None => 0,
        };
        if at - from >= STEP_BYTES {
            known.insert(at, lines);
        }
        Ok(lines + 1)
    }
}
