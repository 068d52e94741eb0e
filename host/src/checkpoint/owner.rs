//! Who may write: every start begins a generation, and the newest one has the checkpoint.
//!
//! A new owner first *claims*: it creates the first segment of its generation, which only one can.
//! Then it reads what the former owner wrote, and says in its own first record how much of that
//! counts (`cut`). An owner looks for a newer claim after each append and before anything becomes
//! visible outside. So what it appended before the claim is read by the new owner, and what it
//! appends after the claim it takes for lost.

use std::collections::BTreeMap;

use super::chain::{self, FloorV1, Raw};
use super::error::{CheckpointError, Damage};
use super::history::{History, Read};
use super::identity::{NOTE_MAX, damaged, note};
use super::path::{self, Segment};
use super::record::{OwnerV1, decode, kind};
use crate::clock;
use crate::durable::crash::{self, Point};
use crate::durable::defence::{Defence, stands};
use crate::durable::frame::{self, PAYLOAD_MAX};
use crate::durable::{Entry, Holder, Store, StoreError};

/// A segment is not larger: the largest append has two records.
pub(super) const SEGMENT_MAX: u64 = 4 * PAYLOAD_MAX as u64;
/// So often another process may be quicker before one gives up.
const CLAIMS_MAX: usize = 16;

/// Reads a log. With `settle` what a former process left is flushed first and read from the disk,
/// so that nothing is believed that a loss of power would take away.
pub(super) fn read(
    store: &dyn Store,
    root: u32,
    settle: bool,
) -> Result<(Read, Raw), CheckpointError> {
    let mut raw = Raw { root, floor: read_floor(store)?, ..Raw::default() };
    for entry in store.list(path::CLAIMS)? {
        raw.claims.push(path::parse_claim(&entry.name).ok_or_else(|| foreign(&entry))?);
    }
    let floor = raw.floor.map_or(Segment::default(), |floor| Segment {
        generation: floor.generation,
        number: floor.number,
    });
    let mut segments = BTreeMap::new();
    for entry in store.list(path::LOG)? {
        let segment = Segment::parse(&entry.name).ok_or_else(|| foreign(&entry))?;
        if segment < floor {
            continue;
        }
        if settle {
            store.settle(&entry.name)?;
        }
        segments.insert(segment, store.read(&entry.name, SEGMENT_MAX)?);
    }
    raw.segments = segments;
    let chain = chain::read(&raw)?;
    let history = History::of(&chain, raw.floor.is_some())?;
    Ok((Read { history, chain }, raw))
}

fn foreign(entry: &Entry) -> CheckpointError {
    CheckpointError::Foreign { file: entry.name.escape_default().to_string() }
}

/// The newest floor. Older ones may remain for a moment.
pub(super) fn read_floor(store: &dyn Store) -> Result<Option<FloorV1>, CheckpointError> {
    let mut newest = None;
    for entry in store.list(path::FLOORS)? {
        newest = newest.max(Some(path::parse_floor(&entry.name).ok_or_else(|| foreign(&entry))?));
    }
    newest.map(|seq| floor_of(store, seq)).transpose()
}

/// A floor.
pub(super) fn floor_of(store: &dyn Store, seq: u64) -> Result<FloorV1, CheckpointError> {
    let file = path::floor(seq);
    let bytes = store.read(&file, NOTE_MAX)?;
    let (payload, _) = note(&file, &bytes, kind::FLOOR)?;
    let floor: FloorV1 = decode(payload).map_err(|why| damaged(&file, 0, why))?;
    if floor.seq != seq {
        return Err(damaged(&file, 0, Damage::Record));
    }
    Ok(floor)
}

/// Begins a generation after `newest`; gives its number and the bytes of its segment.
pub(super) fn claim(
    store: &dyn Store,
    newest: u64,
    segment_bytes: u64,
) -> Result<u64, CheckpointError> {
    let mut generation = newest + 1;
    for _ in 0..CLAIMS_MAX {
        let segment = Segment { generation, number: 1 };
        match store.create_segment(&segment.name(), segment_bytes) {
            Ok(()) => {
                crash::point(Point::OwnerClaimed);
                let bytes = frame::write_blob(kind::CLAIM, &generation.to_le_bytes());
                store.create(&path::claim(generation), &bytes)?;
                crash::point(Point::OwnerNoted);
                return Ok(generation);
            }
            Err(StoreError::Exists { .. }) => {
                let log = store.list(path::LOG)?;
                generation = path::newest(&log).map_or(0, |newest| newest.generation) + 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
    let by = generation - 1;
    let file = Segment { generation: by, number: 1 }.name();
    Err(CheckpointError::Fenced { mine: newest, by, file })
}

/// The record of a new owner.
pub(super) fn record(generation: u64, read: &Read) -> OwnerV1 {
    let me = Holder::me();
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    OwnerV1 {
        generation,
        host: me.host.unwrap_or_default(),
        process: me.process.unwrap_or_default(),
        boot: boot.trim().to_owned(),
        time: clock::now().0,
        cut: read.chain.cut,
    }
}

/// Fails if a newer generation was begun, or if the segment of this one is gone.
pub(super) fn check(store: &dyn Store, mine: Segment) -> Result<(), CheckpointError> {
    let log = store.list(path::LOG)?;
    let newest = path::newest(&log).unwrap_or_default();
    let there = log.iter().any(|entry| Segment::parse(&entry.name) == Some(mine));
    if newest.generation > mine.generation && stands(Defence::OwnerCheck) {
        let (mine, by) = (mine.generation, newest.generation);
        return Err(CheckpointError::Fenced { mine, by, file: newest.name() });
    }
    if !there {
        let named_by = "this process, which writes to it,".to_owned();
        return Err(damaged(&mine.name(), 0, Damage::Missing { named_by }));
    }
    Ok(())
}
