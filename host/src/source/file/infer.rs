//! Which columns do the rows of a file have?

use arrow::datatypes::SchemaRef;

use super::lines::Lines;
use super::open::{Rules, pieces};
use super::{is_whole, of_csv};
use crate::format::{BadLine, csv, json};
use crate::job::FormatKind;
use crate::source::{FileRange, SourceError};

/// Lines from which columns are inferred.
enum Inference {
    Json(json::Inference),
    Csv(csv::Inference),
}

/// The columns of a file; none when it has no rows that show them.
pub(super) fn columns(
    file: &FileRange,
    format: FormatKind,
    rules: Rules,
) -> Result<Option<SchemaRef>, SourceError> {
    let mut inference = match format {
        FormatKind::Csv(layout) => Inference::Csv(csv::Inference::new(of_csv(layout))),
        FormatKind::Text | FormatKind::Json | FormatKind::Parquet => {
            Inference::Json(json::Inference::default())
        }
    };
    let pieces = pieces(std::slice::from_ref(file), (0, 1), |file| is_whole(file, format));
    let mut lines = Lines::new(pieces, rules, false);
    while !inference.is_done() && lines.fill()? {
        match inference.feed(lines.whole(), lines.are_last(), rules.tolerant) {
            Ok(0) => lines.extend()?,
            Ok(bytes) => lines.take(bytes),
            Err(bad) if !rules.tolerant || bad.error.is_of_file() => return Err(lines.bad(bad)),
            Err(bad) => lines.take(bad.at + first_line(&lines.whole()[bad.at..])),
        }
    }
    if inference.is_empty() {
        return Ok(None);
    }
    Ok(Some(inference.schema()?))
}

fn first_line(lines: &[u8]) -> usize {
    memchr::memchr(b'\n', lines).map_or(lines.len(), |end| end + 1)
}

impl Inference {
    /// Looks at lines and says how many bytes it looked at; one line when others may be bad,
    /// because a bad line of JSON may be half looked at before that is seen.
    fn feed(&mut self, lines: &[u8], last: bool, tolerant: bool) -> Result<usize, BadLine> {
        match self {
            Self::Csv(inference) => inference.feed(lines, last),
            Self::Json(inference) if tolerant => {
                let line = &lines[..first_line(lines)];
                json::Inference::default().feed(line)?;
                inference.feed(line).map(|()| line.len())
            }
            Self::Json(inference) => inference.feed(lines).map(|()| lines.len()),
        }
    }

    fn is_done(&self) -> bool {
        match self {
            Self::Json(inference) => inference.is_done(),
            Self::Csv(inference) => inference.is_done(),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Json(inference) => inference.is_empty(),
            Self::Csv(inference) => inference.is_empty(),
        }
    }

    fn schema(self) -> Result<SchemaRef, crate::format::FormatError> {
        match self {
            Self::Json(inference) => inference.schema(),
            Self::Csv(inference) => inference.schema(),
        }
    }
}
