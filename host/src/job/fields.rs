//! Takes the settings of a table one by one; what nobody took is a problem.

use std::cell::RefCell;
use std::time::Duration;

use super::problem::{Problem, Span};
use super::value::{Node, Table, Value};

/// Settings that later versions of Weir have.
const LATER: [(&str, &str); 17] = [
    ("checkpoint", "every run starts anew until there are checkpoints"),
    ("backpressure", "limit the input with `files_per_batch`"),
    ("max_rate", "limit the input with `files_per_batch`"),
    ("on_error", "a row that a function rejects stops the job"),
    ("allow", "functions have no rights to files, environment or network"),
    ("window", "aggregate within the batch"),
    ("timeout", "there is no state over batches yet"),
    ("event_time", "there are no event-time windows yet"),
    ("test", "test the function with its language's own test runner"),
    ("vars", "write the values where they are used, or use `--set`"),
    ("watch", "restart the job to take a new version of a plugin"),
    ("delivery", "the file sink writes each batch once, the console at least once"),
    ("stop", "`grace` under [job] says how long a stop may take"),
    ("was", "there is no state that a new name would have to find"),
    ("remember", "batches are not kept"),
    ("state", "there is no state over batches yet"),
    ("trigger", "`batch` under [job] is the interval; `--once` takes what is there now"),
];

/// The settings of one table.
pub struct Fields<'a> {
    table: &'a Table,
    /// Where the entry stands, for settings that are missing.
    pub span: Span,
    taken: RefCell<Vec<&'static str>>,
    problems: &'a RefCell<Vec<Problem>>,
}

impl<'a> Fields<'a> {
    /// The settings of a table.
    pub fn new(table: &'a Table, span: Span, problems: &'a RefCell<Vec<Problem>>) -> Self {
        Self { table, span, taken: RefCell::default(), problems }
    }

