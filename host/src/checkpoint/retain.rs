//! What is kept and what may go: only what no kept batch needs.
//!
//! First the floor is made durable: it says that everything before a segment may be gone. Then the
//! files go. So a crash in between, or a second process that reads meanwhile, never takes something
//! for missing. A process that wakes up after its files were removed meets a newer owner, or at the
//! least the floor, before anything it does can count.

use std::collections::BTreeSet;

use super::chain::FloorV1;
use super::error::CheckpointError;
use super::history::{History, Mark};
use super::path::{self, Segment};
use super::record::{encode, kind};
use super::restore;
use crate::durable::crash::{self, Point};
use crate::durable::defence::{Defence, stands};
use crate::durable::{Store, StoreError, frame};

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// How many of the last batches one can start from. At least 1.
    pub starts: u64,
    /// Of how many of the last batches the records stay, so that they can be run again.
    pub records: u64,
}

impl Default for Keep {
    fn default() -> Self {
        Self { starts: 2, records: 2 }
    }
}

/// What may go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The first batch whose records stay.
    pub batch: u64,
    /// The segment in which they begin.
    pub mark: Mark,
    /// Files with state that records name which stay.
    pub files: BTreeSet<String>,
}

/// Decides what has to stay. `None` while everything has to.
pub fn plan(history: &History, keep: Keep) -> Option<Plan> {
    let last = history.last();
    let oldest = (last + 1).saturating_sub(keep.starts.max(1)).max(1);
    // If not every file is there, it is not the time to remove more.
    let steps = restore::way(&history.done, history.cut_off, oldest, &BTreeSet::new()).ok()?;
    let needed = steps.iter().map(|step| step.named_by).min().unwrap_or(oldest);
    let records = (last + 1).saturating_sub(keep.records).max(1);
    let batch = needed.min(oldest).min(records);
    let first = history.done.iter().find(|done| done.commit.batch >= batch)?;
    let stays = history.done.iter().filter(|done| done.commit.batch >= batch);
    let of_commits = stays.flat_map(|done| &done.commit.states);
    let prepared = history.open.iter().filter_map(|open| open.prepared.as_ref());
    let states = of_commits.chain(prepared.flat_map(|prepared| &prepared.states));
    let files = states.filter_map(restore::file_of).map(str::to_owned).collect();
    Some(Plan { batch: first.commit.batch, mark: first.begins, files })
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Pieces of the log.
    pub segments: u64,
    /// Files with state.
    pub states: u64,
    /// Bytes of both.
    pub bytes: u64,
}

/// Makes the floor durable, then removes what is below it and files with state that nothing names.
/// `in_use` are such files that no record names yet. `former` is the newest floor.
pub(super) fn carry_out(
    store: &dyn Store,
    plan: &Plan,
    in_use: &BTreeSet<String>,
    former: Option<Segment>,
) -> Result<Removed, CheckpointError> {
    let mut removed = Removed::default();
    if former.is_none_or(|former| plan.mark.segment > former) && plan.mark.seq > 0 {
        if stands(Defence::Floor) {
            write_floor(store, plan)?;
        }
        crash::point(Point::FloorDurable);
        remove_below(store, plan, &mut removed)?;
    }
    for entry in store.list(path::STATES)? {
        if !plan.files.contains(&entry.name) && !in_use.contains(&entry.name) {
            store.remove(&entry.name)?;
            crash::point(Point::FileRemoved);
            removed.states += 1;
            removed.bytes += entry.bytes;
        }
    }
    crash::point(Point::RetentionDone);
    Ok(removed)
}

fn write_floor(store: &dyn Store, plan: &Plan) -> Result<(), CheckpointError> {
    let Mark { segment: Segment { generation, number }, seq, link } = plan.mark;
    let floor = FloorV1 { seq, link, generation, number, batch: plan.batch };
    let bytes = frame::write_blob(kind::FLOOR, &encode("floor", &floor)?);
    match store.create(&path::floor(seq), &bytes) {
        Ok(()) | Err(StoreError::Exists { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn remove_below(
    store: &dyn Store,
    plan: &Plan,
    removed: &mut Removed,
) -> Result<(), CheckpointError> {
    for entry in store.list(path::FLOORS)? {
        if path::parse_floor(&entry.name).is_some_and(|seq| seq < plan.mark.seq) {
            store.remove(&entry.name)?;
        }
    }
    for entry in store.list(path::CLAIMS)? {
        let generation = path::parse_claim(&entry.name);
        if generation.is_some_and(|generation| generation < plan.mark.segment.generation) {
            store.remove(&entry.name)?;
        }
    }
    for entry in store.list(path::LOG)? {
        if Segment::parse(&entry.name).is_some_and(|segment| segment < plan.mark.segment) {
            store.remove(&entry.name)?;
            crash::point(Point::FileRemoved);
            removed.segments += 1;
            removed.bytes += entry.bytes;
        }
    }
    Ok(())
}

/// Removes segments that former owners left without anything that counts.
pub(super) fn remove_idle(
    store: &dyn Store,
    idle: &[Segment],
    mine: u64,
) -> Result<(), CheckpointError> {
    let former = idle.iter().filter(|segment| segment.generation < mine);
    for segment in former {
        if segment.number == 1 {
            // The note first: without its segment it would tell of a loss.
            store.remove(&path::claim(segment.generation))?;
        }
        store.remove(&segment.name())?;
    }
    Ok(())
}
