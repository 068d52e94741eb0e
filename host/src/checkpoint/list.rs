//! What is in a checkpoint, for people: reads, and changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::chain::{FloorV1, Torn};
use super::error::{CheckpointError, Damage};
use super::history::{History, Read};
use super::identity::{self, IdentityV1, damaged};
use super::path::{self, Segment};
use super::record::{OwnerV1, PlaceV1};
use super::{owner, restore};
use crate::durable::Store;

/// A batch as `host checkpoint ls` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchLine {
    /// The batch.
    pub batch: u64,
    /// Its time, in microseconds since 1970.
    pub time: i64,
    /// Whether it is done.
    pub done: bool,
    /// How many rows it read.
    pub rows: u64,
    /// How many rows were put aside.
    pub dead_letters: u64,
    /// What each source was read up to, or is to be read, for people.
    pub sources: Vec<(String, String)>,
    /// How many rows each sink got.
    pub sinks: Vec<(String, u64)>,
    /// Bytes of state that stand in its record.
    pub inline_bytes: u64,
    /// Its files with state.
    pub files: Vec<String>,
    /// Whether a job can start after it.
    pub start: bool,
    /// The owner who did it.
    pub generation: u64,
}

/// A segment of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentLine {
    /// Its name.
    pub file: String,
    /// Records that count.
    pub records: u64,
    /// Bytes of these records.
    pub record_bytes: u64,
    /// Its size.
    pub bytes: u64,
}

/// What `host checkpoint verify` finds.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Which job it is.
    pub identity: Option<IdentityV1>,
    /// The newest owner.
    pub owner: Option<OwnerV1>,
    /// The log.
    pub segments: Vec<SegmentLine>,
    /// From where on it counts.
    pub floor: Option<FloorV1>,
    /// Batches that one can start from.
    pub starts: Vec<u64>,
    /// A write that was cut off and will be dropped.
    pub torn: Option<Torn>,
    /// Files with state that nothing names.
    pub unnamed: Vec<String>,
    /// What is wrong. A checkpoint without an entry here can be started from.
    pub problems: Vec<CheckpointError>,
}

/// Which job a checkpoint is of, and what has happened; nothing if there is no checkpoint.
pub fn look(store: &dyn Store) -> Result<Option<(IdentityV1, History)>, CheckpointError> {
    let Some((identity, root)) = identity::read(store)? else { return Ok(None) };
    let (read, _) = owner::read(store, root, false)?;
    Ok(Some((identity, read.history)))
}

/// The batches of a checkpoint, the oldest first; nothing if there is no checkpoint.
pub fn ls(store: &dyn Store) -> Result<Vec<BatchLine>, CheckpointError> {
    let Some((_, root)) = identity::read(store)? else { return Ok(Vec::new()) };
    let (read, _) = owner::read(store, root, false)?;
    let there = states(store)?;
    let of_done = read.history.done.iter().map(|done| BatchLine {
        batch: done.commit.batch,
        time: done.commit.time,
        done: true,
        rows: done.commit.input.rows,
        dead_letters: done.commit.dead_letters,
        sources: done
            .commit
            .sources
            .iter()
            .map(|it| (it.source.clone(), it.text.clone()))
            .collect(),
        sinks: done.commit.sinks.iter().map(|it| (it.sink.clone(), it.rows.rows)).collect(),
        inline_bytes: done.commit.states.iter().map(|it| inline(&it.place)).sum(),
        files: done.commit.states.iter().filter_map(restore::file_of).map(str::to_owned).collect(),
        start: can_start(&read, done.commit.batch, &there),
        generation: done.generation,
    });
    let mut lines: Vec<_> = of_done.collect();
    lines.extend(read.history.open.iter().map(|open| BatchLine {
        batch: open.intent.batch,
        time: open.intent.time,
        done: false,
        rows: 0,
        dead_letters: 0,
        sources:
            open.intent.sources.iter().map(|it| (it.source.clone(), it.text.clone())).collect(),
        sinks: Vec::new(),
        inline_bytes: 0,
        files: Vec::new(),
        start: false,
        generation: read.chain.head.as_ref().map_or(0, |head| head.generation),
    }));
    Ok(lines)
}

