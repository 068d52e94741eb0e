//! What does an op remember of a key?
//!
//! Takes: keys, and the changes of a batch by lane. Gives: what was known of the keys before the
//! batch, what is due, the delta to write down, snapshots, and all of it again after a restart.
//! Promise: a batch changes all of its keys with `commit` or none; who looks at version n sees all
//! of it, whatever batch n + 1 does; deltas are as large as what changed; what was damaged is
//! refused by name.
//! Not here: what states mean (`operator`), which parts a commit names and where they lie
//! (`checkpoint`, behind [`Blobs`]).
//!
//! The state of an op is rows: key columns, state columns, and the moment at which a timer is due,
//! if there is one. A key belongs to a key group by a stable hash, whatever the parallelism; lanes
//! own ranges of key groups ([`lane_groups`]), so that they read and change without a lock.
//!
//! ```text
//! view(op) ─► Lane ─► keys, read, due ─► (the function) ─► upsert, remove ─► seal ─► Staged
//!                                                                             │  stage(n)
//! restore(Live, Blobs) ─► load ─► view ◄──────────────── commit(n) ◄──────────┴─► delta ─► Blobs
//!                                  └─► SnapshotWriter ─► snapshot ─► Blobs
//! ```

mod begin;
mod blobs;
mod error;
mod lane;
#[cfg(feature = "lsm")]
mod lsm;
mod part;
mod row;
mod schema;
mod store;
mod table;
mod threads;
mod view;

#[cfg(test)]
mod tests;

pub use begin::begin;
pub use blobs::{Blobs, MemoryBlobs};
pub use error::{CODES, StateError};
pub use lane::{Lane, Staged};
#[cfg(feature = "lsm")]
pub use lsm::LsmStore;
pub use part::{
    Live, Part, PartKindV1, PartRefV1, PlaceV1, Restored, SnapshotWriter, StateRefsV1, Wear,
    Written, part_name, restore,
};
pub use row::{Keys, key_groups};
pub use schema::StateSchema;
pub use store::StoreKind;
pub use table::{MemoryStore, lane_groups};
pub use view::{Prior, Size, StateRows, View};

use threads::in_threads;

use crate::id::{BatchId, NodeId};

/// Key groups of a job, unless its checkpoint says otherwise.
pub const KEY_GROUPS: u32 = 256;

/// Keeps the states of the ops of a job.
pub trait StateStore: Send + Sync {
    /// How many key groups there are; fixed when the job starts for the first time.
    fn groups(&self) -> u32;

    /// The last batch that was committed.
    fn version(&self) -> BatchId;

    /// The ops that have a state, by name.
    fn ops(&self) -> Vec<NodeId>;

    /// Gives an op a state without any keys. If it has one already, its columns must be the same.
    fn open(&self, op: &NodeId, schema: &StateSchema) -> Result<(), StateError>;

    /// Forgets the state of an op.
    fn forget(&self, op: &NodeId) -> Result<(), StateError>;

    /// Applies parts to the state of an op, in order: what [`restore`] does after [`Self::open`].
    fn load(&self, op: &NodeId, parts: &[Part]) -> Result<(), StateError>;

    /// After everything was loaded: these are the states after a batch.
    fn resume(&self, version: BatchId) -> Result<(), StateError>;

    /// The state of an op as it is now; it stays so while the store goes on.
    fn view(&self, op: &NodeId) -> Result<View, StateError>;

    /// Takes the changes of a lane for the next batch. Nobody sees them yet.
    fn stage(&self, batch: BatchId, staged: Staged) -> Result<(), StateError>;

    /// Makes everything that was staged for the next batch visible, at once.
    fn commit(&self, batch: BatchId) -> Result<(), StateError>;

    /// Drops everything that was staged for a batch, which may then be run again.
    fn abort(&self, batch: BatchId) -> Result<(), StateError>;
}

/// Whether bytes are a whole delta or snapshot.
pub fn check_part(bytes: Vec<u8>) -> Result<(), StateError> {
    Part::read("a piece of a state", bytes).map(|_| ())
}

/// Whether a batch is the one after the version.
fn check_commit(batch: BatchId, version: BatchId) -> Result<(), StateError> {
    if batch == version.next() { Ok(()) } else { Err(StateError::OtherBatch { batch, version }) }
}

/// Whether changes fit what is there and what else was staged.
fn check_staged(
    batch: BatchId,
    version: BatchId,
    staged: &Staged,
    schema: &StateSchema,
    others: &[Staged],
) -> Result<(), StateError> {
    check_commit(batch, version)?;
    check_commit(BatchId(staged.delta.header().last), version)?;
    if staged.schema_id != schema.id() {
        let problem = format!("the columns of op `{}` were changed", staged.op);
        return Err(StateError::Columns { problem });
    }
    let meets = |other: &&Staged| {
        other.op == staged.op
            && other.groups.start < staged.groups.end
            && staged.groups.start < other.groups.end
    };
    match others.iter().find(meets) {
        None => Ok(()),
        Some(other) => Err(StateError::Overlap {
            op: staged.op.as_str().to_owned(),
            group: other.groups.start.max(staged.groups.start),
            batch,
        }),
    }
}
