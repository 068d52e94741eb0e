//! From the bytes of a log to its records, or to the reason why they can't be believed. No I/O.
//!
//! ```text
//! g1-1 [owner 1][intent][commit]…[roll]   g1-2 [commit][intent] zeroes …
//! g2-1 [owner 2: cut = last of g1 that was read][intent] zeroes …
//! ```
//!
//! Every owner writes files of its own. The newest one that has an owner record is the head; its
//! `cut` says how much of the one before counts, and so on back to the first, or to the floor.

use std::collections::BTreeMap;

use bincode::{Decode, Encode};

use super::error::{CheckpointError, Damage};
use super::identity::{damaged, newer};
use super::path::{self, Segment};
use super::record::{CutV1, OwnerV1, Record};
use crate::durable::defence::{Defence, stands};
use crate::durable::frame::{self, CODEC_BINCODE, Fault, Frame};

/// From where on the log counts: segments before this one may be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct FloorV1 {
    /// The last record before the segment.
    pub seq: u64,
    /// Its link.
    pub link: u32,
    /// The generation of the segment.
    pub generation: u64,
    /// The number of the segment.
    pub number: u64,
    /// The first batch whose records are all there.
    pub batch: u64,
}

/// What the files of a log hold.
#[derive(Clone, Debug, Default)]
pub struct Raw {
    /// The bytes of the segments.
    pub segments: BTreeMap<Segment, Vec<u8>>,
    /// Generations that were noted to have begun.
    pub claims: Vec<u64>,
    /// The newest floor.
    pub floor: Option<FloorV1>,
    /// The link with which the chain begins.
    pub root: u32,
}

/// The end of a chain of records: what the next one has to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// The number of the last record; 0 before the first.
    pub seq: u64,
    /// Its link.
    pub link: u32,
}

/// A record and where it stands.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The record.
    pub record: Record,
    /// Its segment.
    pub segment: Segment,
    /// Where it begins.
    pub offset: u64,
    /// Its number.
    pub seq: u64,
    /// Its link.
    pub link: u32,
    /// The link of the one before it.
    pub previous: u32,
    /// The try of the batch that it is about.
    pub attempt: u128,
    /// The bytes of its frame.
    pub bytes: u64,
}

/// An end of the log that was cut off in the middle of a write and is dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// The file.
    pub file: String,
    /// From where on.
    pub offset: u64,
}

/// What the log says.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    /// The records that count.
    pub records: Vec<Placed>,
    /// A write that was cut off.
    pub torn: Option<Torn>,
    /// The newest generation that was begun, even if it never wrote.
    pub newest: u64,
    /// The newest owner who wrote.
    pub head: Option<OwnerV1>,
    /// Where the next owner goes on.
    pub cut: Option<CutV1>,
    /// Segments that hold nothing that counts.
    pub idle: Vec<Segment>,
}

/// Reads a log.
pub fn read(raw: &Raw) -> Result<Chain, CheckpointError> {
    check_claims(raw)?;
    let newest = raw.segments.keys().map(|segment| segment.generation).max().unwrap_or(0);
    let mut chain = Chain { newest, ..Chain::default() };
    let Some(head) = find_head(raw)? else {
        chain.idle = raw.segments.keys().copied().collect();
        return Ok(chain);
    };
    let mut walk = Walk::new(raw);
    let mut used = Vec::new();
    for (generation, cut) in generations(raw, head)? {
        used.push(generation);
        walk.generation(generation, cut)?;
    }
    let counts =
        |segment: &Segment| used.contains(&segment.generation) && walk.visited.contains(segment);
    chain.idle = raw.segments.keys().filter(|segment| !counts(segment)).copied().collect();
    chain.cut = walk.cut(raw);
    chain.head = walk.owner;
    (chain.records, chain.torn) = (walk.records, walk.torn);
    Ok(chain)
}

/// A generation that was noted has a segment, unless it is below the floor.
fn check_claims(raw: &Raw) -> Result<(), CheckpointError> {
    let floor = raw.floor.map_or(0, |floor| floor.generation);
    for claim in raw.claims.iter().filter(|claim| **claim > floor) {
        let first = Segment { generation: *claim, number: 1 };
        if !raw.segments.contains_key(&first) {
            return Err(missing(first, path::claim(*claim)));
        }
    }
    Ok(())
}

pub(super) fn missing(segment: Segment, named_by: String) -> CheckpointError {
    damaged(&segment.name(), 0, Damage::Missing { named_by: format!("`{named_by}`") })
}

