//! Functions over words: split, lower, clean, stop words, sum.

use std::collections::HashSet;

use serde::Deserialize;
use weir::{Out, Row, RowError};

/// A line of text.
#[derive(Row)]
pub struct Line<'a> {
    line: &'a str,
}

/// A word that was seen `n` times.
#[derive(Row, Debug, PartialEq)]
pub struct Counted<'a> {
    word: &'a str,
    n: i64,
}

/// A word.
#[derive(Row)]
pub struct Word<'a> {
    word: &'a str,
}

/// A word of its own.
#[derive(Row, Debug, PartialEq)]
pub struct OwnWord {
    word: String,
}

/// A number to add up.
#[derive(Row, Clone, Debug, Default, PartialEq)]
pub struct Count {
    n: i64,
}

/// Splits a line into words at white space: a row with `word` and `n` = 1 for each.
#[weir::flat_mapper(pure)]
pub fn split(row: Line<'_>, out: &mut Out<Counted<'_>>) {
    let (line, bytes) = (row.line, row.line.as_bytes());
    let mut start = 0;
    loop {
        let end = start + plain(&bytes[start..]);
        let stop = bytes.get(end);
        if stop.is_some_and(|byte| !byte.is_ascii_whitespace()) {
            // Beyond plain ASCII white space is what Unicode says it is.
            for word in line[start..].split_whitespace() {
                out.push(Counted { word, n: 1 });
            }
            return;
        }
        if end > start {
            out.push(Counted { word: &line[start..end], n: 1 });
        }
        if stop.is_none() {
            return;
        }
        start = end + 1;
    }
}

/// How many bytes come before the first that is a space, a control character or not ASCII. Looks at
/// eight bytes at once: a byte below `!` borrows into its highest bit, and one beyond ASCII has it.
fn plain(bytes: &[u8]) -> usize {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    let mut at = 0;
    while let Some(Ok(eight)) = bytes.get(at..at + 8).map(<[u8; 8]>::try_from) {
        let eight = u64::from_le_bytes(eight);
        let found = (eight.wrapping_sub(EACH * 0x21) | eight) & (EACH * 0x80);
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = bytes[at..].iter().position(|byte| *byte <= b' ' || !byte.is_ascii());
    rest.map_or(bytes.len(), |rest| at + rest)
}

/// Makes `word` lower case.
#[weir::mapper(pure)]
pub fn lower(row: Word<'_>) -> OwnWord {
    OwnWord { word: row.word.to_lowercase() }
}

/// Removes everything but letters and digits from both ends of `word`, and makes it lower case. A
/// word without any becomes empty.
#[weir::mapper(pure)]
pub fn clean(row: Word<'_>) -> OwnWord {
    OwnWord { word: row.word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase() }
}

/// Which words are left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopWords {
    #[serde(default = "english")]
    words: HashSet<String>,
}

fn english() -> HashSet<String> {
    const WORDS: &str = "a an and are as at be but by for he her him his i in is it me my not \
                         of on or our shall she that the their them they this thou thy to unto \
                         us was we were which with ye you";
    WORDS.split(' ').map(str::to_owned).chain([String::new()]).collect()
}

/// Keeps rows whose `word` is not a stop word. `words` is the list; by default a short one of
/// English words, and the empty word.
#[weir::predicate(
    pure,
    config_schema = r#"{"properties":{"words":{"type":"array","items":{"type":"string"}}}}"#
)]
pub fn stop_words(row: Word<'_>, config: &StopWords) -> bool {
    !config.words.contains(row.word)
}

/// Adds up `n`.
#[weir::aggregator(pure)]
pub fn sum(a: Count, b: Count) -> Result<Count, RowError> {
    match a.n.checked_add(b.n) {
        Some(n) => Ok(Count { n }),
        None => Err(RowError::reject(format!("{} + {} is more than an int64 holds", a.n, b.n))),
    }
}

weir::export!(split, lower, clean, stop_words, sum);

#[cfg(test)]
mod tests {
    use weir::testkit;

    use super::*;

    fn words(line: &str) -> Vec<&'static str> {
        let rows = testkit::flat_map::<split, Counted<'_>>("{}", vec![Line { line }]).unwrap();
        assert!(rows.iter().all(|row| row.n == 1));
        rows.iter().map(|row| row.word).collect()
    }

    #[test]
    fn a_line_is_split_at_every_white_space() {
        assert_eq!(words("to be,  or\tnot "), ["to", "be,", "or", "not"]);
        assert_eq!(words("żółw\u{a0}i\u{2003}słoń"), ["żółw", "i", "słoń"]);
        assert_eq!(words(""), Vec::<&str>::new());
        assert_eq!(words("   "), Vec::<&str>::new());
        assert_eq!(words("a\u{1}b c\u{b}d"), ["a\u{1}b", "c", "d"]);
        let line =
            "supercalifragilisticexpialidocious a bb ccc dddd eeeee ffffff ggggggg hhhhhhhh ñ i";
        assert_eq!(words(line), line.split_whitespace().collect::<Vec<_>>());
    }

    #[test]
    fn words_are_lowered_and_cleaned() {
        let rows = vec![Word { word: "“Ärger!”" }, Word { word: "--" }];
        let cleaned = testkit::map::<clean>("{}", rows).unwrap();
        assert_eq!(cleaned, [OwnWord { word: "ärger".into() }, OwnWord { word: String::new() }]);
        let lowered = testkit::map::<lower>("{}", vec![Word { word: "ÄB" }]).unwrap();
        assert_eq!(lowered, [OwnWord { word: "äb".into() }]);
    }

    #[test]
    fn stop_words_come_from_the_config_or_are_english() {
        let rows = || vec![Word { word: "the" }, Word { word: "ark" }];
        assert_eq!(testkit::test::<stop_words>("{}", rows()).unwrap(), [false, true]);
        let config = r#"{"words":["ark"]}"#;
        assert_eq!(testkit::test::<stop_words>(config, rows()).unwrap(), [true, false]);
        let wrong = testkit::test::<stop_words>(r#"{"words":[1]}"#, rows()).unwrap_err();
        assert!(
            matches!(wrong, testkit::Failure::Refused(Some(setting), _) if setting == "words[0]")
        );
    }

    #[test]
    fn numbers_add_up_and_overflow_is_told() {
        let rows = |numbers: &[i64]| numbers.iter().map(|n| Count { n: *n }).collect::<Vec<_>>();
        let sum_of = |numbers: &[i64]| testkit::aggregate::<sum, Count, Count>("{}", rows(numbers));
        assert_eq!(sum_of(&[1, 2, 3, 4]).unwrap(), [Count { n: 10 }]);
        assert_eq!(sum_of(&[]).unwrap(), [Count { n: 0 }]);
        assert!(sum_of(&[i64::MAX, 0, 1]).is_err());
    }
}
