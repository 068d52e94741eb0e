//! Files that are compressed: `.gz` and `.zst`, one member or several behind each other.
//!
//! They are unpacked while they are read, never as a whole. What unpacks to too much is an error:
//! a small file must not be able to keep a lane busy for ever.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::source::{FileRange, SourceError};

/// So many bytes out for a byte in are too much …
const RATIO_MAX: u64 = 1_000;

/// … as soon as there are so many bytes out.
const RATIO_COUNTS_FROM: u64 = 16 * 1024 * 1024;

/// The largest window that is kept in memory, as a power of two: 128 MiB, as zstd's own command.
const WINDOW_LOG_MAX: u32 = 27;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    /// `.gz`.
    Gzip,
    /// `.zst`.
    Zstd,
}

impl Packing {
    /// By the end of the name; none for a file that is as it is.
    pub(super) fn of(path: &str) -> Option<Self> {
        let end = path.rsplit_once('.')?.1;
        match end {
            "gz" => Some(Self::Gzip),
            "zst" => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// What is in a compressed file, from its beginning on.
pub(super) struct Unpacked {
    bytes: Box<dyn Read + Send>,
    /// How many bytes of the file were read, and how many of them were told.
    read: Arc<AtomicU64>,
    told: u64,
    /// How many bytes came out.
    out: u64,
    out_max: u64,
}

/// Counts what goes through.
struct Counted(File, Arc<AtomicU64>);

impl Read for Counted {
    fn read(&mut self, block: &mut [u8]) -> io::Result<usize> {
        let bytes = self.0.read(block)?;
        self.1.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}

impl Unpacked {
    /// Begins with a file that was just opened.
    pub(super) fn open(
        file: File,
        packing: Packing,
        range: &FileRange,
        out_max: u64,
    ) -> Result<Self, SourceError> {
        if range.bytes == 0 {
            return Err(unpackable(range, "it is empty"));
        }
        let read = Arc::new(AtomicU64::new(0));
        let packed = BufReader::with_capacity(64 * 1024, Counted(file, Arc::clone(&read)));
        let bytes: Box<dyn Read + Send> = match packing {
            Packing::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
            Packing::Zstd => {
                let begun = zstd::stream::read::Decoder::with_buffer(packed);
                let limited = begun.and_then(|mut decoder| {
                    decoder.window_log_max(WINDOW_LOG_MAX)?;
                    Ok(decoder)
                });
                Box::new(limited.map_err(|error| failed(range, &error))?)
            }
        };
        Ok(Self { bytes, read, told: 0, out: 0, out_max })
    }

    /// Reads the next bytes: fewer than fit only at the end.
    pub(super) fn read(
        &mut self,
        block: &mut [u8],
        range: &FileRange,
    ) -> Result<usize, SourceError> {
        let mut filled = 0;
        while filled < block.len() {
            match self.bytes.read(&mut block[filled..]) {
                Ok(0) => break,
                Ok(bytes) => filled += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(range, &error)),
            }
        }
        self.out += filled as u64;
        let path = &range.path;
        if self.out > self.out_max {
            return Err(SourceError::TooLarge { path: path.clone(), most: self.out_max });
        }
        let read = self.read.load(Ordering::Relaxed);
        if self.out > RATIO_COUNTS_FROM && self.out / RATIO_MAX > read {
            return Err(SourceError::TooDense { path: path.clone(), ratio: RATIO_MAX });
        }
        Ok(filled)
    }

    /// How many bytes of the file were read since the last call.
    pub(super) fn bytes_read(&mut self) -> u64 {
        let read = self.read.load(Ordering::Relaxed);
        read - std::mem::replace(&mut self.told, read)
    }
}

fn failed(range: &FileRange, error: &io::Error) -> SourceError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => unpackable(range, "it ends in the middle"),
        _ => unpackable(range, &error.to_string()),
    }
}

fn unpackable(range: &FileRange, problem: &str) -> SourceError {
    SourceError::Unpack { path: range.path.clone(), problem: problem.to_owned() }
}
