//! Steps over one JSON text: strict (RFC 8259), without recursion, one value at a time.

use crate::format::FormatError;

/// How deep a value may nest that no column takes.
const DEPTH_MAX: u32 = 128;

/// How much of a value an error shows, in characters.
const SHOWN_MAX: usize = 60;

/// Boxed, because it is rare and the other side is hot.
pub(super) type Scan<T> = Result<T, Box<FormatError>>;

/// A place in one JSON text.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    scratch: &'a mut String,
}

impl<'a> Scanner<'a> {
    /// Starts at the front. `scratch` is overwritten; it only saves allocations.
    pub(super) fn new(text: &'a str, scratch: &'a mut String) -> Self {
        Self { text, at: 0, scratch }
    }

    /// The place, in bytes.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Goes back to a place where it was before.
    pub(super) fn back(&mut self, at: usize) {
        self.at = at;
    }

    /// The next byte that isn't white space, not taken; 0 at the end.
    #[inline]
    pub(super) fn peek(&mut self) -> u8 {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return byte;
            }
            self.at += 1;
        }
        0
    }

    /// An error at this place.
    #[cold]
    pub(super) fn wrong<T>(&self, problem: &'static str) -> Scan<T> {
        let before = self.text.get(..self.at).unwrap_or(self.text);
        Err(Box::new(FormatError::Syntax { character: before.chars().count() + 1, problem }))
    }

    /// Takes `byte` if it comes next.
    #[inline]
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == byte;
        self.at += usize::from(found);
        found
    }

    /// After a member or an item: true when another one follows, false when `close` came.
    #[inline]
    pub(super) fn another(&mut self, close: u8) -> Scan<bool> {
        match self.peek() {
            b',' => {
                self.at += 1;
                Ok(true)
            }
            byte if byte == close => {
                self.at += 1;
                Ok(false)
            }
            _ if close == b'}' => self.wrong("expected `,` or `}`"),
            _ => self.wrong("expected `,` or `]`"),
        }
    }

    /// A key, without what follows.
    #[inline]
    pub(super) fn key(&mut self) -> Scan<&str> {
        if self.peek() != b'"' {
            return self.wrong("expected a key in quotes");
        }
        self.string()
    }

    /// The `:` after a key.
    #[inline]
    pub(super) fn colon(&mut self) -> Scan<()> {
        if self.take(b':') { Ok(()) } else { self.wrong("expected `:`") }
    }

    /// The string that begins here, if one does.
    #[inline]
    pub(super) fn string_if(&mut self) -> Scan<Option<&str>> {
        if self.peek() == b'"' { self.string().map(Some) } else { Ok(None) }
    }

    /// The digits of the number that begins here, if one does.
    #[inline]
    pub(super) fn number_if(&mut self) -> Scan<Option<&'a str>> {
        if matches!(self.peek(), b'-' | b'0'..=b'9') { self.number().map(Some) } else { Ok(None) }
    }

    /// The truth value that begins here, if one does.
    pub(super) fn bool_if(&mut self) -> Scan<Option<bool>> {
        match self.peek() {
            b't' => self.word("true").map(|()| Some(true)),
            b'f' => self.word("false").map(|()| Some(false)),
            _ => Ok(None),
        }
    }

    /// Takes a `null`, if one begins here.
    #[inline]
    pub(super) fn null_if(&mut self) -> Scan<bool> {
        if self.peek() == b'n' { self.word("null").map(|()| true) } else { Ok(false) }
    }

    /// Nothing may follow but white space.
    pub(super) fn end(&mut self) -> Scan<()> {
        self.peek();
        if self.at == self.text.len() { Ok(()) } else { self.wrong("expected the end of the line") }
    }

    /// The next value as it is written.
    pub(super) fn raw(&mut self) -> Scan<&'a str> {
        self.peek();
        let start = self.at;
        self.skip()?;
        Ok(&self.text[start..self.at])
    }

    /// The next value for a message: cut, without line ends.
    pub(super) fn shown(&mut self) -> Scan<String> {
        let raw = self.raw()?;
        Ok(match raw.char_indices().nth(SHOWN_MAX) {
            Some((cut, _)) => format!("{}…", &raw[..cut]),
            None => raw.to_owned(),
        })
    }

    /// Steps over the next value, whatever it is.
    pub(super) fn skip(&mut self) -> Scan<()> {
        // One bit a level: 1 for an object.
        let mut levels = 0_u128;
        let mut depth = 0_u32;
        loop {
            let open = self.peek();
            if matches!(open, b'{' | b'[') {
                if depth == DEPTH_MAX {
                    return self.wrong("nested more than 128 deep");
                }
                self.at += 1;
                levels = levels << 1 | u128::from(open == b'{');
                depth += 1;
                // `]` and `}` stand two after `[` and `{` in ASCII.
                if !self.take(open + 2) {
                    self.member(open == b'{')?;
                    continue;
                }
                levels >>= 1;
                depth -= 1;
            } else {
                self.scalar()?;
            }
            loop {
                if depth == 0 {
                    return Ok(());
                }
                let object = levels & 1 == 1;
                if self.another(if object { b'}' } else { b']' })? {
                    self.member(object)?;
                    break;
                }
                levels >>= 1;
                depth -= 1;
            }
        }
    }

    fn member(&mut self, object: bool) -> Scan<()> {
        if object {
            self.key()?;
            self.colon()?;
        }
        Ok(())
    }

    fn scalar(&mut self) -> Scan<()> {
        match self.peek() {
            b'"' => self.string().map(drop),
            b'-' | b'0'..=b'9' => self.number().map(drop),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            0 if self.at >= self.text.len() => self.wrong("the line ends too early"),
            _ => self.wrong("expected a value"),
        }
    }

    fn word(&mut self, word: &'static str) -> Scan<()> {
        if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(())
        } else {
            self.wrong("expected `true`, `false` or `null`")
        }
    }

    #[inline]
    fn digits(&mut self) -> usize {
        let bytes = self.text.as_bytes();
        let start = self.at;
        while bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        self.at - start
    }

    #[inline]
    fn number(&mut self) -> Scan<&'a str> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        self.at += usize::from(bytes[start] == b'-');
        let zero = bytes.get(self.at) == Some(&b'0');
        match self.digits() {
            0 => return self.wrong("expected a digit"),
            2.. if zero => return self.wrong("a number may not begin with 0"),
            _ => {}
        }
        if bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return self.wrong("expected a digit");
            }
        }
        if matches!(bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(bytes.get(self.at), Some(b'+' | b'-')));
            if self.digits() == 0 {
                return self.wrong("expected a digit");
            }
        }
        Ok(&self.text[start..self.at])
    }

    /// The string whose quote is here.
    #[inline]
    fn string(&mut self) -> Scan<&str> {
        let start = self.at + 1;
        let end = plain_end(self.text.as_bytes(), start);
        match self.text.as_bytes().get(end) {
            Some(b'"') => {
                self.at = end + 1;
                Ok(&self.text[start..end])
            }
            _ => self.escaped(start, end),
        }
    }

    /// The rest of a string that isn't plain up to its end.
    fn escaped(&mut self, start: usize, mut end: usize) -> Scan<&str> {
        self.scratch.clear();
        let mut from = start;
        loop {
            self.scratch.push_str(&self.text[from..end]);
            self.at = end;
            match self.text.as_bytes().get(end) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(self.scratch);
                }
                Some(b'\\') => {
                    let c = self.escape()?;
                    self.scratch.push(c);
                }
                Some(_) => return self.wrong("a control character must be written as `\\u00…`"),
                None => return self.wrong("the string doesn't end"),
            }
            from = self.at;
            end = plain_end(self.text.as_bytes(), from);
        }
    }

    fn escape(&mut self) -> Scan<char> {
        self.at += 1;
        let letter = self.text.as_bytes().get(self.at).copied();
        let c = match letter {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode();
            }
            _ => return self.wrong("no escape is written so"),
        };
        self.at += 1;
        Ok(c)
    }

    /// Four hexadecimal digits, or two times four as a surrogate pair.
    fn unicode(&mut self) -> Scan<char> {
        let mut code = self.hex4()?;
        if (0xD800..0xDC00).contains(&code) && self.text.as_bytes()[self.at..].starts_with(b"\\u") {
            self.at += 2;
            let low = self.hex4()?;
            if !(0xDC00..0xE000).contains(&low) {
                return self.wrong("half of a surrogate pair");
            }
            code = 0x1_0000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        }
        match char::from_u32(code) {
            Some(c) => Ok(c),
            None => self.wrong("half of a surrogate pair"),
        }
    }

    fn hex4(&mut self) -> Scan<u32> {
        let mut code = 0;
        for _ in 0..4 {
            let byte = self.text.as_bytes().get(self.at).copied().unwrap_or(0);
            let Some(digit) = char::from(byte).to_digit(16) else {
                return self.wrong("expected four hexadecimal digits");
            };
            code = code << 4 | digit;
            self.at += 1;
        }
        Ok(code)
    }
}