/// The newest generation that has written anything.
fn find_head(raw: &Raw) -> Result<Option<u64>, CheckpointError> {
    let start = raw.floor.map(|floor| floor.generation);
    let mut generations: Vec<_> = raw.segments.keys().map(|segment| segment.generation).collect();
    generations.dedup();
    for generation in generations.into_iter().rev() {
        match start {
            Some(start) if generation < start => break,
            Some(start) if generation == start => return Ok(Some(generation)),
            _ => {}
        }
        if owner_of(raw, generation)?.is_some() {
            return Ok(Some(generation));
        }
    }
    match raw.floor {
        Some(floor) => {
            let segment = Segment { generation: floor.generation, number: floor.number };
            Err(missing(segment, path::floor(floor.seq)))
        }
        None => Ok(None),
    }
}

/// The record with which a generation begins; nothing if it never wrote.
fn owner_of(raw: &Raw, generation: u64) -> Result<Option<OwnerV1>, CheckpointError> {
    let first = Segment { generation, number: 1 };
    let (file, bytes) = match raw.segments.get(&first) {
        Some(bytes) => (first.name(), bytes),
        None => return Err(missing(first, first.next().name())),
    };
    match frame::read(bytes, 0) {
        Ok(frame) => match decode(&file, 0, &frame)? {
            Record::Owner(owner) if owner.generation == generation => Ok(Some(owner)),
            _ => Err(damaged(&file, 0, Damage::Chain { seq: frame.header.seq })),
        },
        // It is written alone: nothing may stand behind it if it is not whole.
        Err(Fault::Blank | Fault::Torn) if is_followed(raw, first, bytes, 1, 0) => {
            Err(damaged(&file, 0, Damage::Bytes(FOLLOWED)))
        }
        Err(Fault::Blank | Fault::Torn) => Ok(None),
        Err(Fault::Damaged(why)) => Err(damaged(&file, 0, Damage::Bytes(why))),
        Err(Fault::Newer(found)) => Err(newer(&file, 0, found)),
    }
}

const FOLLOWED: &str = "it is not whole, but later records stand behind it";

/// Whether a record of an append after `seq` stands behind `at`, or any in a later segment, which
/// is empty unless the last record of this one names it.
fn is_followed(raw: &Raw, segment: Segment, bytes: &[u8], at: usize, seq: u64) -> bool {
    let later = |it: &&Segment| it.generation == segment.generation && it.number > segment.number;
    let mut after = raw.segments.keys().filter(later);
    frame::later_append(bytes, at, seq).is_some()
        || after.any(|it| frame::later_append(&raw.segments[it], 0, 0).is_some())
}

/// The generations that count, the oldest first, each with where it is cut.
pub(super) fn generations(
    raw: &Raw,
    head: u64,
) -> Result<Vec<(u64, Option<CutV1>)>, CheckpointError> {
    let start = raw.floor.map(|floor| floor.generation);
    let (mut way, mut at) = (vec![(head, None)], head);
    while Some(at) != start {
        let file = Segment { generation: at, number: 1 }.name();
        let owner = owner_of(raw, at)?;
        let lost = || damaged(&file, 0, Damage::Chain { seq: 0 });
        match owner.ok_or_else(lost)?.cut {
            Some(cut) if cut.generation < at && start.is_none_or(|s| cut.generation >= s) => {
                let segment = Segment { generation: cut.generation, number: 1 };
                let there = raw.segments.keys().any(|it| it.generation == cut.generation);
                if !there {
                    return Err(missing(segment, file));
                }
                way.push((cut.generation, Some(cut)));
                at = cut.generation;
            }
            None if start.is_none() => break,
            _ => return Err(lost()),
        }
    }
    way.reverse();
    Ok(way)
}

fn decode(file: &str, offset: usize, frame: &Frame<'_>) -> Result<Record, CheckpointError> {
    if frame.header.codec != CODEC_BINCODE {
        return Err(damaged(file, offset, Damage::Bytes("its encoding is unknown")));
    }
    Record::decode(&frame.header, frame.payload).map_err(|why| damaged(file, offset, why))
}