/// Reads everything and says what is wrong with it. `check` reads a file with state and says
/// whether it is whole; its format belongs to another room.
pub fn verify(store: &dyn Store, check: &dyn Fn(&[u8]) -> Result<(), String>) -> Verdict {
    let mut verdict = Verdict::default();
    if let Err(error) = fill(store, check, &mut verdict) {
        verdict.problems.push(error);
    }
    verdict
}

fn fill(
    store: &dyn Store,
    check: &dyn Fn(&[u8]) -> Result<(), String>,
    verdict: &mut Verdict,
) -> Result<(), CheckpointError> {
    let Some((identity, root)) = identity::read(store)? else { return Ok(()) };
    verdict.identity = Some(identity);
    let (read, raw) = owner::read(store, root, false)?;
    verdict.floor = raw.floor;
    verdict.torn.clone_from(&read.chain.torn);
    verdict.owner.clone_from(&read.chain.head);
    verdict.segments = segments(&read, &raw.segments);
    let there = states(store)?;
    let mut unusable = BTreeSet::new();
    let mut named = BTreeSet::new();
    for piece in read.history.done.iter().flat_map(|done| &done.commit.states) {
        let Some(file) = restore::file_of(piece).filter(|file| named.insert((*file).to_owned()))
        else {
            continue;
        };
        if let Some(problem) = state_problem(store, file, &there, check) {
            unusable.insert(file.to_owned());
            verdict.problems.push(problem);
        }
    }
    verdict.unnamed = there.difference(&named).cloned().collect();
    let way = |batch| restore::way(&read.history.done, read.history.cut_off, batch, &unusable);
    let batches = read.history.done.iter().map(|done| done.commit.batch);
    verdict.starts = batches.filter(|batch| way(*batch).is_ok()).collect();
    Ok(())
}

pub(super) fn state_problem(
    store: &dyn Store,
    file: &str,
    there: &BTreeSet<String>,
    check: &dyn Fn(&[u8]) -> Result<(), String>,
) -> Option<CheckpointError> {
    if !there.contains(file) {
        let named_by = "the log".to_owned();
        return Some(damaged(file, 0, Damage::Missing { named_by }));
    }
    match store.read(file, u64::MAX) {
        Ok(bytes) => check(&bytes).err().map(|_| damaged(file, 0, Damage::Record)),
        Err(error) => Some(error.into()),
    }
}

fn segments(read: &Read, files: &BTreeMap<Segment, Vec<u8>>) -> Vec<SegmentLine> {
    let line = |(segment, bytes): (&Segment, &Vec<u8>)| {
        let here = read.chain.records.iter().filter(|it| it.segment == *segment);
        SegmentLine {
            file: segment.name(),
            records: here.clone().count() as u64,
            record_bytes: here.map(|it| it.bytes).sum(),
            bytes: bytes.len() as u64,
        }
    };
    files.iter().map(line).collect()
}

pub(super) fn states(store: &dyn Store) -> Result<BTreeSet<String>, CheckpointError> {
    Ok(store.list(path::STATES)?.into_iter().map(|entry| entry.name).collect())
}

fn can_start(read: &Read, batch: u64, there: &BTreeSet<String>) -> bool {
    let states = read.history.done.iter().flat_map(|done| &done.commit.states);
    let files = states.filter_map(restore::file_of).map(str::to_owned);
    let missing = files.filter(|file| !there.contains(file)).collect();
    restore::way(&read.history.done, read.history.cut_off, batch, &missing).is_ok()
}

fn inline(place: &PlaceV1) -> u64 {
    match place {
        PlaceV1::Inline(bytes) => bytes.len() as u64,
        PlaceV1::File(_) => 0,
    }
}
