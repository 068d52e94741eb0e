//! The layout of a job file: the same values, comments and order, with even spaces.
//!
//! One blank line before a table, one space around `=`, none at the end of a line, two more for
//! every level of a list over several lines. Texts and comments stay as they are, and a comment
//! behind a value stays in its column if there is room.

use toml_parser::Source;
use toml_parser::lexer::{Token, TokenKind};

use super::problem::Problem;
use super::value;

/// Spaces for a level.
const INDENT: usize = 2;

/// The text in the house's layout, or why it can't be read.
pub fn formatted(text: &str) -> Result<String, Vec<Problem>> {
    let (table, problems) = value::read(text);
    if !problems.is_empty() {
        return Err(problems);
    }
    let tokens: Vec<Token> = Source::new(text).lex().collect();
    let mut layout = Layout { text, out: String::new(), line: String::new(), levels: Vec::new() };
    layout.write(&tokens);
    let out = layout.out;
    let (again, problems) = value::read(&out);
    if problems.is_empty() && again.json() == table.json() {
        return Ok(out);
    }
    let message = "the file can't be laid out anew without changing what it says";
    Err(vec![
        Problem::new("WEIR-JOB-024", message)
            .help("this is a fault of Weir: please report it with the file; nothing was written"),
    ])
}

/// What a bracket that is open belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    /// `[a]` and `[[a]]`, at the start of a line.
    Header,
    /// A list.
    List,
    /// `{ a = 1 }`.
    Table,
}

struct Layout<'a> {
    text: &'a str,
    out: String,
    /// The line so far, without its indent.
    line: String,
    levels: Vec<Level>,
}

impl Layout<'_> {
    fn write(&mut self, tokens: &[Token]) {
        let solid: Vec<&Token> =
            tokens.iter().filter(|token| token.kind() != TokenKind::Whitespace).collect();
        let mut indent = 0;
        for (at, token) in solid.iter().enumerate() {
            match token.kind() {
                TokenKind::Newline => {
                    self.end_line(indent);
                    let closes = solid.get(at + 1).is_some_and(|next| is_close(next.kind()));
                    indent = self.levels.len().saturating_sub(usize::from(closes)) * INDENT;
                }
                TokenKind::Eof => self.end_line(indent),
                _ => self.token(token, at.checked_sub(1).map(|before| solid[before])),
            }
        }
        let end = self.out.trim_end_matches('\n').len();
        self.out.truncate(end);
        if !self.out.is_empty() {
            self.out.push('\n');
        }
    }

    fn token(&mut self, token: &Token, before: Option<&Token>) {
        let span = token.span();
        let (start, end) = (span.start(), span.end());
        let kind = token.kind();
        let first = self.line.is_empty();
        match kind {
            TokenKind::Comment if first => {}
            TokenKind::Comment => self.room_for_comment(start),
            _ if first => {}
            _ => {
                let before = before.map_or(TokenKind::Newline, Token::kind);
                if self.spaced(before, kind) {
                    self.line.push(' ');
                }
            }
        }
        self.levels_with(kind, first);
        let text = &self.text[start..end];
        let text = if kind == TokenKind::Comment { text.trim_end() } else { text };
        self.line.push_str(text);
    }

    fn levels_with(&mut self, kind: TokenKind, first: bool) {
        let header = self.levels.last().is_none_or(|level| *level == Level::Header);
        match kind {
            TokenKind::LeftSquareBracket if header && (first || !self.levels.is_empty()) => {
                self.levels.push(Level::Header);
            }
            TokenKind::LeftSquareBracket => self.levels.push(Level::List),
            TokenKind::LeftCurlyBracket => self.levels.push(Level::Table),
            kind if is_close(kind) => {
                self.levels.pop();
            }
            _ => {}
        }
    }

    /// Whether a space stands between two tokens of a line.
    fn spaced(&self, before: TokenKind, kind: TokenKind) -> bool {
        use TokenKind as T;
        match (before, kind) {
            (_, T::Comma | T::Dot) | (T::Dot, _) => false,
            (T::LeftCurlyBracket, T::RightCurlyBracket) => false,
            (T::LeftSquareBracket, _) | (_, T::RightSquareBracket) => false,
            (T::Equals | T::Comma | T::LeftCurlyBracket, _) => true,
            (_, T::Equals | T::RightCurlyBracket) => true,
            // A date and a time in one value.
            _ => !matches!(self.levels.last(), Some(Level::Header)),
        }
    }

    /// A comment behind a value keeps its column, if there is room.
    fn room_for_comment(&mut self, start: usize) {
        let begin = self.text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let column = self.text[begin..start].chars().count();
        let width = self.line.chars().count();
        let indent = self.levels.len() * INDENT;
        let spaces = column.saturating_sub(width + indent).max(1);
        self.line.extend(std::iter::repeat_n(' ', spaces));
    }

    fn end_line(&mut self, indent: usize) {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            if !self.out.is_empty() && !self.out.ends_with("\n\n") && self.levels.is_empty() {
                self.out.push('\n');
            }
            return;
        }
        let header = line.starts_with('[') && indent == 0;
        let commented = self.out.lines().last().is_some_and(|last| last.starts_with('#'));
        if header && !commented && !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
        self.out.extend(std::iter::repeat_n(' ', indent));
        self.out.push_str(&line);
        self.out.push('\n');
    }
}

