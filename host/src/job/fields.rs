//! Takes the settings of a table one by one; what nobody took is a problem.

use std::cell::RefCell;
use std::time::Duration;

use super::later;
use super::problem::{Problem, Span};
use super::schema::{self, Place, Preset, Setting};
use super::units::{self, Time};
use super::value::{Node, Table, Value};

/// The problems of a job, while it is read.
pub type Problems = RefCell<Vec<Problem>>;

/// Texts with the place of each, and the place of all.
type Texts = (Vec<(String, Span)>, Span);

/// The settings of one table.
pub struct Fields<'a> {
    table: &'a Table,
    places: &'static [Place],
    /// Where the entry stands, for settings that are missing.
    pub span: Span,
    known: RefCell<Vec<&'static str>>,
    problems: &'a Problems,
}

impl<'a> Fields<'a> {
    /// The settings of a table, which is one of these places.
    pub fn new(
        (table, span): (&'a Table, Span),
        places: &'static [Place],
        problems: &'a Problems,
    ) -> Self {
        Self { table, places, span, known: RefCell::default(), problems }
    }

    /// What the schema says of a setting. The tests of the schema hold that it knows all that are
    /// asked for.
    fn setting(&self, name: &str) -> Option<&'static Setting> {
        schema::find(self.places, name)
    }

    /// What holds when a setting isn't written.
    fn preset(&self, name: &str) -> Preset {
        self.setting(name).map_or(Preset::None, |setting| setting.preset)
    }

