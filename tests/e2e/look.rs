//! Regular expressions, as far as the patterns of `host schema` use them: characters, classes,
//! groups, `|`, `*`, `+`, `?`, `{a,b}`, `^`, `$`, `.` and `(?!…)`.

/// A part of an expression.
#[derive(Debug)]
enum Part {
    Any,
    One(char),
    Class { not: bool, ranges: Vec<(char, char)> },
    Start,
    End,
    Group(Vec<Vec<Part>>),
    Unless(Vec<Vec<Part>>),
    Repeat(Box<Part>, usize, usize),
}

/// Whether a pattern is found in a text.
pub fn fits(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let mut reader = Reader { pattern: &pattern, at: 0 };
    let ways = reader.ways();
    assert_eq!(reader.at, pattern.len(), "{pattern:?}");
    let text: Vec<char> = text.chars().collect();
    (0..=text.len()).any(|start| any(&ways, &text, start, &mut |_| true))
}

struct Reader<'a> {
    pattern: &'a [char],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.pattern.get(self.at).copied()
    }

    fn next(&mut self) -> char {
        self.at += 1;
        self.pattern[self.at - 1]
    }

    fn took(&mut self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let there = self.pattern[self.at..].starts_with(&text);
        self.at += if there { text.len() } else { 0 };
        there
    }

    fn ways(&mut self) -> Vec<Vec<Part>> {
        let mut ways = vec![Vec::new()];
        while let Some(c) = self.peek() {
            match c {
                ')' => break,
                '|' => {
                    self.next();
                    ways.push(Vec::new());
                }
                _ => {
                    let part = self.repeated();
                    ways.last_mut().unwrap().push(part);
                }
            }
        }
        ways
    }

    fn repeated(&mut self) -> Part {
        let part = self.part();
        let (least, most) = match self.peek() {
            Some('*') => (0, usize::MAX),
            Some('+') => (1, usize::MAX),
            Some('?') => (0, 1),
            Some('{') => {
                let end = self.at + self.pattern[self.at..].iter().position(|c| *c == '}').unwrap();
                let inside: String = self.pattern[self.at + 1..end].iter().collect();
                let (least, most) = inside.split_once(',').unwrap();
                self.at = end;
                (least.parse().unwrap(), most.parse().unwrap())
            }
            _ => return part,
        };
        self.next();
        Part::Repeat(Box::new(part), least, most)
    }

    fn part(&mut self) -> Part {
        match self.next() {
            '.' => Part::Any,
            '^' => Part::Start,
            '$' => Part::End,
            '(' => {
                let unless = self.took("?!");
                let ways = self.ways();
                assert_eq!(self.next(), ')');
                if unless { Part::Unless(ways) } else { Part::Group(ways) }
            }
            '[' => {
                let not = self.took("^");
                let mut ranges = Vec::new();
                while !self.took("]") {
                    let first = self.character();
                    let is_range = self.peek() == Some('-')
                        && self.pattern.get(self.at + 1).is_some_and(|c| *c != ']');
                    let last = if is_range {
                        self.next();
                        self.character()
                    } else {
                        first
                    };
                    ranges.push((first, last));
                }
                Part::Class { not, ranges }
            }
            '\\' if self.peek().is_some_and(|c| c == 's' || c == 'S') => {
                let not = self.next() == 'S';
                Part::Class { not, ranges: vec![(' ', ' '), ('\t', '\r')] }
            }
            '\\' => {
                self.at -= 1;
                Part::One(self.character())
            }
            c => Part::One(c),
        }
    }

    fn character(&mut self) -> char {
        match self.next() {
            '\\' => match self.next() {
                'r' => '\r',
                'n' => '\n',
                'x' => {
                    let digits: String = [self.next(), self.next()].into_iter().collect();
                    char::from(u8::from_str_radix(&digits, 16).unwrap())
                }
                c if c.is_ascii_alphanumeric() => panic!("`\\{c}` is not known here"),
                c => c,
            },
            c => c,
        }
    }
}

type Then<'a> = &'a mut dyn FnMut(usize) -> bool;

fn any(ways: &[Vec<Part>], text: &[char], at: usize, then: Then<'_>) -> bool {
    ways.iter().any(|way| all(way, text, at, then))
}

fn all(parts: &[Part], text: &[char], at: usize, then: Then<'_>) -> bool {
    match parts {
        [] => then(at),
        [first, rest @ ..] => one(first, text, at, &mut |next| all(rest, text, next, then)),
    }
}

fn one(part: &Part, text: &[char], at: usize, then: Then<'_>) -> bool {
    let here = text.get(at).copied();
    match part {
        Part::Start => at == 0 && then(at),
        Part::End => at == text.len() && then(at),
        Part::Any => here.is_some_and(|c| c != '\n') && then(at + 1),
        Part::One(wanted) => here == Some(*wanted) && then(at + 1),
        Part::Class { not, ranges } => {
            let inside = |c: char| ranges.iter().any(|(first, last)| (*first..=*last).contains(&c));
            here.is_some_and(|c| inside(c) != *not) && then(at + 1)
        }
        Part::Group(ways) => any(ways, text, at, then),
        Part::Unless(ways) => !any(ways, text, at, &mut |_| true) && then(at),
        Part::Repeat(part, least, most) => repeat(part, (*least, *most), text, at, then),
    }
}

fn repeat(part: &Part, bounds: (usize, usize), text: &[char], at: usize, then: Then<'_>) -> bool {
    let (least, most) = bounds;
    let fewer = (least.saturating_sub(1), most.saturating_sub(1));
    let more = most > 0
        && one(part, text, at, &mut |next| {
            // What matches nothing is not tried for ever.
            (next > at || least > 0) && repeat(part, fewer, text, next, then)
        });
    more || (least == 0 && then(at))
}

#[test]
fn patterns_mean_what_they_mean_elsewhere() {
    for (pattern, fine, wrong) in [
        ("^[A-Za-z][A-Za-z0-9_-]{0,3}$", &["a", "a-9_"][..], &["", "9", "abcde", "a b"][..]),
        ("^\\s*[0-9][0-9_]*\\s*(KiB|B)?\\s*$", &["1", " 1_0 KiB "], &["_1", "1KB", "KiB"]),
        ("^(?!.*://).*\\S", &["a", "a/b"], &["oci://a", " "]),
        ("^(a|b+)*$|\\$\\{", &["", "abba", "x${y}"], &["c", "$ {"]),
        ("^([a-c]|[^\\x00-\\x7f])+:[.]$", &["ab:.", "é:."], &["d:.", "a:x", ":."]),
        ("^[^\"\\r\\n]$", &[",", "\t"], &["\"", "\n", ",,"]),
    ] {
        assert!(fine.iter().all(|text| fits(pattern, text)), "{pattern}");
        assert!(!wrong.iter().any(|text| fits(pattern, text)), "{pattern}");
    }
}
