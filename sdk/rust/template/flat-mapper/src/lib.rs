//! A flat-mapper: any number of rows for each row.

use weir::{Out, Row};

/// What the function reads of a row: the columns that stand here, and no others. Text is borrowed
/// from the rows, which costs no copy.
#[derive(Row)]
pub struct Line<'a> {
    line: &'a str,
}

/// What it gives.
#[derive(Row, Debug, PartialEq)]
pub struct Word<'a> {
    word: &'a str,
    letters: i64,
}

/// The words of a line, and how many letters each has.
///
/// This is a plain function. `pure` promises that it gives the same for the same row, whatever was
/// before.
#[weir::flat_mapper(pure)]
pub fn words(row: Line<'_>, out: &mut Out<Word<'_>>) {
    for word in row.line.split_whitespace() {
        let letters = word.chars().filter(|c| c.is_alphabetic()).count() as i64;
        out.push(Word { word, letters });
    }
}

// Every function that job.toml may call.
weir::export!(words);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_gives_a_row_for_each_word() {
        let lines = vec![Line { line: "to be," }, Line { line: "  " }];
        let words = weir::testkit::flat_map::<words, Word<'_>>("{}", lines).unwrap();
        let wanted = [("to", 2), ("be,", 2)].map(|(word, letters)| Word { word, letters });
        assert_eq!(words, wanted);
    }
}