    /// Adds a problem.
    pub fn problem(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// A setting as it is.
    pub fn take(&self, name: &'static str) -> Option<&'a Node> {
        let mut known = self.known.borrow_mut();
        if !known.contains(&name) {
            known.push(name);
        }
        self.table.get(name)
    }

    /// A value of the wrong type.
    pub fn wrong(&self, name: &str, node: &Node, expected: &str) {
        let message = format!("`{name}` is {}, expected {expected}", node.value.kind());
        self.problem(Problem::new("WEIR-JOB-005", message).at(node.span.clone(), ""));
    }

    /// Says why a setting that others have can't be here, if it is.
    pub fn refuse(&self, name: &'static str, message: &str, help: &str) {
        let written = self.table.entries.iter().find(|(known, _, _)| known == name);
        if let Some((_, span, _)) = written {
            self.known.borrow_mut().push(name);
            let problem = Problem::new("WEIR-JOB-003", message).at(span.clone(), "");
            self.problem(problem.help(help));
        }
    }

    /// A value that makes no sense.
    pub fn senseless(&self, span: &Span, message: String, help: &str) {
        self.problem(Problem::new("WEIR-JOB-006", message).at(span.clone(), "").help(help));
    }

    /// Says that a setting must be there.
    pub fn missing(&self, name: &str, help: &str) {
        let message = format!("`{name}` is missing");
        let problem = Problem::new("WEIR-JOB-004", message).help(help);
        // The top of the file is no place to point at.
        self.problem(match self.span.is_empty() {
            true => problem,
            false => problem.at(self.span.clone(), "of this entry"),
        });
    }

    /// A text.
    pub fn text(&self, name: &'static str) -> Option<(String, Span)> {
        self.text_like(name, "text in quotes")
    }

    fn text_like(&self, name: &'static str, expected: &str) -> Option<(String, Span)> {
        let node = self.take(name)?;
        match &node.value {
            Value::Text(text) => Some((text.clone(), node.span.clone())),
            _ => {
                self.wrong(name, node, expected);
                None
            }
        }
    }

    /// A text with something in it: an empty one, or one with a zero byte, is a problem.
    pub fn filled(&self, name: &'static str, help: &str) -> Option<(String, Span)> {
        let (text, span) = self.text(name)?;
        let why = match text.trim() {
            "" => "is empty",
            _ if text.contains('\0') => "has a zero byte",
            _ => return Some((text, span)),
        };
        self.senseless(&span, format!("`{name}` {why}"), help);
        None
    }

    /// A text with something in it that must be there.
    pub fn needed(&self, name: &'static str, help: &str) -> Option<(String, Span)> {
        if self.take(name).is_none() {
            self.missing(name, help);
            return None;
        }
        self.filled(name, help)
    }

    /// One of several words, or the preset.
    pub fn word<T: Copy>(&self, name: &'static str, words: &[(&str, T)]) -> Option<T> {
        let of = |text: &str| words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if let (None, Preset::Text(preset)) = (self.take(name), self.preset(name)) {
            return of(preset);
        }
        let (text, span) = self.text(name)?;
        let found = of(&text);
        if found.is_none() {
            if let Some(problem) = later::value(name, &text, &span) {
                self.problem(problem);
                return None;
            }
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let help = match near(&text, &known) {
                Some(near) => format!("did you mean \"{near}\"? known: {}", known.join(", ")),
                None => format!("known: {}", known.join(", ")),
            };
            self.senseless(&span, format!("`{name}` can't be \"{}\"", brief(&text)), &help);
        }
        found
    }

    /// One of several words that must be there.
    pub fn needed_word<T: Copy>(&self, name: &'static str, words: &[(&str, T)]) -> Option<T> {
        if self.take(name).is_none() {
            let ways: Vec<String> =
                words.iter().map(|(word, _)| format!("`{name} = \"{word}\"`")).collect();
            self.missing(name, &ways.join(" or "));
        }
        self.word(name, words)
    }

    /// A whole number within its bounds, or the preset.
    pub fn number(&self, name: &'static str) -> Option<i64> {
        let (least, most) = schema::numbers(self.setting(name));
        if let (None, Preset::Number(preset)) = (self.take(name), self.preset(name)) {
            return Some(preset);
        }
        let node = self.take(name)?;
        match &node.value {
            Value::Int(number) if (least..=most).contains(number) => Some(*number),
            Value::Int(number) => {
                let message = format!("`{name}` can't be {number}");
                let help = match most {
                    i64::MAX => format!("at least {least}"),
                    _ => format!("from {least} to {most}"),
                };
                self.senseless(&node.span, message, &help);
                None
            }
            _ => {
                self.wrong(name, node, "a whole number");
                None
            }
        }
    }

    /// Yes or no, or the preset.
    pub fn flag(&self, name: &'static str) -> Option<bool> {
        if let (None, Preset::Flag(preset)) = (self.take(name), self.preset(name)) {
            return Some(preset);
        }
        let node = self.take(name)?;
        match &node.value {
            Value::Bool(flag) => Some(*flag),
            _ => {
                self.wrong(name, node, "true or false");
                None
            }
        }
    }

    /// A length of time within its bounds, or the preset.
    pub fn time(&self, name: &'static str) -> Option<Duration> {
        let (least, most) = schema::times(self.setting(name));
        if let (None, Preset::Time(preset)) = (self.take(name), self.preset(name)) {
            return Some(preset);
        }
        let (text, span) = self.text_like(name, "a length of time such as \"5s\"")?;
        let shown = brief(&text);
        match units::time(&text) {
            Some(Time::Length(time)) if time >= least && time <= most => Some(time),
            Some(Time::Length(_)) => {
                let (least, most) = (units::shown_time(least), units::shown_time(most));
                let message = format!("`{name}` can't be \"{shown}\"");
                self.senseless(&span, message, &format!("from {least} to {most}"));
                None
            }
            Some(Time::Negative) => {
                let message = format!("`{name}` can't be negative: \"{shown}\"");
                self.senseless(&span, message, "such as \"500ms\", \"2s\" or \"0s\"");
                None
            }
            None => {
                let message = format!("`{name}` is not a length of time: \"{shown}\"");
                let help = "such as \"500ms\", \"2s\", \"1m 30s\" or \"0s\"; a day is \"24h\"";
                self.senseless(&span, message, help);
                None
            }
        }
    }

    /// A number of bytes within its bounds, or the preset.
    pub fn bytes(&self, name: &'static str) -> Option<u64> {
        let (least, most) = schema::sizes(self.setting(name));
        if let (None, Preset::Size(preset)) = (self.take(name), self.preset(name)) {
            return Some(preset);
        }
        let node = self.take(name)?;
        let (bytes, shown) = match &node.value {
            Value::Int(number) => (u64::try_from(*number).ok(), number.to_string()),
            Value::Text(text) => (units::size(text), format!("\"{}\"", brief(text))),
            _ => {
                self.wrong(name, node, "a size such as \"64MiB\"");
                return None;
            }
        };
        let (message, help) = match bytes {
            Some(bytes) if (least..=most).contains(&bytes) => return Some(bytes),
            Some(_) => {
                let (least, most) = (units::shown_size(least), units::shown_size(most));
                (format!("`{name}` can't be {shown}"), format!("from {least} to {most}"))
            }
            None => (
                format!("`{name}` is not a size: {shown}"),
                "such as \"64MiB\", \"1 GiB\", \"5MB\" or a number of bytes".to_owned(),
            ),
        };
        self.senseless(&node.span, message, &help);
        None
    }

    /// A list of texts, or one text; none if one of them is something else.
    pub fn texts(&self, name: &'static str) -> Option<Texts> {
        let node = self.take(name)?;
        let items = match &node.value {
            Value::Text(_) => std::slice::from_ref(node),
            Value::List(items) => items.as_slice(),
            _ => {
                self.wrong(name, node, "text in quotes, or a list of it");
                return None;
            }
        };
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            match &item.value {
                Value::Text(text) => texts.push((text.clone(), item.span.clone())),
                _ => {
                    let message = format!("`{name}` has {} in it", item.value.kind());
                    let problem = Problem::new("WEIR-JOB-005", message);
                    self.problem(problem.at(item.span.clone(), "").help("each is text in quotes"));
                }
            }
        }
        (texts.len() == items.len()).then(|| (texts, node.span.clone()))
    }

    /// Names of columns, each once.
    pub fn columns(&self, name: &'static str) -> Option<(Vec<String>, Span)> {
        let (texts, span) = self.texts(name)?;
        let mut names: Vec<String> = Vec::with_capacity(texts.len());
        for (text, place) in texts {
            if text.is_empty() || names.contains(&text) {
                let message = match text.is_empty() {
                    true => format!("`{name}` has an empty name in it"),
                    false => format!("`{name}` has `{}` twice", brief(&text)),
                };
                self.senseless(&place, message, "each is the name of a column, once");
            } else {
                names.push(text);
            }
        }
        Some((names, span))
    }

    /// A table.
    pub fn table(&self, name: &'static str) -> Option<(&'a Table, Span)> {
        let node = self.take(name)?;
        match &node.value {
            Value::Table(table) => Some((table, node.span.clone())),
            _ => {
                self.wrong(name, node, "a table");
                None
            }
        }
    }

    /// A list of tables, `[[name]]`.
    pub fn tables(&self, name: &'static str) -> Vec<(&'a Table, Span)> {
        let Some(node) = self.take(name) else { return Vec::new() };
        let items = match &node.value {
            Value::List(items) => items.as_slice(),
            _ => {
                self.wrong(name, node, &format!("a list of tables, each under [[{name}]]"));
                return Vec::new();
            }
        };
        let mut tables = Vec::new();
        for item in items {
            match &item.value {
                Value::Table(table) => tables.push((table, item.span.clone())),
                _ => self.wrong(name, item, "a table"),
            }
        }
        tables
    }

    /// Everything was asked for: what is left is not known.
    pub fn finish(self) {
        self.finish_as("", &[]);
    }

    /// Everything was asked for. `others` exist, but not for `what` this is.
    pub fn finish_as(self, what: &str, others: &[&str]) {
        let known = self.known.borrow();
        for (name, span, _) in &self.table.entries {
            if known.contains(&name.as_str()) {
                continue;
            }
            let problem = if others.contains(&name.as_str()) {
                Problem::new("WEIR-JOB-003", format!("{what} has no `{name}`"))
                    .at(span.clone(), "")
                    .help(format!("settings here: {}", known.join(", ")))
            } else {
                later::setting(name, span).unwrap_or_else(|| unknown(name, span, &known))
            };
            self.problem(problem);
        }
    }
}

fn unknown(name: &str, span: &Span, known: &[&str]) -> Problem {
    let list = format!("settings here: {}", known.join(", "));
    let help = match near(name, known) {
        Some(near) => format!("did you mean `{near}`? {list}"),
        None => list,
    };
    let message = format!("there is no setting `{}` here", brief(name));
    Problem::new("WEIR-JOB-003", message).at(span.clone(), "").help(help)
}

/// The word that is most like another one, if one is.
pub fn near<'a>(text: &str, words: &[&'a str]) -> Option<&'a str> {
    // The comparison is quadratic, and no word of ours is long.
    let text: String = text.chars().take(80).collect();
    let scored = words.iter().map(|word| (strsim::jaro_winkler(&text, word), *word));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(score, _)| *score > 0.75).map(|(_, word)| word)
}

/// A text of the user for a message: short, on one line.
pub fn brief(text: &str) -> String {
    const CHARS_MAX: usize = 80;
    let short: String = text.chars().take(CHARS_MAX).collect();
    let mark = if short.len() < text.len() { "…" } else { "" };
    let escaped: String = short
        .chars()
        .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.into() })
        .collect();
    format!("{escaped}{mark}")
}
