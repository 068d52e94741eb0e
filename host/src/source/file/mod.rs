//! Files of a folder or of a glob: each is taken once, whole.
//!
//! - `path` is a folder (the files directly in it), a file, or a glob over paths. It is looked up
//!   anew for every batch, so the folder itself may come later.
//! - Names that begin with `.` or `_` or end with `.tmp`, `.part`, `.crdownload` or `~` are not
//!   taken: that is what files in the making are called. A file must be complete when it gets its
//!   final name.
//! - Only regular files are taken; a link to one is, a link to a folder is not followed.
//! - A path is taken once. If another file appears under it later, it is passed over and told
//!   (`skipped`). One entry for every path taken is kept in memory for the life of the source.
//! - Names that end with `.gz` or `.zst` are unpacked while they are read. Parquet isn't packed.
//! - Order is the time of the last change, then the path. Reading fails if a file is not the one
//!   that was taken any more.

mod columns;
mod infer;
mod lines;
mod list;
mod open;
mod origin;
mod part;
mod unpack;
mod watch;

pub use columns::{ARGUMENT as READ_ARGUMENT, child as read_child};

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use arrow::datatypes::SchemaRef;

use self::columns::ColumnsReader;
use self::lines::Lines;
use self::list::{Found, Place};
use self::open::{Rules, pieces};
use self::origin::LineIndex;
use self::part::PartReader;
use self::unpack::Packing;
use super::intake::Intake;
use super::{
    FileRange, ReadMode, RowReader, Skipped, Source, SourceError, SourceRange, Taken, Wake,
};
use crate::format::json::Origin;
use crate::format::{Decode, csv, json, text};
use crate::job::{FileSourceSpec, FormatKind, Layout, SourceSpec};
use crate::row_error::OnError;

const REWRITTEN: &str = "a file of this path was taken already, and this is another one";

/// A source of files.
pub(super) struct FileSource {
    place: Place,
    format: FormatKind,
    origin: Origin,
    files_per_batch: usize,
    rules: Rules,
    goes_on: bool,
    known: Mutex<Known>,
    lines: LineIndex,
}

/// What the source remembers from batch to batch.
#[derive(Default)]
struct Known {
    schema: Option<SchemaRef>,
    /// Every path ever taken, with what it was like.
    taken: BTreeMap<String, Identity>,
    /// What was told already.
    told: BTreeSet<(String, &'static str)>,
    /// What is to be told.
    skipped: Vec<Skipped>,
}

/// By what a file is told from another one at the same path: bytes and time of the last change.
type Identity = (u64, i128);

impl FileSource {
    /// Checks that the path makes sense; looks at no file.
    pub(super) fn open(
        spec: &SourceSpec,
        file: &FileSourceSpec,
        folder: &Path,
    ) -> Result<Self, SourceError> {
        let place = Place::open(&file.path, folder)?;
        let schema = match (file.format, &spec.schema) {
            (FormatKind::Text, None) => Some(text::schema()),
            (_, given) => given.clone(),
        };
        let origin = if schema.is_some() { Origin::Given } else { Origin::Inferred };
        if let Some(schema) = &schema {
            decoder(file.format, schema, origin)?;
        }
        let tolerant = spec.on_error != OnError::Fail;
        Ok(Self {
            place,
            format: file.format,
            origin,
            files_per_batch: file.files_per_batch.unwrap_or(usize::MAX).min(origin::FILES_MAX),
            rules: Rules { tolerant, unpacked_max: file.max_unpacked },
            goes_on: file.goes_on,
            known: Mutex::new(Known { schema, ..Known::default() }),
            lines: LineIndex::default(),
        })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Infers the columns from the first of these files that has rows, and drops those before.
    fn infer(&self, files: &mut Vec<FileRange>) -> Result<Option<SchemaRef>, SourceError> {
        if self.format == FormatKind::Parquet {
            return columns::infer(files, self.rules.tolerant);
        }
        while let Some(file) = files.first() {
            if let Some(schema) = infer::columns(file, self.format, self.rules)? {
                decoder(self.format, &schema, self.origin)?;
                return Ok(Some(schema));
            }
            files.remove(0);
        }
        Ok(None)
    }
}

impl Known {
    /// What of this is new, in order.
    fn new_files(&mut self, found: Vec<Found>) -> Vec<FileRange> {
        let mut new = Vec::new();
        for found in found {
            match found {
                Found::Skipped(skipped) => self.tell(skipped),
                Found::File(file) => match self.taken.get(&file.path) {
                    None => new.push(file),
                    Some(taken) if *taken == (file.bytes, file.modified) => {}
                    Some(_) => self.tell(Skipped { path: file.path, reason: REWRITTEN }),
                },
            }
        }
        new.sort_by(|a, b| (a.modified, &a.path).cmp(&(b.modified, &b.path)));
        new
    }

    fn tell(&mut self, skipped: Skipped) {
        if self.told.insert((skipped.path.clone(), skipped.reason)) {
            self.skipped.push(skipped);
        }
    }
}

impl Source for FileSource {
    fn schema(&self) -> Result<Option<SchemaRef>, SourceError> {
        Ok(self.known().schema.clone())
    }

