//! Lines that come over TCP: the job connects, and a peer sends.
//!
//! - Each address has a receiver: a thread of its own that puts lines into blocks. A block ends
//!   after `block_interval`, or with the line that reaches 1 MiB; a batch takes the blocks that
//!   have ended, first those of the first receiver. Part i of P has the blocks [i·N/P, (i+1)·N/P).
//! - Blocks stay until their batch is visible. They hold `buffer` bytes at most, one block for
//!   each receiver more; then receivers wait, and TCP makes the peers wait. Nothing is dropped.
//! - A connection that broke or was closed is made anew, after 100 ms, 200 ms and so on up to
//!   30 s. A line without its end is a row only if the peer closed the connection in order.
//! - With `--once` a receiver ends when its peer closes the connection, and then the job does.
//! - With a checkpoint, blocks are written to a log (`source/wal.rs`) when they end, and a batch
//!   sees only what is durable there: after a crash the same ranges give the same lines. What had
//!   arrived and was not in the log is lost, because TCP can't be asked for it again. With
//!   `wal = false`, and without a checkpoint, rows come at most once: what was received is in
//!   memory alone, and a batch that was on its way when the process ended comes without its lines.

mod buffer;
mod journal;
mod lines;
mod reader;
mod receiver;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arrow::datatypes::SchemaRef;

use self::buffer::Buffer;
use self::journal::Journal;
use self::reader::{BlockReader, LineFormat, Piece};
use self::receiver::Receiver;
use super::pace::{Pace, Ticker};
use super::wal::Wal;
use super::{
    BlockRange, Connection, ReadMode, RowReader, Source, SourceError, SourceRange, Taken, Wake,
};
use crate::durable::Store;
use crate::format::text;
use crate::id::NodeId;
use crate::job::{SocketSourceSpec, SourceSpec};

/// An origin has the receiver above, then the block within the range, then the line.
const LINE_BITS: u32 = 24;
const BLOCK_BITS: u32 = 24;

/// A source of lines from TCP peers.
pub(super) struct SocketSource {
    id: NodeId,
    /// Whether it is to have a log, where there is a checkpoint.
    wal: bool,
    journal: Arc<Journal>,
    addresses: Arc<[String]>,
    format: LineFormat,
    block_interval: Duration,
    idle_timeout: Option<Duration>,
    buffer: Arc<Buffer>,
    pace: Option<Pace>,
    once: AtomicBool,
}

impl SocketSource {
    /// Connects to nobody yet.
    pub(super) fn open(spec: &SourceSpec, socket: &SocketSourceSpec) -> Result<Self, SourceError> {
        let schema = spec.schema.clone().unwrap_or_else(text::schema);
        let format = LineFormat { kind: socket.format, schema };
        format.decoder()?;
        Ok(Self {
            id: spec.id.clone(),
            wal: socket.wal,
            journal: Arc::default(),
            addresses: socket.addresses.clone().into(),
            format,
            block_interval: socket.block_interval,
            idle_timeout: socket.idle_timeout,
            buffer: Arc::new(Buffer::new(socket.buffer, socket.addresses.len())),
            pace: socket.max_rate.map(Pace::new),
            once: AtomicBool::new(false),
        })
    }

    fn take(&self, most: u64) -> SourceRange {
        let ranges = self.buffer.cut(most);
        if ranges.is_empty() { SourceRange::Empty } else { SourceRange::Blocks(ranges) }
    }

    /// Whether all blocks of ranges are there.
    fn is_there(&self, ranges: &[BlockRange]) -> bool {
        ranges.iter().filter(|range| range.from != range.to).all(|range| {
            let behind = range.to.block + u64::from(range.to.line > 0);
            (range.from.block..behind)
                .all(|number| self.buffer.block(range.receiver, number).is_some())
        })
    }

    /// The blocks of a range, in order.
    fn pieces(&self, ranges: &[BlockRange]) -> Result<Vec<Piece>, SourceError> {
        let mut pieces = Vec::new();
        for range in ranges {
            for number in range.from.block..=range.to.block {
                let ends_here = number == range.to.block;
                if range.from == range.to || ends_here && range.to.line == 0 {
                    break;
                }
                if !self.replays() && self.buffer.is_of_another(range.receiver, number) {
                    continue;
                }
                let block = self.buffer.block(range.receiver, number).ok_or_else(|| {
                    let problem = format!("block {number} was received in another run, or is gone");
                    SourceError::Range { problem }
                })?;
                let from = if number == range.from.block { range.from.line } else { 0 };
                let to = if ends_here { range.to.line } else { block.lines() };
                let within = number - range.from.block;
                let origin =
                    u64::from(range.receiver) << (BLOCK_BITS + LINE_BITS) | within << LINE_BITS;
                pieces.push(Piece { block, origin, from, to });
            }
        }
        Ok(pieces)
    }
}

/// Ends the receivers.
struct Receiving {
    buffer: Arc<Buffer>,
    ends: Vec<Wake>,
    _ticker: Option<Ticker>,
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.buffer.stop();
        self.ends.iter().for_each(Wake::ring);
    }
}

impl Source for SocketSource {
    fn schema(&self) -> Result<Option<SchemaRef>, SourceError> {
        Ok(Some(SchemaRef::clone(&self.format.schema)))
    }

