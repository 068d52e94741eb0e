//! Which job a checkpoint belongs to: written once, at the first start.

use std::fmt;

use bincode::{Decode, Encode};

use super::error::{CheckpointError, Damage};
use super::path::IDENTITY;
use super::record::{decode, encode, kind};
use crate::durable::frame::{self, CODEC_BINCODE, FORMAT, Fault};
use crate::durable::{Store, StoreError};

/// A file with one record and nothing else is not larger.
pub(super) const NOTE_MAX: u64 = 64 << 10;

/// The id of a job: made once, known to its sinks for ever.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct JobId(pub u128);

impl JobId {
    /// An id that nothing else has, from the randomness of the system.
    pub fn fresh() -> std::io::Result<Self> {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/uuid")?;
        let digits: String = text.trim().split('-').collect();
        u128::from_str_radix(&digits, 16).map(Self).map_err(std::io::Error::other)
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:032x}", self.0);
        let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
        f.write_str(&parts.join("-"))
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What never changes about a job.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct IdentityV1 {
    /// Its id.
    pub job: JobId,
    /// Its name.
    pub name: String,
    /// In how many groups its keys are split.
    pub key_groups: u32,
    /// How records are encoded: 1 = bincode 2.
    pub codec: u8,
}

impl IdentityV1 {
    /// The identity of a new job.
    pub fn new(job: JobId, name: &str, key_groups: u32) -> Self {
        Self { job, name: name.to_owned(), key_groups, codec: CODEC_BINCODE }
    }
}

/// The identity of a store and its link, with which the chain of records begins. `None` if there is
/// none, and nothing else either.
pub(super) fn read(store: &dyn Store) -> Result<Option<(IdentityV1, u32)>, CheckpointError> {
    if let Some(found) = try_read(store)? {
        return Ok(Some(found));
    }
    for prefix in super::path::FOLDERS {
        if let Some(entry) = store.list(&format!("{prefix}/"))?.first() {
            // Unless another process has just made all of it.
            let found = entry.name.clone();
            let missing = || CheckpointError::NoIdentity { file: IDENTITY.to_owned(), found };
            return try_read(store)?.ok_or_else(missing).map(Some);
        }
    }
    Ok(None)
}

fn try_read(store: &dyn Store) -> Result<Option<(IdentityV1, u32)>, CheckpointError> {
    let bytes = match store.read(IDENTITY, NOTE_MAX) {
        Err(StoreError::Missing { .. }) => return Ok(None),
        other => other?,
    };
    let (payload, link) = note(IDENTITY, &bytes, kind::IDENTITY)?;
    let identity = decode(payload).map_err(|damage| damaged(IDENTITY, 0, damage))?;
    Ok(Some((identity, link)))
}

/// Creates the identity; gives its link.
pub(super) fn create(store: &dyn Store, identity: &IdentityV1) -> Result<u32, CheckpointError> {
    let bytes = frame::write_blob(kind::IDENTITY, &encode("identity", identity)?);
    store.create(IDENTITY, &bytes)?;
    let (_, link) = note(IDENTITY, &bytes, kind::IDENTITY)?;
    Ok(link)
}

/// Refuses a checkpoint that was made for something else.
pub(super) fn compare(found: &IdentityV1, wanted: &IdentityV1) -> Result<(), CheckpointError> {
    let differs = |what, found: &dyn fmt::Display, expected: &dyn fmt::Display| {
        Err(CheckpointError::OtherJob {
            file: IDENTITY.to_owned(),
            what,
            found: found.to_string(),
            expected: expected.to_string(),
        })
    };
    if found.name != wanted.name {
        return differs("name", &found.name.escape_default(), &wanted.name);
    }
    if found.key_groups != wanted.key_groups {
        return differs("number of key groups", &found.key_groups, &wanted.key_groups);
    }
    if found.codec != wanted.codec {
        return differs("codec", &found.codec, &wanted.codec);
    }
    Ok(())
}

/// The content of a file that is one frame.
pub(super) fn note<'a>(
    file: &str,
    bytes: &'a [u8],
    kind: u8,
) -> Result<(&'a [u8], u32), CheckpointError> {
    // Such a file was whole before it had its name: a missing end is no torn write.
    frame::read_blob(bytes, kind).map_err(|fault| match fault {
        Fault::Newer(found) => newer(file, 0, found),
        Fault::Damaged(why) => damaged(file, 0, Damage::Bytes(why)),
        Fault::Blank | Fault::Torn => damaged(file, 0, Damage::Bytes("its end is missing")),
    })
}

pub(super) fn damaged(file: &str, offset: usize, damage: Damage) -> CheckpointError {
    CheckpointError::Damaged { file: file.to_owned(), offset: offset as u64, damage }
}

pub(super) fn newer(file: &str, offset: usize, found: u16) -> CheckpointError {
    let (file, offset) = (file.to_owned(), offset as u64);
    CheckpointError::Newer { file, offset, found, known: FORMAT }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_uuid() {
        let id = JobId::fresh().unwrap();
        assert_ne!(id, JobId::fresh().unwrap());
        let shown = id.to_string();
        assert_eq!((shown.len(), shown.as_bytes()[14]), (36, b'4'), "{shown}");
    }
}
