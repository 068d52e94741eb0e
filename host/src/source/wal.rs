//! A log of blocks that a receiver can't ask for again: what is in it is there after a crash.
//!
//! ```text
//! wal/<source>/g<generation>-<seq of the first frame>.wal
//! ```
//!
//! Segments take frames, one for each block, in one chain over all of them. An append has every
//! block that waits and is made durable with one flush. An owner of the checkpoint never writes
//! into a segment of an earlier one: with its first frame it cuts off whatever those still write.
//! Segments go from the front on, when no batch needs a block of theirs any more.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::SourceError;
use crate::durable::crash::{self, Point};
use crate::durable::defence::{Defence, stands};
use crate::durable::frame::{self, Fault, Frame, Header};
use crate::durable::{Store, StoreError};

/// The size of a segment, unless one block needs more.
const SEGMENT_BYTES: usize = 8 << 20;

/// The largest segment that is read: one with a block of the largest size.
const SEGMENT_BYTES_MAX: u64 = (frame::PAYLOAD_MAX + SEGMENT_BYTES) as u64;

/// A frame with a block.
const KIND: u8 = 1;

/// A block, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Logged<T> {
    /// The receiver, from 0.
    pub(super) receiver: u32,
    /// The number of the block among those of its receiver.
    pub(super) number: u64,
    /// Its bytes.
    pub(super) bytes: T,
}

/// What a block consists of.
pub(super) trait Bytes {
    /// Its bytes.
    fn bytes(&self) -> &[u8];
}

impl Bytes for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }
}

/// The end of the chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tip {
    seq: u64,
    link: u32,
}

/// A segment, with the last block that it has of each receiver.
#[derive(Debug)]
struct Segment {
    name: String,
    last: BTreeMap<u32, u64>,
}

/// Blocks with their bytes.
pub(super) type Blocks = Vec<Logged<Vec<u8>>>;

/// The log of a source.
pub(super) struct Wal {
    store: Arc<dyn Store>,
    folder: String,
    generation: u64,
    segments: Vec<Segment>,
    tip: Tip,
    /// How much the last segment holds, and what is written of it. 0 if it is none of ours.
    room: usize,
    at: usize,
}

impl Wal {
    /// Opens the log of a source and gives the blocks that are in it, in the order in which they
    /// were written.
    pub(super) fn open(
        store: Arc<dyn Store>,
        source: &str,
        generation: u64,
    ) -> Result<(Self, Blocks), SourceError> {
        let folder = format!("wal/{source}/");
        let mut names = Vec::new();
        for entry in store.list(&folder)? {
            let known = parse(&folder, &entry.name);
            let foreign = || damaged(&entry.name, 0, "it has none of the names of such files");
            let (generation, first) = known.ok_or_else(foreign)?;
            names.push((generation, first, entry.name));
        }
        names.sort();
        let mut walk = Walk { tip: None, segments: Vec::new(), blocks: Vec::new() };
        for (at, (owner, first, name)) in names.iter().enumerate() {
            // Where a later owner begins, nothing of earlier ones counts any more.
            let mut later = names[at + 1..].iter().filter(|(next, ..)| next > owner);
            let cut = later.by_ref().map(|(_, first, _)| *first).min().unwrap_or(u64::MAX);
            let goes_on = names.get(at + 1).is_some_and(|(next, ..)| next == owner);
            store.settle(name)?;
            let bytes = store.read(name, SEGMENT_BYTES_MAX)?;
            walk.segment(name, &bytes, (*first, cut), goes_on)?;
        }
        let Walk { tip, segments, blocks } = walk;
        let tip = tip.unwrap_or_default();
        Ok((Self { store, folder, generation, segments, tip, room: 0, at: 0 }, blocks))
    }

    /// Makes blocks durable. After [`StoreError::NoSpace`] those that are not counted in the result
    /// may be tried again.
    pub(super) fn append<T: Bytes>(
        &mut self,
        blocks: &[Logged<T>],
    ) -> (usize, Result<(), StoreError>) {
        let mut done = 0;
        while done < blocks.len() {
            // As many as a segment holds, but at least one.
            let mut bytes = 0;
            let fitting = blocks[done..].iter().take_while(|block| {
                bytes += frame::size(block.bytes.bytes().len()) + frame::BLOCK_BYTES;
                bytes <= SEGMENT_BYTES
            });
            let many = fitting.count().max(1);
            if let Err(error) = self.append_some(&blocks[done..done + many]) {
                return (done, Err(error));
            }
            done += many;
        }
        (done, Ok(()))
    }

    fn append_some<T: Bytes>(&mut self, blocks: &[Logged<T>]) -> Result<(), StoreError> {
        let (mut bytes, mut tip) = self.frames(blocks);
        if self.at + bytes.len() > self.room {
            self.roll(bytes.len() + frame::BLOCK_BYTES)?;
            (bytes, tip) = self.frames(blocks);
        }
        let Some(segment) = self.segments.last_mut() else { return Ok(()) };
        self.store.append(&segment.name, self.at as u64, &bytes)?;
        segment.last.extend(blocks.iter().map(|block| (block.receiver, block.number)));
        (self.tip, self.at) = (tip, frame::start_at(self.at + bytes.len()));
        crash::point(Point::WalDurable);
        Ok(())
    }

