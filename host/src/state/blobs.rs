//! Where snapshots and large deltas are kept, as far as state has to know.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::StateError;

/// A place for named bytes. A name is written once and never again with other bytes.
pub trait Blobs: Send + Sync {
    /// Keeps bytes under a name; when this returns they are durable.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), StateError>;

    /// The bytes under a name. There being none is [`StateError::Missing`].
    fn get(&self, name: &str) -> Result<Vec<u8>, StateError>;

    /// Forgets a name. There being none is no error.
    fn remove(&self, name: &str) -> Result<(), StateError>;

    /// All names that begin so, in order.
    fn list(&self, prefix: &str) -> Result<Vec<String>, StateError>;
}

/// A place in memory, for jobs without a checkpoint and for tests.
#[derive(Debug, Default)]
pub struct MemoryBlobs(Mutex<BTreeMap<String, Arc<[u8]>>>);

impl MemoryBlobs {
    fn names(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<[u8]>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Blobs for MemoryBlobs {
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), StateError> {
        self.names().insert(name.to_owned(), bytes.into());
        Ok(())
    }

    fn get(&self, name: &str) -> Result<Vec<u8>, StateError> {
        let found = self.names().get(name).map(|bytes| bytes.to_vec());
        found.ok_or_else(|| StateError::Missing { part: name.to_owned() })
    }

    fn remove(&self, name: &str) -> Result<(), StateError> {
        self.names().remove(name);
        Ok(())
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, StateError> {
        let names = self.names();
        Ok(names.keys().filter(|name| name.starts_with(prefix)).cloned().collect())
    }
}