/// The way along the records.
pub(super) struct Walk<'a> {
    raw: &'a Raw,
    pub(super) tip: Tip,
    pub(super) records: Vec<Placed>,
    pub(super) visited: Vec<Segment>,
    owner: Option<OwnerV1>,
    torn: Option<Torn>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(raw: &'a Raw) -> Self {
        let tip = match raw.floor {
            Some(floor) => Tip { seq: floor.seq, link: floor.link },
            None => Tip { seq: 0, link: raw.root },
        };
        Self { raw, tip, records: Vec::new(), visited: Vec::new(), owner: None, torn: None }
    }

    /// Reads what one owner wrote, up to where it was cut.
    pub(super) fn generation(
        &mut self,
        generation: u64,
        cut: Option<CutV1>,
    ) -> Result<(), CheckpointError> {
        let floor = self.raw.floor.filter(|floor| floor.generation == generation);
        let (mut segment, mut named_by) =
            (Segment { generation, number: floor.map_or(1, |floor| floor.number) }, None);
        loop {
            let Some(bytes) = self.raw.segments.get(&segment) else {
                let floor = floor.map(|floor| path::floor(floor.seq));
                return Err(missing(segment, named_by.or(floor).unwrap_or_default()));
            };
            self.visited.push(segment);
            if !self.segment(segment, bytes, cut)? {
                return Ok(());
            }
            named_by = Some(segment.name());
            segment = segment.next();
        }
    }

    /// Reads a segment; whether the log goes on in the next one.
    fn segment(
        &mut self,
        segment: Segment,
        bytes: &[u8],
        cut: Option<CutV1>,
    ) -> Result<bool, CheckpointError> {
        let (file, mut at) = (segment.name(), 0);
        loop {
            if let Some(cut) = cut.filter(|cut| cut.seq <= self.tip.seq) {
                let same = cut.seq == self.tip.seq && cut.link == self.tip.link;
                let why = Damage::Chain { seq: cut.seq };
                return if same { Ok(false) } else { Err(damaged(&file, at, why)) };
            }
            match frame::read(bytes, at) {
                Ok(frame) => {
                    self.frame(segment, at, &frame)?;
                    at = frame::start_at(frame.end);
                }
                Err(Fault::Damaged(why)) => return Err(damaged(&file, at, Damage::Bytes(why))),
                Err(Fault::Newer(found)) => return Err(newer(&file, at, found)),
                Err(Fault::Blank | Fault::Torn) => {
                    self.end(segment, bytes, at, cut)?;
                    return Ok(false);
                }
            }
            if let Some(Record::Roll(roll)) = self.records.last().map(|last| &last.record) {
                if roll.next != segment.number + 1 {
                    return Err(damaged(&file, at, Damage::Record));
                }
                // What stands behind a cut is not asked for.
                if cut.is_none_or(|cut| cut.seq > self.tip.seq) {
                    return Ok(true);
                }
            }
        }
    }

    fn frame(
        &mut self,
        segment: Segment,
        offset: usize,
        frame: &Frame<'_>,
    ) -> Result<(), CheckpointError> {
        let (file, header) = (segment.name(), &frame.header);
        if header.generation != segment.generation {
            let (expected, found) = (segment.generation, header.generation);
            return Err(damaged(&file, offset, Damage::Owner { expected, found }));
        }
        let seq = self.tip.seq + 1;
        let follows = header.previous == self.tip.link || !stands(Defence::Chain);
        if header.seq != seq || !follows || header.first > seq {
            return Err(damaged(&file, offset, Damage::Chain { seq }));
        }
        let record = decode(&file, offset, frame)?;
        if let Record::Owner(owner) = &record {
            self.owner = Some(owner.clone());
        }
        self.tip = Tip { seq, link: frame.link };
        self.records.push(Placed {
            record,
            segment,
            offset: offset as u64,
            seq,
            link: frame.link,
            previous: header.previous,
            attempt: header.attempt,
            bytes: (frame.end - offset) as u64,
        });
        Ok(())
    }

    /// There is no whole record at `at`: the end, a write that was cut off, or damage.
    fn end(
        &mut self,
        segment: Segment,
        bytes: &[u8],
        at: usize,
        cut: Option<CutV1>,
    ) -> Result<(), CheckpointError> {
        let file = segment.name();
        if let Some(cut) = cut {
            return Err(damaged(&file, at, Damage::Short { seq: cut.seq }));
        }
        if is_followed(self.raw, segment, bytes, at, self.tip.seq + 1) {
            return Err(damaged(&file, at, Damage::Bytes(FOLLOWED)));
        }
        if frame::is_blank(bytes.get(at..).unwrap_or_default()) {
            return Ok(());
        }
        self.torn = Some(Torn { file, offset: at as u64 });
        Ok(())
    }

    /// Where the next owner goes on. One that wrote nothing but its own record is passed over, so
    /// that starting again and again leaves nothing behind.
    pub(super) fn cut(&self, raw: &Raw) -> Option<CutV1> {
        let last = self.records.iter().rev().find(|it| !matches!(it.record, Record::Owner(_)));
        match (last, raw.floor) {
            (Some(last), _) => {
                let generation = last.segment.generation;
                Some(CutV1 { generation, seq: last.seq, link: last.link })
            }
            (None, Some(floor)) => {
                let FloorV1 { generation, seq, link, .. } = floor;
                Some(CutV1 { generation, seq, link })
            }
            (None, None) => None,
        }
    }
}