    /// Adds a problem.
    pub fn problem(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// A setting as it is.
    pub fn take(&self, name: &'static str) -> Option<&'a Node> {
        self.taken.borrow_mut().push(name);
        self.table.get(name)
    }

    fn wrong(&self, name: &str, node: &Node, expected: &str) {
        let message = format!("`{name}` is {}, expected {expected}", node.value.kind());
        self.problem(Problem::new("WEIR-JOB-005", message).at(node.span.clone(), expected));
    }

    /// A value that makes no sense.
    pub fn senseless(&self, span: &Span, message: String, help: &str) {
        self.problem(Problem::new("WEIR-JOB-006", message).at(span.clone(), "").help(help));
    }

    /// Says that a setting must be there.
    pub fn missing(&self, name: &str, help: &str) {
        let message = format!("`{name}` is missing");
        self.problem(Problem::new("WEIR-JOB-004", message).at(self.span.clone(), "").help(help));
    }

    /// A text.
    pub fn text(&self, name: &'static str) -> Option<(String, Span)> {
        let node = self.take(name)?;
        match &node.value {
            Value::Text(text) => Some((text.clone(), node.span.clone())),
            _ => {
                self.wrong(name, node, "text in quotes");
                None
            }
        }
    }

    /// A text that must be there.
    pub fn needed(&self, name: &'static str, help: &str) -> Option<(String, Span)> {
        if self.table.get(name).is_none() {
            self.taken.borrow_mut().push(name);
            self.missing(name, help);
            return None;
        }
        self.text(name)
    }

    /// One of several words.
    pub fn word<T: Copy>(&self, name: &'static str, words: &[(&str, T)]) -> Option<T> {
        let (text, span) = self.text(name)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let help = match near(&text, &known) {
                Some(near) => format!("did you mean \"{near}\"? known: {}", known.join(", ")),
                None => format!("known: {}", known.join(", ")),
            };
            self.senseless(&span, format!("`{name}` can't be \"{text}\""), &help);
        }
        found
    }

    /// A whole number within bounds.
    pub fn number(&self, name: &'static str, least: i64, most: i64) -> Option<i64> {
        let node = self.take(name)?;
        match &node.value {
            Value::Int(number) if (least..=most).contains(number) => Some(*number),
            Value::Int(number) => {
                let message = format!("`{name}` can't be {number}");
                self.senseless(&node.span, message, &format!("from {least} to {most}"));
                None
            }
            _ => {
                self.wrong(name, node, "a whole number");
                None
            }
        }
    }

    /// A length of time within bounds.
    pub fn time(&self, name: &'static str, least: Duration, most: Duration) -> Option<Duration> {
        let (text, span) = self.text(name)?;
        match duration(&text) {
            Some(time) if time >= least && time <= most => Some(time),
            Some(_) => {
                let message = format!("`{name}` can't be \"{text}\"");
                self.senseless(&span, message, &format!("from {least:?} to {most:?}"));
                None
            }
            None => {
                let message = format!("`{name}` is not a length of time: \"{text}\"");
                self.senseless(&span, message, "such as \"500ms\", \"2s\", \"1m 30s\" or \"0s\"");
                None
            }
        }
    }

    /// A number of bytes within bounds.
    pub fn bytes(&self, name: &'static str, least: u64, most: u64) -> Option<u64> {
        let node = self.take(name)?;
        let bytes = match &node.value {
            Value::Int(number) => u64::try_from(*number).ok(),
            Value::Text(text) => size(text),
            _ => {
                self.wrong(name, node, "a size such as \"64MiB\"");
                return None;
            }
        };
        match bytes {
            Some(bytes) if (least..=most).contains(&bytes) => Some(bytes),
            Some(_) => {
                let help = format!("from {} to {}", shown(least), shown(most));
                self.senseless(&node.span, format!("`{name}` is out of bounds"), &help);
                None
            }
            None => {
                let help = "such as \"64MiB\", \"1 GiB\" or a number of bytes";
                self.senseless(&node.span, format!("`{name}` is not a size"), help);
                None
            }
        }
    }

    /// A list of texts, or one text.
    pub fn texts(&self, name: &'static str) -> Option<(Vec<(String, Span)>, Span)> {
        let node = self.take(name)?;
        let items = match &node.value {
            Value::Text(_) => std::slice::from_ref(node),
            Value::List(items) => items.as_slice(),
            _ => {
                self.wrong(name, node, "a list of texts");
                return None;
            }
        };
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            match &item.value {
                Value::Text(text) => texts.push((text.clone(), item.span.clone())),
                _ => self.wrong(name, item, "text in quotes"),
            }
        }
        Some((texts, node.span.clone()))
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
                self.wrong(name, node, &format!("[[{name}]]"));
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
        let taken = self.taken.borrow();
        for (name, span, _) in &self.table.entries {
            if taken.contains(&name.as_str()) {
                continue;
            }
            let later = LATER.iter().find(|(later, _)| later == name);
            let problem = match later {
                Some((_, instead)) => {
                    let message = format!("`{name}` is not available in this version");
                    Problem::new("WEIR-JOB-007", message).help(format!("remove it; {instead}"))
                }
                None => {
                    let problem =
                        Problem::new("WEIR-JOB-003", format!("there is no setting `{name}` here"));
                    let list = format!("settings here: {}", taken.join(", "));
                    match near(name, &taken) {
                        Some(near) => problem.help(format!("did you mean `{near}`? {list}")),
                        None => problem.help(list),
                    }
                }
            };
            self.problems.borrow_mut().push(problem.at(span.clone(), ""));
        }
    }
}

/// The word that is most like another one, if one is.
pub fn near<'a>(text: &str, words: &[&'a str]) -> Option<&'a str> {
    let scored = words.iter().map(|word| (strsim::jaro_winkler(text, word), *word));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(score, _)| *score > 0.75).map(|(_, word)| word)
}

fn duration(text: &str) -> Option<Duration> {
    let span: jiff::SignedDuration = text.parse().ok()?;
    Duration::try_from(span).ok()
}

/// Units of sizes.
const UNITS: [(&str, u64); 8] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let (number, unit) = UNITS
        .iter()
        .find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)))
        .unwrap_or((text, 1));
    number.trim().replace('_', "").parse::<u64>().ok()?.checked_mul(unit)
}

fn shown(bytes: u64) -> String {
    let fitting = |(_, unit): &&(&str, u64)| *unit <= bytes && bytes.is_multiple_of(*unit);
    let largest = UNITS[..4].iter().rev().find(fitting);
    largest.map_or(format!("{bytes} bytes"), |(name, unit)| format!("{}{name}", bytes / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_read() {
        assert_eq!(size("64MiB"), Some(64 << 20));
        assert_eq!(size("1 GiB"), Some(1 << 30));
        assert_eq!(size("10_000"), Some(10_000));
        assert_eq!(size("5MB"), Some(5_000_000));
        for wrong in ["", "MiB", "-1", "1.5GiB", "99999999999TiB"] {
            assert_eq!(size(wrong), None, "{wrong}");
        }
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(duration("1m 30s"), Some(Duration::from_secs(90)));
        assert_eq!(duration("0s"), Some(Duration::ZERO));
        for wrong in ["", "5", "-1s", "soon"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
        assert_eq!(shown(256 << 20), "256MiB");
    }
}
