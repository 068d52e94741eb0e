//! Where the values of a record are.

use crate::format::{FormatError, LINE_BYTES_MAX};

/// A value of a record, within the bytes that were looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    /// Its first byte, without the quote.
    start: usize,
    /// Where it ends, without the quote.
    end: usize,
    /// Whether it stands in quotes.
    pub(super) quoted: bool,
    /// Whether there are doubled quotes in it, each of which is one.
    doubled: bool,
}

impl Cell {
    /// What stands there: nothing for an unquoted empty value. Doubled quotes are undone in
    /// `scratch`.
    pub(super) fn text<'a>(&self, record: &'a str, scratch: &'a mut String) -> Option<&'a str> {
        let written = &record[self.start..self.end];
        if written.is_empty() && !self.quoted {
            return None;
        }
        if !self.doubled {
            return Some(written);
        }
        scratch.clear();
        let mut halves = written.split("\"\"");
        scratch.extend(halves.next());
        for half in halves {
            scratch.push('"');
            scratch.push_str(half);
        }
        Some(scratch)
    }

    /// What stands there as it is written.
    pub(super) fn written<'a>(&self, record: &'a str) -> &'a str {
        &record[self.start..self.end]
    }
}

/// Finds the first record: says how many bytes it has with its line end, or none when it goes on
/// behind `lines`, which with `last` it can't.
pub(super) fn record(
    lines: &[u8],
    delimiter: u8,
    last: bool,
    cells: &mut Vec<Cell>,
) -> Result<Option<usize>, FormatError> {
    cells.clear();
    let mut at = 0;
    loop {
        let found = match lines.get(at) {
            Some(b'"') => quoted(lines, at)?,
            _ => Some(plain(lines, at, delimiter)?),
        };
        let Some((cell, after)) = found else {
            // So long a record is a quote that was never closed.
            if last || lines.len() > LINE_BYTES_MAX {
                return Err(wrong(lines, at, "this quote is never closed"));
            }
            return Ok(None);
        };
        cells.push(cell);
        let rest = &lines[after..];
        at = match rest {
            [] => return Ok(Some(after)),
            [b'\n', ..] => return Ok(Some(after + 1)),
            [b'\r', b'\n', ..] => return Ok(Some(after + 2)),
            [b'\r'] => return Ok(Some(after + 1)),
            [next, ..] if *next == delimiter => after + 1,
            _ => {
                return Err(wrong(lines, after, "a value in quotes ends with its quote"));
            }
        };
    }
}

/// A value in quotes that begins at `at`, and what follows it; none when it isn't closed.
fn quoted(lines: &[u8], at: usize) -> Result<Option<(Cell, usize)>, FormatError> {
    let start = at + 1;
    let mut from = start;
    let mut doubled = false;
    while let Some(found) = memchr::memchr(b'"', &lines[from..]) {
        let quote = from + found;
        if lines.get(quote + 1) != Some(&b'"') {
            let cell = Cell { start, end: quote, quoted: true, doubled };
            return Ok(Some((cell, quote + 1)));
        }
        doubled = true;
        from = quote + 2;
    }
    Ok(None)
}

/// A value without quotes that begins at `at`, and what follows it.
fn plain(lines: &[u8], at: usize, delimiter: u8) -> Result<(Cell, usize), FormatError> {
    let after = memchr::memchr3(delimiter, b'\n', b'"', &lines[at..]);
    let after = after.map_or(lines.len(), |found| at + found);
    if lines.get(after) == Some(&b'"') {
        return Err(wrong(lines, after, "a quote stands inside a value that has none around it"));
    }
    let of_a_line = lines.get(after) != Some(&delimiter);
    let written = &lines[at..after];
    let kept = if of_a_line { written.strip_suffix(b"\r").unwrap_or(written) } else { written };
    if let Some(found) = memchr::memchr(b'\r', kept) {
        let problem = "a carriage return stands inside a value that has no quotes around it";
        return Err(wrong(lines, at + found, problem));
    }
    if memchr::memchr(0, kept).is_some() {
        return Err(FormatError::Nul);
    }
    let end = at + kept.len();
    Ok((Cell { start: at, end, quoted: false, doubled: false }, end))
}

fn wrong(lines: &[u8], at: usize, problem: &'static str) -> FormatError {
    // Lines, and characters of a line, are what an editor shows.
    let start = memchr::memrchr(b'\n', &lines[..at]).map_or(0, |end| end + 1);
    let line = memchr::memchr_iter(b'\n', &lines[..at]).count() + 1;
    let character = String::from_utf8_lossy(&lines[start..at]).chars().count() + 1;
    FormatError::Csv { line, character, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(lines: &str) -> Result<(Vec<Option<String>>, usize), String> {
        let mut cells = Vec::new();
        match record(lines.as_bytes(), b',', true, &mut cells) {
            Ok(bytes) => {
                let text = |cell: &Cell| cell.text(lines, &mut String::new()).map(str::to_owned);
                Ok((cells.iter().map(text).collect(), bytes.unwrap()))
            }
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn values_are_found_as_rfc_4180_has_them() {
        for (lines, expected, bytes) in [
            ("a,b\nc", vec![Some("a"), Some("b")], 4),
            ("a,b\r\nc", vec![Some("a"), Some("b")], 5),
            ("a,b", vec![Some("a"), Some("b")], 3),
            ("a,b\r", vec![Some("a"), Some("b")], 4),
            (",\n", vec![None, None], 2),
            ("\n", vec![None], 1),
            ("\"\",x\n", vec![Some(""), Some("x")], 5),
            ("\"a,\"\"b\"\"\n\"\n", vec![Some("a,\"b\"\n")], 11),
            ("\"a\"\r\n", vec![Some("a")], 5),
            (" a , b\n", vec![Some(" a "), Some(" b")], 7),
            ("ü,\"\u{0}\"\n", vec![Some("ü"), Some("\u{0}")], 7),
        ] {
            let expected: Vec<_> = expected.into_iter().map(|v| v.map(str::to_owned)).collect();
            assert_eq!(values(lines).unwrap(), (expected, bytes), "{lines:?}");
        }
    }

    #[test]
    fn what_is_no_csv_is_refused_with_its_place() {
        for (lines, expected) in [
            ("a\"b\n", "not valid CSV at character 2: a quote stands inside a value"),
            ("ü,\"a\"b\n", "not valid CSV at character 6: a value in quotes ends with its quote"),
            ("a,\"b\nc\n", "not valid CSV at character 3: this quote is never closed"),
            ("a\rb\n", "not valid CSV at character 2: a carriage return"),
            ("a\rb,c\n", "not valid CSV at character 2: a carriage return"),
            ("a\u{0}\n", "the line holds a NUL byte"),
        ] {
            let error = values(lines).unwrap_err();
            assert!(error.starts_with(expected), "{lines:?}: {error}");
        }
    }

    #[test]
    fn an_unfinished_record_asks_for_more() {
        let mut cells = Vec::new();
        assert_eq!(record(b"a,\"b\n", b',', false, &mut cells).unwrap(), None);
        assert_eq!(record(b"a,\"b\n\"\n", b',', false, &mut cells).unwrap(), Some(7));
    }
}
