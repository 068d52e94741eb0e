//! Lines into rows, in chunks of the fixed size; lines that are none are passed over where that is
//! wanted.
//!
//! Lines go to the decoder many at a time. When one is refused, the decoder is made anew from the
//! good lines of the chunk, and up to the end of the chunk every further line is first shown to
//! another decoder. So a chunk is decoded twice at most, however many of its lines are bad.

use arrow::array::RecordBatch;

use super::{BadRow, ReadMode};
use crate::format::{BadLine, Decode, FormatError};

/// How much of a line that is refused is kept.
pub(super) const CONTENT_BYTES_MAX: usize = 64 * 1024;

/// A chunk ends when so many lines were refused, so that they don't pile up …
const REFUSED_MAX: usize = 1_024;

/// … or so many bytes of them.
const REFUSED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Where lines begin, in the origins of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    /// The origin of the first byte.
    pub(super) origin: u64,
    /// Whether lines are counted, and not bytes.
    pub(super) by_line: bool,
    /// The largest origin that there can be.
    pub(super) most: u64,
}

impl Spot {
    /// The origins of these places, which ascend, in `lines`.
    fn origins(self, lines: &[u8], places: impl IntoIterator<Item = usize>) -> Vec<u64> {
        let (mut before, mut from) = (0, 0);
        let origin = |place: usize| {
            let passed = &lines[from..place];
            from = place;
            before += match self.by_line {
                true => memchr::memchr_iter(b'\n', passed).count(),
                false => passed.len(),
            };
            (self.origin + before as u64).min(self.most)
        };
        places.into_iter().map(origin).collect()
    }
}

/// Takes lines until a chunk is full.
pub(super) struct Intake {
    decoder: Box<dyn Decode>,
    /// Decoded into alone, to see whether a line is good.
    probe: Option<Box<dyn Decode>>,
    mode: ReadMode,
    /// Bytes of the chunk so far; the bytes themselves if they may be needed again.
    fed: usize,
    kept: Vec<u8>,
    /// Where in them a file ended whose last line has no end: it is none with the line behind it.
    breaks: Vec<usize>,
    /// A line of this chunk was refused: the others are looked at one by one.
    careful: bool,
    /// Where the rows of this chunk, and of the last one, begin.
    begun: Vec<u64>,
    given: Vec<u64>,
    refused: Vec<BadRow>,
    refused_bytes: usize,
}

impl Intake {
    /// With an empty decoder.
    pub(super) fn new(mut decoder: Box<dyn Decode>, mode: ReadMode) -> Self {
        if mode.origins {
            decoder.note_starts();
        }
        Self {
            decoder,
            probe: None,
            mode,
            fed: 0,
            kept: Vec::new(),
            breaks: Vec::new(),
            careful: false,
            begun: Vec::new(),
            given: Vec::new(),
            refused: Vec::new(),
            refused_bytes: 0,
        }
    }

    /// Whether the chunk should end here.
    pub(super) fn is_full(&self) -> bool {
        self.decoder.is_full()
            || self.refused.len() >= REFUSED_MAX
            || self.refused_bytes >= REFUSED_BYTES_MAX
    }

    /// Whether another file may begin within this chunk.
    pub(super) fn may_begin(&self) -> bool {
        self.fed == 0 || self.decoder.spans_files()
    }

    /// A file begins with these lines: says how many bytes stand before its first record; none when
    /// that takes more lines.
    pub(super) fn begin(&mut self, lines: &[u8], last: bool) -> Result<Option<usize>, BadLine> {
        self.probe = None;
        self.decoder.begin(lines, last)
    }

