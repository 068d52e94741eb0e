//! How does something stay written?
//!
//! Takes: bytes under a name. Gives: the promise that they are there after a crash or a loss of
//! power.
//! Promise: what returned `Ok` is on the disk; a name that was created is never written over; a
//! flush that failed is never tried again as if it had worked (the store is closed for good).
//! Not here: what the bytes mean (`frame` knows only how to tell whole ones from broken ones).
//!
//! Two kinds of files:
//! - a *blob* is written once: temporary name, fsync, rename that refuses to replace, fsync of the
//!   folder;
//! - a *segment* has a fixed size, is zeroed beforehand and takes appends: a write and one
//!   fdatasync, without any change of the file's size.

mod disk;
mod error;
mod files;
mod leftovers;
mod local;
mod lock;
mod name;
mod reading;

pub mod crash;
pub mod defence;
pub mod frame;
#[cfg(test)]
pub mod test_kit;

pub use disk::make_durably;
pub use error::{CODES, StoreError};
pub use local::{LocalStore, Opening};
pub use lock::Holder;
pub use reading::ReadStore;

/// A file of a store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its name: parts joined by `/`.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
}

/// A place for files that have to survive. There is no way to write over a name.
///
/// Every call may fail with [`StoreError::Poisoned`]: then nothing more can be written through this
/// store, and the process has to start again from what is on the disk.
pub trait Store: Send + Sync {
    /// Creates a blob; it is durable when this returns. [`StoreError::Exists`] if the name is
    /// taken.
    fn create(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError>;

    /// The whole file. [`StoreError::TooLarge`] above `most` bytes, before anything is read.
    fn read(&self, name: &str, most: u64) -> Result<Vec<u8>, StoreError>;

    /// The files whose names begin with `prefix`, ordered by name. Half-made ones are left out.
    fn list(&self, prefix: &str) -> Result<Vec<Entry>, StoreError>;

    /// Removes a file, for good when this returns; it is well if it is gone already.
    fn remove(&self, name: &str) -> Result<(), StoreError>;

    /// Creates a segment of `bytes` zeroes; it is durable when this returns.
    fn create_segment(&self, name: &str, bytes: u64) -> Result<(), StoreError>;

    /// Begins to create a segment while nothing else is to be done. Whether it could be done shows
    /// when `create_segment` asks for it: [`StoreError::Exists`] if it is there.
    fn prepare_segment(&self, name: &str, bytes: u64) -> Result<(), StoreError>;

    /// Writes into a segment at `at` and makes it durable with one flush.
    ///
    /// After [`StoreError::NoSpace`] nothing counts as written, and the same call may be made
    /// again.
    fn append(&self, name: &str, at: u64, bytes: &[u8]) -> Result<(), StoreError>;

    /// Flushes a file that another process left and forgets what memory holds of it, so that the
    /// next `read` gives what is on the disk.
    fn settle(&self, name: &str) -> Result<(), StoreError>;

    /// Gives the space up that is kept back for the last commit. Whether there was some.
    fn release_reserve(&self) -> Result<bool, StoreError>;

    /// Takes the reserve again. [`StoreError::NoSpace`] while the disk is full.
    fn restore_reserve(&self) -> Result<(), StoreError>;
}
