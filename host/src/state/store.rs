//! Which store keeps the states of a job while it runs.

use std::path::PathBuf;
use std::sync::Arc;

use super::{MemoryStore, StateError, StateStore};

/// A store, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// In memory.
    Memory,
    /// On the disk.
    Lsm {
        /// A folder in which it makes one of its own.
        within: PathBuf,
        /// How much of it is kept in memory, in bytes.
        cache: u64,
    },
}

impl StoreKind {
    /// Whether this host was built with the store.
    pub fn is_built(&self) -> Result<(), StateError> {
        match self {
            Self::Lsm { .. } if cfg!(not(feature = "lsm")) => {
                Err(StateError::NotBuilt { store: "lsm" })
            }
            _ => Ok(()),
        }
    }

    /// Makes a store without any op, for so many key groups.
    pub fn open(&self, groups: u32, threads: usize) -> Result<Arc<dyn StateStore>, StateError> {
        self.is_built()?;
        match self {
            #[cfg(feature = "lsm")]
            Self::Lsm { within, cache } => {
                Ok(Arc::new(super::LsmStore::in_scratch(within, groups, *cache)?))
            }
            _ => Ok(Arc::new(MemoryStore::new(groups, threads))),
        }
    }
}