    /// Takes lines from the front. Says how many bytes are done; none when that takes more lines.
    pub(super) fn feed(
        &mut self,
        lines: &[u8],
        last: bool,
        spot: Spot,
    ) -> Result<Option<usize>, BadLine> {
        if self.careful {
            return self.feed_one(lines, last, spot);
        }
        match self.decoder.feed_some(lines, last) {
            Ok(0) => Ok(None),
            Ok(taken) => {
                self.note(&lines[..taken], spot);
                Ok(Some(taken))
            }
            Err(bad) if !self.mode.tolerant || bad.error.is_of_file() => Err(bad),
            Err(_) => {
                self.restore().map_err(here)?;
                self.careful = true;
                self.feed_one(lines, last, spot)
            }
        }
    }

    /// Takes the first record, or passes it over.
    fn feed_one(&mut self, lines: &[u8], last: bool, spot: Spot) -> Result<Option<usize>, BadLine> {
        let Some(bytes) = self.decoder.first_record(lines, last) else { return Ok(None) };
        let line = &lines[..bytes];
        let mut probe = match self.probe.take() {
            Some(probe) => probe,
            None => self.decoder.fork().map_err(here)?,
        };
        match probe.feed_some(line, true) {
            Ok(_) => {
                probe.take_rows().map_err(here)?;
                probe.starts();
                self.probe = Some(probe);
                self.decoder.feed_some(line, true)?;
                self.note(line, spot);
            }
            Err(bad) if bad.error.is_of_file() => return Err(bad),
            Err(bad) => self.refuse(spot.origin.min(spot.most), line, bad.error),
        }
        Ok(Some(bytes))
    }

    /// Makes the decoder anew from the good lines of the chunk.
    fn restore(&mut self) -> Result<(), FormatError> {
        self.decoder = self.decoder.fork()?;
        let mut at = 0;
        for end in self.breaks.iter().copied().chain([self.kept.len()]) {
            while at < end {
                match self.decoder.feed_some(&self.kept[at..end], true) {
                    Ok(taken) if taken > 0 => at += taken,
                    Ok(_) => return Err(changed("a chunk is full before it was".into())),
                    Err(bad) => return Err(changed(bad.to_string())),
                }
            }
        }
        self.decoder.starts();
        Ok(())
    }

    /// Lines were decoded.
    fn note(&mut self, lines: &[u8], spot: Spot) {
        if self.mode.origins {
            let fed = self.fed;
            let places = self.decoder.starts().into_iter().map(|start| start - fed);
            self.begun.extend(spot.origins(lines, places));
        }
        if self.mode.tolerant {
            self.kept.extend_from_slice(lines);
            if !lines.ends_with(b"\n") {
                self.breaks.push(self.kept.len());
            }
        }
        self.fed += lines.len();
    }

    /// Passes a line over.
    pub(super) fn refuse(&mut self, origin: u64, line: &[u8], error: FormatError) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let cut = &line[..line.len().min(CONTENT_BYTES_MAX)];
        let content = String::from_utf8_lossy(cut).into_owned();
        self.refused_bytes += content.len();
        self.refused.push(BadRow { origin, content, error });
    }

    /// Ends the chunk. It has no rows, but is none of the last, when only bad lines came.
    pub(super) fn take_rows(&mut self) -> Result<Option<RecordBatch>, FormatError> {
        self.fed = 0;
        self.kept.clear();
        self.breaks.clear();
        self.careful = false;
        self.given = std::mem::take(&mut self.begun);
        self.decoder.take_rows()
    }

    /// Where the rows of the last chunk begin.
    pub(super) fn origins(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.given)
    }

    /// What was passed over since the last call.
    pub(super) fn refused(&mut self) -> Vec<BadRow> {
        self.refused_bytes = 0;
        std::mem::take(&mut self.refused)
    }

    /// Whether something was passed over since the last call.
    pub(super) fn has_refused(&self) -> bool {
        !self.refused.is_empty()
    }
}

fn here(error: FormatError) -> BadLine {
    BadLine { at: 0, error }
}

fn changed(problem: String) -> FormatError {
    FormatError::Arrow { problem: format!("lines were good once and are not any more: {problem}") }
}
