//! Rows of one batch that are left out: where they go, and which of them are known beforehand.
//!
//! A row on which a function ran out of time or memory might pass when the batch runs again. So
//! such rows are written down, and the batch is run again without them: then it is a pure function
//! of what was recorded, and every later run of it leaves out the same rows.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::row_error::{Letters, LettersError, OnError, Origin, Refused};

/// A chunk of rows that an op is called with: op, partition, and its number in the batch.
pub type ChunkId = (String, u32, u64);

/// Rows that are left out before the function sees them, by chunk, each with the reason.
pub type Exclusions = BTreeMap<ChunkId, BTreeMap<u32, Refused>>;

/// Says where a row was read.
pub type Places = Arc<dyn Fn(Origin) -> String + Send + Sync>;

/// What is done with the rows of one batch that can't be taken.
#[derive(Clone)]
pub struct Aside(Arc<Inner>);

struct Inner {
    letters: Arc<dyn Letters>,
    places: Places,
    show_rows: bool,
    known: Exclusions,
    found: Mutex<Exclusions>,
    held: Mutex<Held>,
}

/// What was refused and is not told yet, by number.
#[derive(Default)]
struct Held {
    next: u64,
    refused: BTreeMap<u64, Refused>,
}

impl fmt::Debug for Aside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aside").field("known", &self.0.known.len()).finish()
    }
}

/// Forgets everything: where there is no batch.
struct Nowhere;

impl Letters for Nowhere {
    fn skip(&self, _: &Refused) {}

    fn put(&self, _: Refused) -> Result<(), LettersError> {
        Ok(())
    }
}

impl Aside {
    /// For one run of a batch; `known` are the rows that an earlier run of it found.
    pub fn new(
        letters: Arc<dyn Letters>,
        places: Places,
        show_rows: bool,
        known: Exclusions,
    ) -> Self {
        let (found, held) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { letters, places, show_rows, known, found, held }))
    }

    /// For calls outside of a batch.
    pub fn nowhere() -> Self {
        Self::new(Arc::new(Nowhere), Arc::new(|_| String::new()), true, Exclusions::new())
    }

    /// Whether rows may be shown in messages and dead letters.
    pub fn shows_rows(&self) -> bool {
        self.0.show_rows
    }

    /// Where a row was read.
    pub fn place(&self, origin: Origin) -> String {
        (self.0.places)(origin)
    }

    /// Leaves a row out by a policy that isn't to fail.
    pub fn refuse(&self, policy: OnError, refused: Refused) -> Result<(), LettersError> {
        match policy {
            OnError::DeadLetter => self.0.letters.put(refused),
            OnError::Fail | OnError::Skip => {
                self.0.letters.skip(&refused);
                Ok(())
            }
        }
    }

    /// The rows that are left out beforehand.
    pub fn known(&self) -> Exclusions {
        self.0.known.clone()
    }

    /// The rows of a chunk that are left out before the function sees them.
    pub fn excluded(&self, chunk: &ChunkId) -> Option<&BTreeMap<u32, Refused>> {
        self.0.known.get(chunk)
    }

    /// Writes down a row that is to be left out from the next run of the batch on.
    pub fn exclude(&self, chunk: ChunkId, row: u32, refused: Refused) {
        let mut found = self.0.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.entry(chunk).or_default().insert(row, refused);
    }

    /// Keeps what is to be told further down the plan, where more is known of it. Gives a number.
    pub fn hold(&self, refused: Refused) -> u64 {
        let mut held = self.0.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.next += 1;
        let number = held.next;
        held.refused.insert(number, refused);
        number
    }

    /// What was kept under a number.
    pub fn take_held(&self, number: u64) -> Option<Refused> {
        let mut held = self.0.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.refused.remove(&number)
    }

    /// What this run wrote down, with what was known before; none if it found nothing new.
    pub fn found(&self) -> Option<Exclusions> {
        let found = self.0.found.lock().unwrap_or_else(PoisonError::into_inner);
        if found.is_empty() {
            return None;
        }
        let mut all = self.0.known.clone();
        for (chunk, rows) in found.iter() {
            all.entry(chunk.clone()).or_default().extend(rows.clone());
        }
        Some(all)
    }
}
