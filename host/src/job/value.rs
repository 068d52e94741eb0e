//! A TOML document as values with their places.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

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

impl Table {
    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.entries.iter().find(|(known, _, _)| known == name).map(|(_, _, node)| node)
    }
}

/// How deep values may nest.
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
    /// The table as JSON.
    pub fn json(&self) -> serde_json::Map<String, serde_json::Value> {
        let entry = |(name, _, node): &(String, Span, Node)| (name.clone(), node.value.json());
        self.entries.iter().map(entry).collect()
    }
}

/// Reads a document; everything that can't be read is a problem.
pub fn read(text: &str) -> (Table, Vec<Problem>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut problems: Vec<Problem> = errors
        .iter()
        .map(|error| {
            let message = error.message().lines().collect::<Vec<_>>().join(" ");
            let problem = Problem::new("WEIR-JOB-001", message);
            match error.span() {
                Some(span) => problem.at(span, ""),
                None => problem,
            }
        })
        .collect();
    let table = entries(table.get_ref(), 0, &mut problems);
    (table, problems)
}

/// Reads one value, as it stands behind `--set`; what is not TOML is text.
pub fn read_one(text: &str) -> Node {
    let mut problems = Vec::new();
    match DeValue::parse(text) {
        Ok(value) => node(&value, 0, &mut problems),
        Err(_) => Node { value: Value::Text(text.to_owned()), span: 0..0 },
    }
}

fn entries(table: &DeTable<'_>, depth: usize, problems: &mut Vec<Problem>) -> Table {
    let mut entries: Vec<(String, Span, Node)> = table
        .iter()
        .map(|(name, value)| {
            (name.get_ref().to_string(), name.span(), node(value, depth, problems))
        })
        .collect();
    entries.sort_by_key(|(_, span, _)| span.start);
    Table { entries }
}

fn node(value: &Spanned<DeValue<'_>>, depth: usize, problems: &mut Vec<Problem>) -> Node {
    let span = value.span();
    if depth > DEPTH_MAX {
        problems.push(
            Problem::new("WEIR-JOB-002", format!("values nest more than {DEPTH_MAX} deep"))
                .at(span.clone(), ""),
        );
        return Node { value: Value::Bool(false), span };
    }
    let value = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => {
            match i64::from_str_radix(&number.as_str().replace('_', ""), number.radix()) {
                Ok(number) => Value::Int(number),
                Err(_) => {
                    problems.push(
                        Problem::new("WEIR-JOB-001", "the number is larger than 64 bits hold")
                            .at(span.clone(), ""),
                    );
                    Value::Int(0)
                }
            }
        }
        DeValue::Float(number) => {
            Value::Float(number.as_str().replace('_', "").parse().unwrap_or(f64::NAN))
        }
        DeValue::Boolean(yes) => Value::Bool(*yes),
        DeValue::Datetime(moment) => Value::Date(moment.to_string()),
        DeValue::Array(items) => {
            Value::List(items.iter().map(|item| node(item, depth + 1, problems)).collect())
        }
        DeValue::Table(table) => Value::Table(entries(table, depth + 1, problems)),
    };
    Node { value, span }
}
