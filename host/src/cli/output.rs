//! Where text goes: data to standard output, the rest to standard error, one whole line at a time.
//! Secrets of the job are in neither.

use std::io::{IsTerminal, Write};

use crate::secret::hidden;

/// Writes data: a line on standard output. A reader that has gone is no error of ours.
pub fn data(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}", hidden(line)).and_then(|()| out.flush());
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

/// A text in which nothing can steer a terminal.
pub fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c })
        .collect()
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
    }
}