    fn cut(&self) -> Result<SourceRange, SourceError> {
        let found = self.place.list()?;
        let mut known = self.known();
        let mut files = known.new_files(found);
        files.truncate(self.files_per_batch);
        let taken: Vec<(String, Identity)> =
            files.iter().map(|file| (file.path.clone(), (file.bytes, file.modified))).collect();
        if known.schema.is_none() {
            known.schema = self.infer(&mut files)?;
        }
        known.taken.extend(taken);
        Ok(if files.is_empty() { SourceRange::Empty } else { SourceRange::Files(files) })
    }

    fn resume(&self, taken: Taken) -> Result<(), SourceError> {
        if taken.last.is_some_and(|last| !matches!(last, SourceRange::Files(_))) {
            return Err(SourceError::OtherKind { expected: "files" });
        }
        let mut known = self.known();
        if let (None, Some(schema)) = (&known.schema, taken.schema) {
            decoder(self.format, &schema, self.origin)?;
            known.schema = Some(schema);
        }
        let files = taken.files.into_iter();
        known.taken.extend(files.map(|file| (file.path, (file.bytes, file.modified))));
        Ok(())
    }

    fn lost(&self, range: &SourceRange) -> Vec<String> {
        let SourceRange::Files(files) = range else { return Vec::new() };
        files.iter().filter_map(|file| same(file).err()).map(|error| error.to_string()).collect()
    }

    fn goes_on(&self) -> bool {
        self.goes_on
    }

    fn remaining(&self, range: &SourceRange) -> SourceRange {
        let SourceRange::Files(files) = range else { return range.clone() };
        SourceRange::Files(files.iter().filter(|file| same(file).is_ok()).cloned().collect())
    }

    fn skipped(&self) -> Vec<Skipped> {
        std::mem::take(&mut self.known().skipped)
    }

    fn finished(&self) -> bool {
        false
    }

    fn read(
        &self,
        range: &SourceRange,
        part: (usize, usize),
        mode: ReadMode,
    ) -> Result<Box<dyn RowReader>, SourceError> {
        let files: &[FileRange] = match range {
            SourceRange::Empty => &[],
            SourceRange::Files(files) => files,
            _ => return Err(SourceError::Range { problem: "not files".into() }),
        };
        let Some(schema) = self.known().schema.clone() else {
            return Err(SourceError::Range { problem: "its columns are not known yet".into() });
        };
        let pieces = pieces(files, part, |file| is_whole(file, self.format));
        let rules = Rules { tolerant: mode.tolerant, ..self.rules };
        let Some(decoder) = decoder(self.format, &schema, self.origin)? else {
            let most = rules.unpacked_max;
            return Ok(Box::new(ColumnsReader::new(pieces, schema, mode, most)));
        };
        let lines = Lines::new(pieces, rules, mode.tolerant || mode.origins);
        Ok(Box::new(PartReader::new(lines, Intake::new(decoder, mode), schema)))
    }

    fn place(&self, range: &SourceRange, origin: u64) -> String {
        let (number, at) = origin::parts(origin);
        let file = match range {
            SourceRange::Files(files) => files.get(number),
            _ => None,
        };
        let Some(file) = file else { return format!("file {number}, {at}") };
        let path = &file.path;
        if self.format == FormatKind::Parquet {
            return format!("{path}, row {}", at + 1);
        }
        if is_whole(file, self.format) {
            return format!("{path}:{}", at + 1);
        }
        match self.lines.line(file, at) {
            Ok(line) => format!("{path}:{line}"),
            // The row is told anyway, as near as it can be.
            Err(_) => format!("{path}, byte {at}"),
        }
    }

    fn watch(&self, wake: Wake) -> Result<Box<dyn Send>, SourceError> {
        Ok(Box::new(watch::Watch::start(self.place.watched(), wake)?))
    }
}

/// Whether a file is the one that was taken.
fn same(file: &FileRange) -> Result<(), SourceError> {
    open::open(file).and_then(|open| open::check(&open, file))
}

/// Whether a file is never divided: a record may be longer than a line, or the place of a byte is
/// not known before all of those in front of it are.
fn is_whole(file: &FileRange, format: FormatKind) -> bool {
    matches!(format, FormatKind::Csv(_) | FormatKind::Parquet) || Packing::of(&file.path).is_some()
}

fn of_csv(layout: Layout) -> csv::Layout {
    csv::Layout { header: layout.header, delimiter: layout.delimiter }
}

/// What decodes lines; none for a format that has no lines.
fn decoder(
    format: FormatKind,
    schema: &SchemaRef,
    origin: Origin,
) -> Result<Option<Box<dyn Decode>>, SourceError> {
    let schema = SchemaRef::clone(schema);
    Ok(Some(match format {
        FormatKind::Text => Box::new(text::Decoder::new(schema)?),
        FormatKind::Json => Box::new(json::Decoder::new(schema, origin)?),
        FormatKind::Csv(layout) => Box::new(csv::Decoder::new(schema, of_csv(layout))?),
        FormatKind::Parquet => return Ok(None),
    }))
}

#[cfg(test)]
mod tests;