    fn cut(&self) -> Result<SourceRange, SourceError> {
        // What waited for room on the disk.
        self.journal.write(&self.buffer);
        self.journal.check()?;
        Ok(self.take(self.pace.as_ref().map_or(u64::MAX, Pace::due)))
    }

    fn keep_in(&self, store: Arc<dyn Store>, generation: u64) -> Result<(), SourceError> {
        if self.wal {
            let (wal, found) = Wal::open(store, self.id.as_str(), generation)?;
            self.buffer.log(found);
            self.journal.begin(wal);
        }
        Ok(())
    }

    fn replays(&self) -> bool {
        self.journal.is_kept()
    }

    fn resume(&self, taken: Taken) -> Result<(), SourceError> {
        match taken.last {
            None => Ok(()),
            Some(SourceRange::Blocks(ranges)) => {
                self.buffer.go_on(&ranges).map_err(|(receiver, first, needed)| {
                    SourceError::LogGap { receiver: u64::from(receiver) + 1, first, needed }
                })
            }
            Some(_) => Err(SourceError::OtherKind { expected: "blocks of lines" }),
        }
    }

    fn lost(&self, range: &SourceRange) -> Vec<String> {
        match range {
            SourceRange::Blocks(blocks) if !self.is_there(blocks) => {
                vec![format!("lines that came over TCP ({})", range.text())]
            }
            _ => Vec::new(),
        }
    }

    fn last_cut(&self) -> Result<SourceRange, SourceError> {
        self.buffer.stop();
        self.journal.write(&self.buffer);
        self.journal.check()?;
        Ok(self.take(u64::MAX))
    }

    fn connections(&self) -> Vec<Connection> {
        self.buffer.take_told()
    }

    fn finished(&self) -> bool {
        self.once.load(Ordering::Acquire) && self.buffer.is_done()
    }

    fn drained(&self) -> bool {
        self.buffer.is_done()
    }

    fn start(&self, once: bool, wake: Wake) -> Result<Box<dyn Send>, SourceError> {
        self.once.store(once, Ordering::Release);
        let ticker = match self.pace {
            Some(_) => Some(Ticker::start(wake.clone())?),
            None => None,
        };
        let buffer = Arc::clone(&self.buffer);
        let mut receiving = Receiving { buffer, ends: Vec::new(), _ticker: ticker };
        for (number, address) in self.addresses.iter().enumerate() {
            let end = Wake::default();
            let receiver = Receiver {
                number,
                address: address.clone(),
                block_interval: self.block_interval,
                idle_timeout: self.idle_timeout,
                once,
                buffer: Arc::clone(&self.buffer),
                journal: Arc::clone(&self.journal),
                wake: wake.clone(),
                end: end.clone(),
            };
            let thread = std::thread::Builder::new().name("weir-receiver".into());
            let started = thread.spawn(move || receiver.run());
            started.map_err(|error| SourceError::Thread { error })?;
            receiving.ends.push(end);
        }
        Ok(Box::new(receiving))
    }

    fn read(
        &self,
        range: &SourceRange,
        (partition, partitions): (usize, usize),
        mode: ReadMode,
    ) -> Result<Box<dyn RowReader>, SourceError> {
        let ranges: &[BlockRange] = match range {
            SourceRange::Empty => &[],
            SourceRange::Blocks(ranges) => ranges,
            _ => return Err(SourceError::Range { problem: "not blocks of lines".into() }),
        };
        let pieces = self.pieces(ranges)?;
        let border = |part: usize| pieces.len() * part / partitions.max(1);
        let (from, to) = (border(partition), border(partition + 1));
        let part: VecDeque<Piece> = pieces.into_iter().take(to).skip(from).collect();
        let (addresses, range) = (Arc::clone(&self.addresses), range.clone());
        let place = Box::new(move |origin| place(&addresses, &range, origin));
        Ok(Box::new(BlockReader::new(self.format.clone(), mode, part, place)?))
    }

    fn place(&self, range: &SourceRange, origin: u64) -> String {
        place(&self.addresses, range, origin)
    }

    fn acknowledge(&self, range: &SourceRange) {
        if let SourceRange::Blocks(ranges) = range {
            self.buffer.free(ranges);
            self.journal.clean(&self.buffer);
        }
    }

    fn watch(&self, _: Wake) -> Result<Box<dyn Send>, SourceError> {
        // Receivers ring.
        Ok(Box::new(()))
    }
}

/// `host:port, receiver 1, block 4, line 12`, all counted from 1.
fn place(addresses: &[String], range: &SourceRange, origin: u64) -> String {
    let receiver = origin >> (BLOCK_BITS + LINE_BITS);
    let within = (origin >> LINE_BITS) & ((1 << BLOCK_BITS) - 1);
    let line = origin & ((1 << LINE_BITS) - 1);
    let first = match range {
        SourceRange::Blocks(ranges) => ranges
            .iter()
            .find(|range| u64::from(range.receiver) == receiver)
            .map_or(0, |range| range.from.block),
        _ => 0,
    };
    let address = addresses.get(receiver as usize).map_or("?", String::as_str);
    let (number, block) = (receiver + 1, first + within + 1);
    format!("{address}, receiver {number}, block {block}, line {}", line + 1)
}

#[cfg(test)]
mod tests;