/// The first byte from `at` on that can't stand in a string as it is, or the end.
#[inline]
pub(super) fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    // Eight at a time: the high bit of each byte says whether it is `"`, `\` or below 0x20. A
    // borrow can set bits only above the first true one.
    while let Some(eight) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*eight);
        let quote = word ^ (ONES * u64::from(b'"'));
        let escape = word ^ (ONES * u64::from(b'\\'));
        let found = (quote.wrapping_sub(ONES) & !quote)
            | (escape.wrapping_sub(ONES) & !escape)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        if found & HIGHS != 0 {
            return at + ((found & HIGHS).trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(&byte) = bytes.get(at) {
        if matches!(byte, b'"' | b'\\' | 0..0x20) {
            break;
        }
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(text: &str) -> Result<(), String> {
        let mut scratch = String::new();
        let mut scanner = Scanner::new(text, &mut scratch);
        scanner.skip().map_err(|error| error.to_string())?;
        scanner.end().map_err(|error| error.to_string())
    }

    fn string(text: &str) -> Result<String, String> {
        let mut scratch = String::new();
        let mut scanner = Scanner::new(text, &mut scratch);
        let value = scanner.string_if().map_err(|error| error.to_string())?;
        Ok(value.unwrap().to_owned())
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, character, problem) in [
            ("", 1, "the line ends too early"),
            ("{\"ü\":1,}", 8, "expected a key in quotes"),
            ("{\"a\" 1}", 6, "expected `:`"),
            ("{\"a\":1 \"b\":2}", 8, "expected `,` or `}`"),
            ("[1,,2]", 4, "expected a value"),
            ("[1,]", 4, "expected a value"),
            ("[1}", 3, "expected `,` or `]`"),
            ("01", 3, "a number may not begin with 0"),
            ("-", 2, "expected a digit"),
            ("1.", 3, "expected a digit"),
            ("1e+", 4, "expected a digit"),
            ("+1", 1, "expected a value"),
            ("nul", 1, "expected `true`, `false` or `null`"),
            ("1 2", 3, "expected the end of the line"),
            ("\"a", 3, "the string doesn't end"),
            ("\"a\tb\"", 3, "a control character"),
            ("\"\\x\"", 3, "no escape is written so"),
            ("\"\\ud800\"", 8, "half of a surrogate pair"),
            ("\"\\ud800\\u0041\"", 14, "half of a surrogate pair"),
            ("\"\\u12\"", 6, "expected four hexadecimal digits"),
        ] {
            let error = whole(text).unwrap_err();
            let start = format!("not valid JSON at character {character}: {problem}");
            assert!(error.starts_with(&start), "{text}: {error}");
        }
    }

    #[test]
    fn escapes_become_their_characters() {
        let text = r#""\"\\\/\b\f\n\r\t\u00fc\ud83d\ude00 and a plain rest that is longer""#;
        let expected = "\"\\/\u{8}\u{c}\n\r\tü😀 and a plain rest that is longer";
        assert_eq!(string(text).unwrap(), expected);
    }

    #[test]
    fn depth_is_bounded_and_needs_no_stack() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(whole(&nested(128)).is_ok());
        assert!(whole(&nested(129)).unwrap_err().contains("nested more than 128 deep"));
        assert!(whole(&nested(1_000_000)).is_err());
        assert!(whole(&"{\"a\":".repeat(100_000)).is_err());
    }

    /// Pieces that make both valid and almost valid texts likely.
    fn texts() -> impl Strategy<Value = String> {
        let pieces = prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "\"a\"",
            "\"a\":",
            "\\",
            "\\u00",
            "\\ud83d\\ude00",
            "0",
            "-1",
            "1.5",
            "e5",
            "E-3",
            "true",
            "false",
            "null",
            " ",
            "\t",
            "ü",
            "\u{1}",
            "9999999999",
        ]);
        prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn it_takes_exactly_what_serde_json_takes(text in texts()) {
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            // Whether a number fits is asked by the column that takes it.
            prop_assume!(!theirs.as_ref().is_err_and(|e| e.to_string().contains("out of range")));
            prop_assert_eq!(whole(&text).is_ok(), theirs.is_ok(), "{:?}", theirs);
        }

        #[test]
        fn a_string_comes_back_as_it_was_written(value in ".*") {
            let text = serde_json::to_string(&value).unwrap();
            prop_assert_eq!(string(&text).unwrap(), value);
        }
    }
}
