//! Puts the pieces that arrive together to whole lines.

use crate::format::{BYTE_ORDER_MARK, LINE_BYTES_MAX};

/// Where a line that is too long is cut: it is still too long, so that the format refuses it.
const KEPT_BYTES_MAX: usize = LINE_BYTES_MAX + 1;

/// Holds the line that has begun. The rest of one that is too long is not kept. A byte order mark
/// in front of the first line is none of it, as in a file.
#[derive(Debug, Default)]
pub(super) struct Lines {
    begun: Vec<u8>,
    /// A line was whole already.
    later: bool,
}

impl Lines {
    /// Takes what arrived; appends the lines that are whole now.
    pub(super) fn feed(&mut self, bytes: &[u8], whole: &mut Vec<u8>) {
        let (Some(first), Some(last)) =
            (memchr::memchr(b'\n', bytes), memchr::memrchr(b'\n', bytes))
        else {
            return self.hold(bytes);
        };
        self.hold(&bytes[..first]);
        self.bring(whole);
        whole.extend_from_slice(&bytes[first..=last]);
        self.hold(&bytes[last + 1..]);
    }

    /// Appends the line that has begun, which is whole but for its end.
    fn bring(&mut self, whole: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.later, true) && self.begun.starts_with(BYTE_ORDER_MARK) {
            self.begun.drain(..BYTE_ORDER_MARK.len());
        }
        whole.append(&mut self.begun);
        self.begun = Vec::new();
    }

    /// The sender has said that this is all: what has begun is a line.
    pub(super) fn end(&mut self, whole: &mut Vec<u8>) {
        if !self.begun.is_empty() {
            self.bring(whole);
            whole.push(b'\n');
        }
    }

    /// The rest will never come: drops what has begun. Says how many bytes that were.
    pub(super) fn give_up(&mut self) -> usize {
        std::mem::take(&mut self.begun).len()
    }

    fn hold(&mut self, bytes: &[u8]) {
        let room = KEPT_BYTES_MAX.saturating_sub(self.begun.len());
        if room == 0 {
            return;
        }
        self.begun.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if bytes.len() > room {
            self.mend();
        }
    }

    /// Replaces a character that was cut in two, so that the line is refused for its length.
    fn mend(&mut self) {
        let least = self.begun.len().saturating_sub(4);
        if let Some(at) = (least..self.begun.len()).rev().find(|at| self.begun[*at] & 0xC0 != 0x80)
        {
            self.begun[at..].fill(b' ');
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut lines, mut whole) = (Lines::default(), Vec::new());
        for piece in pieces {
            lines.feed(piece, &mut whole);
        }
        lines.end(&mut whole);
        whole
    }

    #[test]
    fn a_line_is_whole_with_its_end_or_with_the_end_of_all() {
        assert_eq!(all(&[b"a\nb", b"c", b"\n\nd"]), b"a\nbc\n\nd\n");
        assert_eq!(all(&[b"a\n"]), b"a\n");
        assert_eq!(all(&[]), b"");
        let mut lines = Lines::default();
        lines.feed(b"a\nbcd", &mut Vec::new());
        assert_eq!(lines.give_up(), 3);
        let mut whole = Vec::new();
        lines.end(&mut whole);
        assert!(whole.is_empty());
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_line() {
        assert_eq!(all(&[b"\xEF", b"\xBB\xBFa\n\xEF\xBB\xBFb"]), b"a\n\xEF\xBB\xBFb\n");
        assert_eq!(all(&[b"\xEF\xBB\xBFa\nb\n"]), b"a\nb\n");
        assert_eq!(all(&[b"\n\xEF\xBB\xBFa\n"]), b"\n\xEF\xBB\xBFa\n");
    }

    #[test]
    fn of_a_line_without_an_end_a_bounded_part_is_kept() {
        let (mut lines, mut whole) = (Lines::default(), Vec::new());
        let piece = "ä".repeat(32 * 1024).into_bytes();
        lines.feed(b"x", &mut whole);
        for _ in 0..1024 {
            lines.feed(&piece, &mut whole);
        }
        assert!(whole.is_empty());
        lines.feed(b"\nnext\n", &mut whole);
        let end = whole.iter().position(|byte| *byte == b'\n').unwrap();
        assert_eq!(end, KEPT_BYTES_MAX);
        assert!(std::str::from_utf8(&whole).is_ok());
        assert!(whole.ends_with(b"\nnext\n"));
    }

    proptest! {
        #[test]
        fn any_division_into_pieces_gives_the_same_lines(
            pieces in prop::collection::vec("[ab\n\r]{0,12}", 0..24)
        ) {
            let text = pieces.concat().into_bytes();
            let parts: Vec<&[u8]> = pieces.iter().map(|piece| piece.as_bytes()).collect();
            let expected = all(&[&text]);
            prop_assert_eq!(&all(&parts), &expected);
            let bytes: Vec<&[u8]> = text.chunks(1).collect();
            prop_assert_eq!(&all(&bytes), &expected);
            let mut text = text;
            if !text.is_empty() && !text.ends_with(b"\n") {
                text.push(b'\n');
            }
            prop_assert_eq!(expected, text);
        }
    }
}
