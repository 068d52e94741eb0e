//! The entries of a job: sources, ops, functions, sinks.

mod aggregates;
mod keeping;
mod op;
mod receiving;
mod sink;
mod source;
mod test;
mod windows;

pub use op::{function, op};
pub use sink::sink;
pub use source::source;
pub use test::test;

use super::fields::{Fields, Problems, brief};
use super::problem::{Problem, Span};
use super::schema::{self, Place};
use super::value::{Table, Value};
use super::{FormatKind, Input, Layout};
use crate::id::NodeId;

/// What a source reads, and a sink writes too.
const FORMATS: [(&str, FormatKind); 4] = [
    ("text", FormatKind::Text),
    ("json", FormatKind::Json),
    ("csv", FormatKind::Csv(Layout::COMMAS)),
    ("parquet", FormatKind::Parquet),
];

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `[[source]]`.
    Source,
    /// `[[op]]`.
    Op,
    /// `[[function]]`.
    Function,
    /// `[[sink]]`.
    Sink,
}

impl Kind {
    /// What an entry of the kind can be.
    pub fn places(self) -> &'static [Place] {
        match self {
            Self::Source => &schema::SOURCE,
            Self::Op => &schema::OP,
            Self::Function => &schema::FUNCTION,
            Self::Sink => &schema::SINK,
        }
    }
}

/// All kinds, with the names of their lists.
pub const KINDS: [(&str, Kind); 4] = [
    ("source", Kind::Source),
    ("op", Kind::Op),
    ("function", Kind::Function),
    ("sink", Kind::Sink),
];

/// An entry as it stands in the text, whatever is wrong inside of it.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// What it is.
    pub kind: Kind,
    /// Its settings.
    pub table: &'a Table,
    /// Where it begins.
    pub span: Span,
    /// Its id, when it has one that is text, and where that stands.
    pub id: Option<(&'a str, Span)>,
}

impl<'a> Entry<'a> {
    /// The entry of a table.
    pub fn new(kind: Kind, table: &'a Table, span: Span) -> Self {
        let id = table.get("id").and_then(|node| match &node.value {
            Value::Text(id) => Some((id.as_str(), node.span.clone())),
            _ => None,
        });
        Self { kind, table, span, id }
    }

    /// Whether rows come out of it.
    pub fn has_rows(&self) -> bool {
        matches!(self.kind, Kind::Source | Kind::Op)
    }

    /// Its settings, and its id if that is one. What is missing is marked at the id.
    fn open<'f>(&self, problems: &'f Problems) -> (Fields<'f>, Option<String>)
    where
        'a: 'f,
    {
        let table = (self.table, self.span.clone());
        let mut fields = Fields::new(table, self.kind.places(), problems);
        let id = fields.needed("id", "every entry has an `id`: it names its table and its metrics");
        let Some((id, span)) = id else { return (fields, None) };
        fields.span = span.clone();
        let fine = named(&id, &span, &fields, char::is_alphabetic);
        (fields, fine.then_some(id))
    }
}

/// Checks a name; `first` says what it may begin with.
pub fn named(name: &str, span: &Span, fields: &Fields<'_>, first: fn(char) -> bool) -> bool {
    let fine = name.len() <= 64
        && name.is_ascii()
        && name.starts_with(first)
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if !fine {
        let start = if first('0') { "a letter or a digit" } else { "a letter" };
        let help = match name.contains("${") {
            true => "entries and jobs are known by their names: write it out".to_owned(),
            false => format!("{start} first, then letters, digits, `-` or `_`; 64 at most"),
        };
        let message = format!("`{}` can't be a name", brief(name));
        fields.problem(Problem::new("WEIR-JOB-009", message).at(span.clone(), "").help(help));
    }
    fine
}

/// Where an entry reads from when it does not say so: the source or op above.
fn above(entries: &[Entry<'_>], entry: &Entry<'_>) -> Option<NodeId> {
    let before = entries.iter().take_while(|other| other.span.start < entry.span.start);
    let (id, _) = before.filter(|other| other.has_rows()).last()?.id.as_ref()?;
    Some(NodeId::new(*id))
}

/// `from`, or the entry above. None if what is written can't be read.
fn inputs(fields: &Fields<'_>, entries: &[Entry<'_>], entry: &Entry<'_>) -> Option<Vec<Input>> {
    if fields.take("from").is_some() {
        return written_inputs(fields);
    }
    let before = entries.iter().take_while(|other| other.span.start < entry.span.start);
    if !before.into_iter().any(Entry::has_rows) {
        fields.missing("from", "there is no source or op above to read from");
        return None;
    }
    let node = above(entries, entry)?;
    Some(vec![Input { node, port: None, span: fields.span.clone() }])
}

fn written_inputs(fields: &Fields<'_>) -> Option<Vec<Input>> {
    let (names, _) = fields.texts("from")?;
    names.iter().map(|(name, span)| input(name, span, fields)).collect()
}

fn input(text: &str, span: &Span, fields: &Fields<'_>) -> Option<Input> {
    let (node, port) = match text.split_once('.') {
        Some((node, port)) => (node, Some(port)),
        None => (text, None),
    };
    if node.is_empty() || port.is_some_and(|port| port.is_empty() || port.contains('.')) {
        let help = "it is the id of a source or op, or `id.port` for rows of another port";
        fields.senseless(span, format!("`from` can't be \"{}\"", brief(text)), help);
        return None;
    }
    Some(Input { node: NodeId::new(node), port: port.map(str::to_owned), span: span.clone() })
}
