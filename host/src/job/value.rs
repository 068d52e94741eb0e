//! A TOML document as values with their places.

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use super::problem::{Problem, Span};

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it stands.
    pub span: Span,
}

/// A value.
#[derive(Clone, Debug)]
pub enum Value {
    /// Text.
    Text(String),
    /// A whole number.
    Int(i64),
    /// Another number.
    Float(f64),
    /// Yes or no.
    Bool(bool),
    /// A date or a time, as it was written.
    Date(String),
    /// A list.
    List(Vec<Node>),
    /// A table.
    Table(Table),
}

/// A table: its entries in the order of the text.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Name, place of the name, value.
    pub entries: Vec<(String, Span, Node)>,
}

/// A table in which nothing is written: all of it is preset.
pub static NOTHING: Table = Table { entries: Vec::new() };

/// How deep values may nest. The parser itself goes to 80, so that its stack is bounded.
const DEPTH_MAX: usize = 32;

impl Value {
    /// What it is, for a message.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Int(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Bool(_) => "true or false",
            Self::Date(_) => "a date",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }

    /// The value as JSON. Numbers that JSON does not have become text.
    pub fn json(&self) -> serde_json::Value {
        match self {
            Self::Text(text) | Self::Date(text) => text.clone().into(),
            Self::Int(number) => (*number).into(),
            Self::Float(number) => serde_json::Number::from_f64(*number)
                .map_or_else(|| number.to_string().into(), serde_json::Value::Number),
            Self::Bool(yes) => (*yes).into(),
            Self::List(items) => items.iter().map(|item| item.value.json()).collect(),
            Self::Table(table) => serde_json::Value::Object(table.json()),
        }
    }
}

impl Table {
    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.entries.iter().find(|(known, _, _)| known == name).map(|(_, _, node)| node)
    }

    /// The table as JSON.
    pub fn json(&self) -> serde_json::Map<String, serde_json::Value> {
        let entry = |(name, _, node): &(String, Span, Node)| (name.clone(), node.value.json());
        self.entries.iter().map(entry).collect()
    }
}

/// Reads a document; everything that can't be read is a problem.
pub fn read(text: &str) -> (Table, Vec<Problem>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut problems = Vec::new();
    let mut last_line = None;
    for error in &errors {
        // What follows on the same line is nearly always a consequence of the first.
        let start = error.span().map(|span| span.start);
        let line = start.map(|start| text.get(..start).unwrap_or(text).matches('\n').count());
        if line.is_none() || line != last_line {
            problems.push(syntax(error, text));
        }
        last_line = line;
    }
    let mut reader = Reader { offset: 0, problems };
    let table = reader.table(table.get_ref(), 0);
    (table, reader.problems)
}

fn syntax(error: &Error, text: &str) -> Problem {
    let message = error.message().lines().collect::<Vec<_>>().join(" ");
    let nothing = error.span().is_some_and(|span| text.get(span).is_none_or(str::is_empty));
    let problem = if message.contains("recurse") || message.contains("recursion") {
        deep()
    } else if nothing && message.starts_with("string values must be quoted") {
        Problem::new("WEIR-JOB-001", "a value is missing behind the `=`")
    } else {
        Problem::new("WEIR-JOB-001", message.trim_end_matches(", expected nothing"))
    };
    match error.span() {
        Some(span) => problem.at(span, ""),
        None => problem,
    }
}

fn deep() -> Problem {
    Problem::new("WEIR-JOB-002", format!("values nest more than {DEPTH_MAX} deep"))
        .help("take levels away, or let a source read it from a file")
}

/// Reads one value, as it stands behind `--set`; what is not TOML is text. Its places begin at
/// `offset`.
pub fn read_one(text: &str, offset: usize) -> (Node, Vec<Problem>) {
    let mut reader = Reader { offset, problems: Vec::new() };
    let node = match DeValue::parse(text) {
        Ok(value) => reader.node(&value, 0),
        Err(_) => Node { value: Value::Text(text.to_owned()), span: offset..offset + text.len() },
    };
    (node, reader.problems)
}

struct Reader {
    offset: usize,
    problems: Vec<Problem>,
}

impl Reader {
    fn place(&self, span: Span) -> Span {
        span.start + self.offset..span.end + self.offset
    }

    fn table(&mut self, table: &DeTable<'_>, depth: usize) -> Table {
        let mut entries: Vec<(String, Span, Node)> = table
            .iter()
            .map(|(name, value)| {
                (name.get_ref().to_string(), self.place(name.span()), self.node(value, depth))
            })
            .collect();
        entries.sort_by_key(|(_, span, _)| span.start);
        Table { entries }
    }

    fn node(&mut self, value: &Spanned<DeValue<'_>>, depth: usize) -> Node {
        let span = self.place(value.span());
        if depth > DEPTH_MAX {
            // Once is enough; the parser may have said it too.
            if !self.problems.iter().any(|problem| problem.code == "WEIR-JOB-002") {
                self.problems.push(deep().at(span.clone(), ""));
            }
            return Node { value: Value::Bool(false), span };
        }
        let value = match value.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => {
                let digits = number.as_str().replace('_', "");
                let read = i64::from_str_radix(&digits, number.radix());
                Value::Int(self.fitting(read.ok(), &span))
            }
            DeValue::Float(number) => {
                let digits = number.as_str().replace('_', "");
                let finite = |read: &f64| read.is_finite() || !digits.contains(['e', 'E', '.']);
                Value::Float(self.fitting(digits.parse().ok().filter(finite), &span))
            }
            DeValue::Boolean(yes) => Value::Bool(*yes),
            DeValue::Datetime(moment) => Value::Date(moment.to_string()),
            DeValue::Array(items) => {
                Value::List(items.iter().map(|item| self.node(item, depth + 1)).collect())
            }
            DeValue::Table(table) => Value::Table(self.table(table, depth + 1)),
        };
        Node { value, span }
    }

    fn fitting<T: Default>(&mut self, number: Option<T>, span: &Span) -> T {
        number.unwrap_or_else(|| {
            let message = "the number is larger than 64 bits hold";
            let problem = Problem::new("WEIR-JOB-001", message).at(span.clone(), "");
            self.problems.push(problem.help("write it as text, in quotes"));
            T::default()
        })
    }
}