fn is_close(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::formatted;

    fn same(text: &str, wanted: &str) {
        let out = formatted(text).unwrap();
        assert_eq!(out, wanted);
        assert_eq!(formatted(&out).unwrap(), out, "once more");
    }

    #[test]
    fn spaces_are_even() {
        same("version=1\r\nname  =\t\"x\"  ", "version = 1\nname = \"x\"\n");
        same("a.b . c=1", "a.b.c = 1\n");
        same("a={b=1,c=[ 1,2 ],d={ }}", "a = { b = 1, c = [1, 2], d = {} }\n");
        same("a = -1.5e3\nb=1979-05-27 07:32:00Z", "a = -1.5e3\nb = 1979-05-27 07:32:00Z\n");
        same("", "");
        same("\n\n# only\n\n\n", "# only\n");
    }

    #[test]
    fn tables_stand_apart() {
        same("a=1\n[ x ]\nb=2\n\n\n\n[[ y . z ]]\n", "a = 1\n\n[x]\nb = 2\n\n[[y.z]]\n");
        same("a=1\n# of x\n[x] # it\n", "a = 1\n# of x\n[x] # it\n");
        same("  [x]\n    b=1", "[x]\nb = 1\n");
    }

    #[test]
    fn lists_over_lines_are_indented() {
        let text = "rows=[\n{n=1},   # one\n # two\n\n      { n = 2 },\n[\n1\n]\n]\nb=1\n";
        let wanted =
            "rows = [\n  { n = 1 }, # one\n  # two\n  { n = 2 },\n  [\n    1\n  ]\n]\nb = 1\n";
        same(text, wanted);
    }

    #[test]
    fn texts_and_comments_stay_as_they_are() {
        same("a = \"\"\"\n  x  \n\n\n y\"\"\"", "a = \"\"\"\n  x  \n\n\n y\"\"\"\n");
        same("a='  #no  '  #yes  ", "a = '  #no  ' #yes\n");
        same("a = 1    # x\nbcd=2    # y\n", "a = 1    # x\nbcd = 2  # y\n");
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_laid_out_for_good(
            text in "([a-c]( ?= ?)?|[\\[\\]{},.#\"'\n ]|[0-9]|true|\\[\\[|\\]\\]|\"\"\"){0,40}"
        ) {
            if let Ok(once) = formatted(&text) {
                prop_assert_eq!(formatted(&once).unwrap(), once);
            }
        }
    }
}
