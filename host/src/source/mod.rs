//! Where do rows come from?
//!
//! Takes: a checked `SourceSpec`. Gives: ranges that are cut beforehand, then rows for a range.
//! Promise: the same range gives the same rows in the same order, however many lanes read it.
//! Not here: what bytes mean (`format`), when a range is cut (`batch`).

mod error;
mod file;
mod intake;
mod pace;
mod position;
mod rate;
mod rows;
mod socket;
mod wake;
mod wal;

pub use error::{CODES, SourceError};
pub use file::{READ_ARGUMENT, read_child};
pub use position::Taken;
pub use wake::Wake;

use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use serde::{Deserialize, Serialize};

use crate::durable::Store;
use crate::format::FormatError;
use crate::job::{RateSourceSpec, SourceKind, SourceSpec};

/// What one batch takes from one source: everything that is needed to read the same rows again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub enum SourceRange {
    /// Nothing in this batch.
    Empty,
    /// Whole files, in the order in which their rows count.
    Files(Vec<FileRange>),
    /// One of the lists that stand in the job, counted from 0.
    Rows {
        /// Which list.
        list: usize,
    },
    /// Lines that were received, receiver by receiver.
    Blocks(Vec<BlockRange>),
    /// Numbers of a clock.
    Numbers {
        /// The first number.
        from: u64,
        /// The one behind the last.
        to: u64,
        /// The time of number 0, in microseconds since 1970.
        began: i64,
        /// How many of them make a second.
        rows_per_second: u64,
    },
}

/// Lines of one receiver that follow on each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct BlockRange {
    /// Which receiver, from 0.
    pub receiver: u32,
    /// The first line.
    pub from: Position,
    /// The line behind the last.
    pub to: Position,
}

/// A line of a receiver.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    bincode::Encode,
    bincode::Decode,
)]
pub struct Position {
    /// The block, counted from 0 over the whole run.
    pub block: u64,
    /// The line of the block, from 0.
    pub line: u32,
}

/// A file as it was when it was taken. Reading it later fails if it is another one by then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct FileRange {
    /// The path.
    pub path: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// When it was changed last, in nanoseconds since 1970.
    pub modified: i128,
}

impl SourceRange {
    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Files(files) => files.is_empty(),
            Self::Rows { .. } => false,
            Self::Blocks(blocks) => blocks.is_empty(),
            Self::Numbers { from, to, .. } => from >= to,
        }
    }

    /// What is taken, in a few words for people.
    pub fn text(&self) -> String {
        match self {
            Self::Empty => "nothing".to_owned(),
            Self::Files(files) => match files.as_slice() {
                [file] => file.path.clone(),
                [first, .., last] => {
                    format!("{} files, {} to {}", files.len(), first.path, last.path)
                }
                [] => "nothing".to_owned(),
            },
            Self::Rows { list } => format!("list {}", list + 1),
            Self::Blocks(blocks) => {
                let moved = blocks.iter().filter(|range| range.from != range.to);
                let one = |range: &BlockRange| {
                    let (from, to) = (range.from, range.to);
                    format!(
                        "receiver {}: block {} line {} to block {} line {}",
                        u64::from(range.receiver) + 1,
                        from.block,
                        from.line,
                        to.block,
                        to.line
                    )
                };
                moved.map(one).collect::<Vec<_>>().join("; ")
            }
            Self::Numbers { from, to, .. } => format!("{from} to {}", to.saturating_sub(1)),
        }
    }

    /// How many bytes there are to read, where that is known: for progress.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Files(files) => files.iter().map(|file| file.bytes).sum(),
            Self::Empty | Self::Rows { .. } | Self::Blocks(_) | Self::Numbers { .. } => 0,
        }
    }
}

/// Something that lies where input is looked for and isn't taken. Said once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Where it lies.
    pub path: String,
    /// Why it isn't taken.
    pub reason: &'static str,
}

/// A connection of a source came or went. Said once for each change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Which receiver, from 1.
    pub receiver: usize,
    /// The address that it connects to.
    pub address: String,
    /// Whether it is connected now.
    pub up: bool,
    /// Why it is not.
    pub reason: String,
}

/// One source of a job. Shared between the batch loop, which cuts ranges, and the lanes, which
/// read them.
pub trait Source: Send + Sync {
    /// The columns of its rows, or none as long as no input has been seen that shows them.
    /// Once known they stay.
    fn schema(&self) -> Result<Option<SchemaRef>, SourceError>;

    /// Cuts the next range from what is there now, up to the limit per batch; `Empty` when there
    /// is nothing new. A range is cut once.
    fn cut(&self) -> Result<SourceRange, SourceError>;

    /// There is a checkpoint, and `generation` is its owner: a source whose input comes only once
    /// keeps it in a log there. Called before everything else, and not at all if nothing is to
    /// stay.
    fn keep_in(&self, _store: Arc<dyn Store>, _generation: u64) -> Result<(), SourceError> {
        Ok(())
    }

