//! The end of the log, to which this owner appends.

use std::sync::Arc;

use super::chain::Tip;
use super::error::CheckpointError;
use super::owner;
use super::path::Segment;
use super::record::{Record, RollV1};
use crate::durable::crash::{self, Point};
use crate::durable::frame::{self, BLOCK_BYTES, CODEC_BINCODE, HEADER_BYTES, Header};
use crate::durable::{Store, StoreError};

/// The room at the end of a segment for the record that names the next one.
const ROLL_BYTES: usize = BLOCK_BYTES + HEADER_BYTES;
/// The smallest segment: an owner record and some others fit.
pub const SEGMENT_BYTES_MIN: u64 = 4 << 10;

/// The end of the log.
pub(super) struct Log {
    store: Arc<dyn Store>,
    segment: Segment,
    segment_bytes: u64,
    /// The size of the current segment.
    room: usize,
    /// Where the next frame begins.
    at: usize,
    tip: Tip,
    /// The link and number before the current segment.
    before: Tip,
    /// Why nothing more is written.
    stopped: Option<CheckpointError>,
}

/// A record and the try of the batch that it is about.
pub(super) type Item<'a> = (&'a Record, u128);

impl Log {
    /// The log of a generation whose first segment was just created.
    pub(super) fn new(
        store: Arc<dyn Store>,
        generation: u64,
        segment_bytes: u64,
        tip: Tip,
    ) -> Self {
        let segment = Segment { generation, number: 1 };
        let room = segment_bytes as usize;
        Self { store, segment, segment_bytes, room, at: 0, tip, before: tip, stopped: None }
    }

    /// The current segment.
    pub(super) fn segment(&self) -> Segment {
        self.segment
    }

    /// The number and link before the current segment.
    pub(super) fn before(&self) -> Tip {
        self.before
    }

    /// Makes records durable with one flush, in this order, all or a beginning of them.
    ///
    /// `Ok` means that this owner still had the checkpoint after they were. With
    /// [`CheckpointError::NoSpace`] nothing counts as written and the call may be made again; after
    /// any other error the log is closed.
    pub(super) fn append(&mut self, items: &[Item<'_>]) -> Result<(), CheckpointError> {
        if let Some(why) = &self.stopped {
            return Err(why.clone());
        }
        let appended = self.try_append(items);
        match &appended {
            Err(CheckpointError::NoSpace(_) | CheckpointError::TooLarge { .. }) | Ok(()) => {}
            Err(error) => self.stopped = Some(error.clone()),
        }
        appended
    }

    /// Whether these records fit without a new segment.
    pub(super) fn fits(&self, items: &[Item<'_>]) -> Result<bool, CheckpointError> {
        let payloads = encode(items)?;
        Ok(self.frames(items, &payloads).0.len() + self.at + ROLL_BYTES <= self.room)
    }

    /// Fails if another owner has the checkpoint.
    pub(super) fn check_owner(&mut self) -> Result<(), CheckpointError> {
        if let Some(why) = &self.stopped {
            return Err(why.clone());
        }
        let checked = owner::check(&*self.store, self.segment);
        if let Err(error) = &checked {
            self.stopped = Some(error.clone());
        }
        checked
    }

    fn try_append(&mut self, items: &[Item<'_>]) -> Result<(), CheckpointError> {
        let payloads = encode(items)?;
        let (mut bytes, mut tip) = self.frames(items, &payloads);
        while self.at + bytes.len() + ROLL_BYTES > self.room {
            self.roll(bytes.len() + ROLL_BYTES + BLOCK_BYTES)?;
            (bytes, tip) = self.frames(items, &payloads);
        }
        self.write(&bytes, tip)?;
        owner::check(&*self.store, self.segment)
    }

    /// The frames as they would stand at the end of the log, and the end they would leave.
    fn frames(&self, items: &[Item<'_>], payloads: &[Vec<u8>]) -> (Vec<u8>, Tip) {
        let (mut bytes, mut tip) = (Vec::new(), self.tip);
        for ((record, attempt), payload) in items.iter().zip(payloads) {
            let header = Header {
                kind: record.kind(),
                codec: CODEC_BINCODE,
                flags: 0,
                seq: tip.seq + 1,
                first: self.tip.seq + 1,
                generation: self.segment.generation,
                batch: record.batch(),
                attempt: *attempt,
                previous: tip.link,
            };
            let link = frame::write(&mut bytes, self.at, &header, payload);
            tip = Tip { seq: header.seq, link };
        }
        (bytes, tip)
    }

    fn write(&mut self, bytes: &[u8], tip: Tip) -> Result<(), CheckpointError> {
        let written = self.store.append(&self.segment.name(), self.at as u64, bytes);
        if let Err(error @ (StoreError::Missing { .. } | StoreError::Io { .. })) = written {
            // A newer owner may have cleaned up already.
            owner::check(&*self.store, self.segment)?;
            return Err(error.into());
        }
        written?;
        self.at = frame::start_at(self.at + bytes.len());
        self.tip = tip;
        Ok(())
    }

    /// Goes on in the next segment, in which `least` bytes fit.
    fn roll(&mut self, least: usize) -> Result<(), CheckpointError> {
        let next = self.segment.next();
        let bytes = self.segment_bytes.max(least as u64);
        let room = match self.store.create_segment(&next.name(), bytes) {
            Ok(()) => bytes,
            Err(StoreError::Exists { .. }) => self.size(next)?,
            Err(error) => return Err(error.into()),
        };
        let roll = Record::Roll(RollV1 { next: next.number });
        let (frame, tip) = self.frames(&[(&roll, 0)], &encode(&[(&roll, 0)])?);
        self.write(&frame, tip)?;
        crash::point(Point::SegmentLeft);
        (self.segment, self.at, self.room, self.before) = (next, 0, room as usize, tip);
        // One that was prepared may be too small: the one after it is made large enough.
        if least as u64 <= self.segment_bytes {
            self.prepare_next();
        }
        Ok(())
    }

    fn size(&self, segment: Segment) -> Result<u64, CheckpointError> {
        let name = segment.name();
        let log = self.store.list(&name)?;
        let found = log.iter().find(|entry| entry.name == name);
        Ok(found.map(|entry| entry.bytes).ok_or(StoreError::Missing { name })?)
    }

    /// Has the next segment made before it is needed.
    pub(super) fn prepare_next(&self) {
        // That there is no space for it is told when it is needed.
        let _told_later =
            self.store.prepare_segment(&self.segment.next().name(), self.segment_bytes);
    }
}

fn encode(items: &[Item<'_>]) -> Result<Vec<Vec<u8>>, CheckpointError> {
    items.iter().map(|(record, _)| record.encode()).collect()
}
