//! Where text goes: data to standard output, the rest to standard error, one whole line at a time.
//! Secrets of the job are in neither.

use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::secret::hidden;

/// Data could not be written.
static LOST: AtomicBool = AtomicBool::new(false);

/// Writes data: a line on standard output. A reader that has gone is no error of ours.
pub fn data(line: &str) {
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "{}", hidden(line)).and_then(|()| out.flush());
    if let Err(error) = written.or_else(|error| match error.kind() {
        ErrorKind::BrokenPipe => Ok(()),
        _ => Err(error),
    }) && !LOST.swap(true, Ordering::Relaxed)
    {
        note(&format!("error[WEIR-CLI-001]: can't write to standard output: {error}"));
    }
}

/// Whether data was lost on its way to standard output.
pub fn lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// Writes data as JSON: a line on standard output that says the same to whoever parses it, and has
/// nothing in it that a terminal obeys.
pub fn json(line: &str) {
    data(&escaped(&hidden(line)));
}

/// JSON in which characters that steer a terminal are written as numbers. They can only stand in
/// its strings.
fn escaped(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for c in line.chars() {
        if c.is_control() || turns(c) {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

/// Writes for the person: a line on standard error.
pub fn note(line: &str) {
    let mut out = std::io::stderr().lock();
    let _ = writeln!(out, "{}", hidden(line));
}

/// Whether a person looks at standard error right now.
pub fn watched() -> bool {
    std::io::stderr().is_terminal()
}

/// A text in which nothing can steer a terminal or turn the direction of writing.
pub fn plain(text: &str) -> String {
    // Before anything is replaced: afterwards a secret would not be known as one.
    let text = hidden(text);
    let steers = |c: char| (c.is_control() && c != '\n' && c != '\t') || turns(c);
    text.chars().map(|c| if steers(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Characters that change the direction of what follows; all have three bytes, like what stands in
/// for them.
pub fn turns(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text of several lines as a part of an outer one: lines after the first are set in, so that
/// none of them looks like one that the host wrote.
pub fn set_in(text: &str) -> String {
    text.trim_end().replace('\n', "\n      ")
}

/// A number with thin groups of three, for people.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 2);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn control_characters_do_not_reach_a_terminal() {
        assert_eq!(plain("a\u{1b}[31mb\nc"), "a\u{fffd}[31mb\nc");
        assert_eq!(plain("a\u{9b}b\u{202e}c"), "a\u{fffd}b\u{fffd}c");
    }

    #[test]
    fn json_says_the_same_without_control_characters() {
        let value = serde_json::json!({ "ä": "a\u{1b}\u{7f}\u{9b}\u{202e}\n" });
        let line = escaped(&value.to_string());
        assert!(!line.contains(|c: char| c.is_control() || turns(c)), "{line:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap(), value);
    }

    #[test]
    fn lines_after_the_first_are_set_in() {
        assert_eq!(set_in("all is well\nerror[X]: no\n"), "all is well\n      error[X]: no");
    }
}
