//! A file that is being read: the one that was taken, or an error.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use rustix::fs::OFlags;

use super::list::modified;
use super::unpack::{Packing, Unpacked};
use crate::format::{FormatError, LINE_BYTES_MAX};
use crate::source::{FileRange, SourceError};

/// How much is read at once while lines are looked for or counted.
const PROBE_BYTES: usize = 64 * 1024;

/// A stretch of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Which file of the range it is.
    pub(super) number: usize,
    /// The file.
    pub(super) file: FileRange,
    /// Its first byte, and the one behind its last.
    pub(super) from: u64,
    pub(super) to: u64,
    /// Whether it is a file that is never divided.
    pub(super) whole: bool,
}

/// What may be done with a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Lines that are too long are passed over.
    pub(super) tolerant: bool,
    /// How many bytes a compressed file may unpack to.
    pub(super) unpacked_max: u64,
}

/// A file that is being read.
pub(super) struct Open {
    pub(super) piece: Piece,
    file: File,
    unpacked: Option<Unpacked>,
    /// The next byte to read, and the one at which to stop: both begin a line, or end the file.
    /// How far a compressed file goes is known at its end.
    pub(super) next: u64,
    pub(super) to: u64,
    rules: Rules,
}

impl Open {
    /// Opens a file; none when no line of it begins in this piece.
    pub(super) fn new(piece: Piece, rules: Rules) -> Result<Option<Self>, SourceError> {
        let file = open(&piece.file)?;
        let (from, to, whole) = (piece.from, piece.to, piece.whole);
        let mut open = Self { piece, file, unpacked: None, next: 0, to, rules };
        open.check()?;
        if let Some(unpacked) = open.unpack()? {
            open.unpacked = Some(unpacked);
            open.to = u64::MAX;
        } else if !whole {
            open.next = open.line_begin(from)?;
            open.to = open.line_begin(to)?;
        }
        Ok((open.next < open.to).then_some(open))
    }

    fn unpack(&self) -> Result<Option<Unpacked>, SourceError> {
        let range = &self.piece.file;
        let Some(packing) = Packing::of(&range.path) else { return Ok(None) };
        let file = open(range)?;
        Unpacked::open(file, packing, range, self.rules.unpacked_max).map(Some)
    }

    /// Checks that it is still the file that was taken.
    pub(super) fn check(&self) -> Result<(), SourceError> {
        check(&self.file, &self.piece.file)
    }

    /// Reads at most so many bytes into the block, and says how many they are; none at the end.
    pub(super) fn read(&mut self, block: &mut [u8]) -> Result<usize, SourceError> {
        let bytes = match &mut self.unpacked {
            None => {
                let bytes = (self.to - self.next).min(block.len() as u64) as usize;
                self.read_at(&mut block[..bytes], self.next)?;
                bytes
            }
            Some(unpacked) => unpacked.read(block, &self.piece.file)?,
        };
        self.next += bytes as u64;
        if bytes < block.len() {
            self.to = self.next;
        }
        Ok(bytes)
    }

    /// How many bytes of the file were read, of which so many came out of it.
    pub(super) fn bytes_read(&mut self, out: usize) -> u64 {
        self.unpacked.as_mut().map_or(out as u64, Unpacked::bytes_read)
    }

    fn read_at(&self, block: &mut [u8], at: u64) -> Result<(), SourceError> {
        let range = &self.piece.file;
        self.file.read_exact_at(block, at).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => changed(range),
            _ => SourceError::io("read", &range.path)(error),
        })
    }

    /// Where the first line begins that does not begin before `at`; the end if there is none.
    fn line_begin(&self, at: u64) -> Result<u64, SourceError> {
        let range = &self.piece.file;
        if at == 0 || at == range.bytes {
            return Ok(at);
        }
        let mut block = vec![0; PROBE_BYTES];
        let mut next = at - 1;
        while next < range.bytes {
            let bytes = (range.bytes - next).min(PROBE_BYTES as u64) as usize;
            self.read_at(&mut block[..bytes], next)?;
            if let Some(end) = memchr::memchr(b'\n', &block[..bytes]) {
                return Ok(next + end as u64 + 1);
            }
            next += bytes as u64;
            if !self.rules.tolerant && next - at > (LINE_BYTES_MAX + 1) as u64 {
                let line = self.count_lines(0, at)? + 1;
                let path = range.path.clone();
                return Err(SourceError::Line { path, line, error: FormatError::LongLine });
            }
        }
        Ok(range.bytes)
    }

    /// How many lines end from this byte on and before `at`. A compressed file is counted from its
    /// beginning.
    pub(super) fn count_lines(&self, from: u64, at: u64) -> Result<u64, SourceError> {
        let mut unpacked = self.unpack()?;
        let mut block = vec![0; PROBE_BYTES];
        let (mut next, mut lines) = (from, 0);
        while next < at {
            let bytes = (at - next).min(PROBE_BYTES as u64) as usize;
            let bytes = match &mut unpacked {
                Some(unpacked) => unpacked.read(&mut block[..bytes], &self.piece.file)?,
                None => self.read_at(&mut block[..bytes], next).map(|()| bytes)?,
            };
            if bytes == 0 {
                return Err(changed(&self.piece.file));
            }
            lines += memchr::memchr_iter(b'\n', &block[..bytes]).count() as u64;
            next += bytes as u64;
        }
        Ok(lines)
    }
}

/// Opens a file without blocking: something that is no file any more must not hold the lane.
pub(super) fn open(range: &FileRange) -> Result<File, SourceError> {
    let options = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits() as i32)
        .open(&range.path);
    options.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => changed(range),
        _ => SourceError::io("open", &range.path)(error),
    })
}

/// Checks that a file is still the one that was taken.
pub(super) fn check(file: &File, range: &FileRange) -> Result<(), SourceError> {
    let now = file.metadata().map_err(SourceError::io("look at", &range.path))?;
    let same = now.is_file() && now.len() == range.bytes && modified(&now) == range.modified;
    if same { Ok(()) } else { Err(changed(range)) }
}

fn changed(file: &FileRange) -> SourceError {
    SourceError::Changed { path: file.path.clone() }
}

/// Cuts the files at the borders of part `part` of `parts`. A file that is never divided belongs to
/// the part in which it begins.
pub(super) fn pieces(
    files: &[FileRange],
    (part, parts): (usize, usize),
    whole: impl Fn(&FileRange) -> bool,
) -> Vec<Piece> {
    let total: u128 = files.iter().map(|file| u128::from(file.bytes)).sum();
    let border = |part: usize| total * part as u128 / parts.max(1) as u128;
    let (from, to) = (border(part), border(part + 1));
    let mut begin = 0_u128;
    let mut pieces = Vec::new();
    for (number, file) in files.iter().enumerate() {
        let within = |border: u128| border.saturating_sub(begin).min(u128::from(file.bytes)) as u64;
        let whole = whole(file);
        let piece = match whole {
            false => (within(from), within(to)),
            true => (0, file.bytes),
        };
        let at_the_end = begin == total && part + 1 == parts;
        let mine = match whole {
            false => piece.0 < piece.1,
            true => (from <= begin && begin < to) || at_the_end,
        };
        begin += u128::from(file.bytes);
        if mine {
            let (from, to) = piece;
            pieces.push(Piece { number, file: file.clone(), from, to, whole });
        }
    }
    pieces
}