    /// The frames as they would stand at the end of the log, and the end that they would leave.
    fn frames<T: Bytes>(&self, blocks: &[Logged<T>]) -> (Vec<u8>, Tip) {
        let (mut bytes, mut tip) = (Vec::new(), self.tip);
        for block in blocks {
            let header = Header {
                kind: KIND,
                seq: tip.seq + 1,
                first: self.tip.seq + 1,
                generation: self.generation,
                batch: block.number,
                attempt: u128::from(block.receiver),
                previous: tip.link,
                ..Header::default()
            };
            let link = frame::write(&mut bytes, self.at, &header, block.bytes.bytes());
            tip = Tip { seq: header.seq, link };
        }
        (bytes, tip)
    }

    /// Goes on in a new segment, in which `least` bytes fit.
    fn roll(&mut self, least: usize) -> Result<(), StoreError> {
        let (name, room) = (self.name(self.tip.seq + 1), SEGMENT_BYTES.max(least));
        self.store.create_segment(&name, room as u64)?;
        self.segments.push(Segment { name, last: BTreeMap::new() });
        (self.room, self.at) = (room, 0);
        Ok(())
    }

    fn name(&self, first: u64) -> String {
        format!("{}g{}-{first:020}.wal", self.folder, self.generation)
    }

    /// Removes the segments that have only blocks before those that are kept: `kept` has the first
    /// of each receiver.
    pub(super) fn clean(&mut self, kept: &[u64]) -> Result<(), StoreError> {
        let is_needed = |(receiver, last): (&u32, &u64)| {
            let needed = kept.get(*receiver as usize).is_some_and(|first| last >= first);
            needed && stands(Defence::LogUntilCommit)
        };
        // The last one is being written.
        while self.segments.len() > 1 && !self.segments[0].last.iter().any(is_needed) {
            self.store.remove(&self.segments[0].name)?;
            self.segments.remove(0);
            crash::point(Point::WalRemoved);
        }
        Ok(())
    }
}

/// The generation and the first seq in the name of a segment.
fn parse(folder: &str, name: &str) -> Option<(u64, u64)> {
    let inside = name.strip_prefix(folder)?.strip_prefix('g')?.strip_suffix(".wal")?;
    let (generation, first) = inside.split_once('-')?;
    let (generation, first) = (generation.parse().ok()?, first.parse().ok()?);
    (format!("{folder}g{generation}-{first:020}.wal") == name).then_some((generation, first))
}

/// The way along the blocks.
struct Walk {
    tip: Option<Tip>,
    segments: Vec<Segment>,
    blocks: Vec<Logged<Vec<u8>>>,
}

impl Walk {
    /// Reads a segment whose first frame is `first`, up to where a later owner has cut it off.
    /// `goes_on` says that its owner went on in another one.
    fn segment(
        &mut self,
        name: &str,
        bytes: &[u8],
        (first, cut): (u64, u64),
        goes_on: bool,
    ) -> Result<(), SourceError> {
        let damaged = |offset, problem: &str| Err(damaged(name, offset, problem));
        self.segments.push(Segment { name: name.to_owned(), last: BTreeMap::new() });
        if first >= cut {
            return Ok(());
        }
        if self.tip.is_some_and(|tip| tip.seq + 1 != first) {
            return damaged(0, "the segment before it is missing, or ends too early");
        }
        let mut at = 0;
        loop {
            let next = self.tip.map_or(first, |tip| tip.seq + 1);
            if next >= cut {
                return Ok(());
            }
            match frame::read(bytes, at) {
                Ok(frame) if !self.take(&frame, first) => {
                    return damaged(at, "it does not follow on the block before it");
                }
                Ok(frame) => at = frame::start_at(frame.end),
                Err(Fault::Torn) if goes_on => {
                    return damaged(at, "it is not whole, but its owner went on behind it");
                }
                Err(Fault::Blank | Fault::Torn) => {
                    return match frame::later_append(bytes, at, next) {
                        Some(_) => damaged(at, "it is not whole, but others stand behind it"),
                        None => Ok(()),
                    };
                }
                Err(fault) => return damaged(at, &fault.to_string()),
            }
        }
    }

    /// Takes the block of a frame, if it is the one that comes next.
    fn take(&mut self, frame: &Frame<'_>, first: u64) -> bool {
        let header = &frame.header;
        let follows = match self.tip {
            Some(tip) => header.seq == tip.seq + 1 && header.previous == tip.link,
            None => header.seq == first,
        };
        let Ok(receiver) = u32::try_from(header.attempt) else { return false };
        if !follows || header.kind != KIND {
            return false;
        }
        self.tip = Some(Tip { seq: header.seq, link: frame.link });
        let number = header.batch;
        if let Some(segment) = self.segments.last_mut() {
            segment.last.insert(receiver, number);
        }
        self.blocks.push(Logged { receiver, number, bytes: frame.payload.to_vec() });
        true
    }
}

fn damaged(file: &str, offset: usize, problem: &str) -> SourceError {
    let (file, problem) = (file.to_owned(), problem.to_owned());
    SourceError::LogDamaged { file, offset: offset as u64, problem }
}

#[cfg(test)]
mod tests;