    /// Whether it can give a range again after a crash. If not, rows come at most once: what a
    /// process held when it ended is lost, and that is no reason not to go on.
    fn replays(&self) -> bool {
        true
    }

    /// Goes on behind what earlier runs have taken. Called before the first cut, if there was an
    /// earlier run.
    fn resume(&self, taken: Taken) -> Result<(), SourceError>;

    /// What of a range is not as it was when the range was cut, for people. Empty if it can be read
    /// again.
    fn lost(&self, _range: &SourceRange) -> Vec<String> {
        Vec::new()
    }

    /// Whether a batch that has to be run again comes without what is lost of its range.
    fn goes_on(&self) -> bool {
        false
    }

    /// A range without what is lost of it.
    fn remaining(&self, range: &SourceRange) -> SourceRange {
        range.clone()
    }

    /// What was found since the last call and won't be taken: to be told, each once.
    fn skipped(&self) -> Vec<Skipped> {
        Vec::new()
    }

    /// The job is stopped. A source whose input would be lost takes nothing more in, and cuts all
    /// that it has; others keep theirs for the next run.
    fn last_cut(&self) -> Result<SourceRange, SourceError> {
        Ok(SourceRange::Empty)
    }

    /// Connections that came or went since the last call.
    fn connections(&self) -> Vec<Connection> {
        Vec::new()
    }

    /// Whether a run that takes what is there has taken all of it.
    fn drained(&self) -> bool {
        true
    }

    /// The run begins; with `once` it is to end. What a source does by itself, it does until what
    /// this gives is dropped, and rings when there is something new.
    fn start(&self, _once: bool, _wake: Wake) -> Result<Box<dyn Send>, SourceError> {
        Ok(Box::new(()))
    }

    /// Whether its input stands in the job: then a run that takes what is there has no use for the
    /// clock of the machine, and time goes on by one interval with each batch.
    fn is_scripted(&self) -> bool {
        false
    }

    /// Whether nothing can ever come after what was cut.
    fn finished(&self) -> bool;

    /// Opens part `part.0` of `part.1` of a range. The parts in order are the whole range.
    fn read(
        &self,
        range: &SourceRange,
        part: (usize, usize),
        mode: ReadMode,
    ) -> Result<Box<dyn RowReader>, SourceError>;

    /// Where a row of a range was read, for people: `lines.txt:12`.
    fn place(&self, range: &SourceRange, origin: u64) -> String;

    /// The batch that read this range is visible: what only served to read it again may go.
    fn acknowledge(&self, _range: &SourceRange) {}

    /// Rings when there may be something new, until the watch is dropped.
    fn watch(&self, wake: Wake) -> Result<Box<dyn Send>, SourceError>;
}

/// Reads one part of a range, in order.
pub trait RowReader: Send {
    /// The next rows: at most 8,192 of them or about 512 KiB, cut the same way in every run.
    fn next(&mut self) -> Result<Option<RecordBatch>, SourceError>;

    /// Bytes of input read since the last call: for progress and metrics.
    fn bytes_read(&mut self) -> u64;

    /// For each row of the last chunk where it was read, as [`Source::place`] understands it, in
    /// 56 bits. Asked for only if [`ReadMode`] wants it.
    fn origins(&mut self) -> Vec<u64>;

    /// Input since the last call that is no row. None unless [`ReadMode`] is tolerant.
    fn refused(&mut self) -> Vec<BadRow> {
        Vec::new()
    }
}

/// How a range is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadMode {
    /// Input that is no row is passed over and told by [`RowReader::refused`], instead of ending
    /// the reading with an error.
    pub tolerant: bool,
    /// Where each row was read is wanted.
    pub origins: bool,
}

/// Input that is no row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// Where it was read.
    pub origin: u64,
    /// The input as text, cut when it is long.
    pub content: String,
    /// Why it is no row.
    pub error: FormatError,
}

/// The columns of a rate, which are always the same.
pub fn rate_schema(spec: &RateSourceSpec) -> Option<SchemaRef> {
    rate::RateSource::open(spec).schema().ok().flatten()
}

/// Opens the source that the job describes. Relative paths start at `folder`.
pub fn open(spec: &SourceSpec, folder: &Path) -> Result<Box<dyn Source>, SourceError> {
    Ok(match &spec.kind {
        SourceKind::File(file) => Box::new(file::FileSource::open(spec, file, folder)?),
        SourceKind::Rows(rows) => Box::new(rows::RowsSource::open(spec, rows)?),
        SourceKind::Socket(socket) => Box::new(socket::SocketSource::open(spec, socket)?),
        SourceKind::Rate(rate) => Box::new(rate::RateSource::open(rate)),
    })
}
