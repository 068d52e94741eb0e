//! What a component says of itself, checked and in Arrow's terms.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::abi::v0_1::exports::weir::operator::guest as wire;
use super::abi::v0_1::weir::operator::schema::FieldResult;
use crate::types;

/// What shape a function has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One row out for a row in.
    Mapper,
    /// Keep a row or not.
    Predicate,
    /// Any number of rows out for a row in.
    FlatMapper,
    /// Many rows of a key to one.
    Aggregator,
    /// All rows of a batch in, rows out.
    Transformer,
    /// A state for each key that lives on from batch to batch.
    Updater,
}

impl Kind {
    /// The word for people and for WIT.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mapper => "mapper",
            Self::Predicate => "predicate",
            Self::FlatMapper => "flat-mapper",
            Self::Aggregator => "aggregator",
            Self::Transformer => "transformer",
            Self::Updater => "updater",
        }
    }
}

impl Kind {
    /// One of them, for people.
    pub fn one(self) -> String {
        let article = if matches!(self, Self::Aggregator | Self::Updater) { "an" } else { "a" };
        format!("{article} {}", self.name())
    }
}

/// What a function promises about being called again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Determinism {
    /// An instance may be reused over batches.
    Pure,
    /// The result depends on recorded calls.
    RecordedCalls,
    /// Every batch gets a fresh instance.
    Free,
}

impl Determinism {
    /// The word for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pure => "pure",
            Self::RecordedCalls => "recorded-calls",
            Self::Free => "free",
        }
    }
}

/// A way out of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// Its columns; none when they are decided at `open`.
    pub schema: Option<SchemaRef>,
}

/// One function, as described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// The name.
    pub name: String,
    /// The shape.
    pub kind: Kind,
    /// For the person who writes the job.
    pub doc: String,
    /// The columns it reads; none when they are decided at `open`.
    pub reads: Option<SchemaRef>,
    /// Where rows come out.
    pub ports: Vec<Port>,
    /// The columns of the state of an aggregator or an updater.
    pub state: SchemaRef,
    /// The version of the state's meaning.
    pub state_version: u32,
    /// A condition that may be tested before a row crosses.
    pub condition: Option<String>,
    /// A JSON Schema of the config, or empty.
    pub config_schema: String,
    /// What must be granted.
    pub capabilities: Vec<String>,
    /// The oldest host version, or empty.
    pub needs_host: String,
    /// The promise.
    pub determinism: Determinism,
}

/// Functions of one component.
const FUNCTIONS_MAX: usize = 1_000;
/// Columns of one schema, those inside of lists and structs counted too.
const COLUMNS_MAX: usize = 10_000;
/// Ports of one function.
const PORTS_MAX: usize = 64;

/// Bytes of the text that explains a function, and of the name of a column or a port.
const DOC_BYTES_MAX: usize = 64 * 1024;
const NAME_BYTES_MAX: usize = 1024;
/// Bytes of all other texts of a function.
const TEXT_BYTES_MAX: usize = 1024 * 1024;
/// So much of a text stands in a message.
const SHOWN_BYTES_MAX: usize = 80;

/// The beginning of a text, for a message.
pub(super) fn brief(text: &str) -> String {
    let end = text.floor_char_boundary(SHOWN_BYTES_MAX);
    if end < text.len() { format!("{}…", &text[..end]) } else { text.to_owned() }
}

/// Checks what `describe` gave.
pub(super) fn functions(described: Vec<wire::Function>) -> Result<Vec<Function>, String> {
    if described.is_empty() {
        return Err("it has no functions".to_owned());
    }
    if described.len() > FUNCTIONS_MAX {
        return Err(format!("it has more than {FUNCTIONS_MAX} functions"));
    }
    let mut names = HashSet::new();
    described
        .into_iter()
        .map(|function| {
            let name = function.name.clone();
            if !names.insert(name.clone()) {
                return Err(format!("it has two functions `{}`", brief(&name)));
            }
            one(function).map_err(|reason| format!("function `{}`: {reason}", brief(&name)))
        })
        .collect()
}

fn kind_of(kind: wire::Kind) -> Kind {
    match kind {
        wire::Kind::Mapper => Kind::Mapper,
        wire::Kind::Predicate => Kind::Predicate,
        wire::Kind::FlatMapper => Kind::FlatMapper,
        wire::Kind::Aggregator => Kind::Aggregator,
        wire::Kind::Transformer => Kind::Transformer,
        wire::Kind::Updater => Kind::Updater,
    }
}

fn check_texts(function: &wire::Function) -> Result<(), String> {
    let other = [&function.config_schema, &function.needs_host];
    let other = other.into_iter().chain(&function.capabilities).chain(&function.where_);
    if function.doc.len() > DOC_BYTES_MAX || other.map(String::len).sum::<usize>() > TEXT_BYTES_MAX
    {
        return Err(format!(
            "its `doc` has more than {} KiB, or its other texts more than {} KiB",
            DOC_BYTES_MAX / 1024,
            TEXT_BYTES_MAX / 1024
        ));
    }
    Ok(())
}

fn one(function: wire::Function) -> Result<Function, String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if function.name.is_empty() || function.name.len() > 64 || !function.name.chars().all(word) {
        return Err("a name has 1 to 64 letters, digits, `-` or `_`".to_owned());
    }
    check_texts(&function)?;
    let kind = kind_of(function.kind);
    let state = schema(function.state)?;
    if matches!(kind, Kind::Aggregator | Kind::Updater) == state.fields().is_empty() {
        let reason = "an aggregator has state columns, as an updater has, and nothing else has";
        return Err(reason.to_owned());
    }
    if kind == Kind::Updater && function.state_version == 0 {
        return Err("the states of an updater have a version, from 1 on".to_owned());
    }
    let ports = ports(function.ports)?;
    check_ports(kind, &ports)?;
    if function.where_.is_some() && !matches!(kind, Kind::Predicate | Kind::FlatMapper) {
        return Err(format!("{} can't have a condition", kind.one()));
    }
    Ok(Function {
        name: function.name,
        kind,
        doc: function.doc,
        reads: function.reads.map(schema).transpose()?,
        ports,
        state,
        state_version: function.state_version,
        condition: function.where_,
        config_schema: function.config_schema,
        capabilities: function.capabilities,
        needs_host: function.needs_host,
        determinism: match function.determinism {
            wire::Determinism::Pure => Determinism::Pure,
            wire::Determinism::RecordedCalls => Determinism::RecordedCalls,
            wire::Determinism::Free => Determinism::Free,
        },
    })
}

/// Checks that a function of this kind can have these ports.
pub(super) fn check_ports(kind: Kind, ports: &[Port]) -> Result<(), String> {
    let wrong = match kind {
        Kind::Predicate => !ports.is_empty(),
        Kind::Mapper | Kind::Aggregator => ports.len() != 1,
        Kind::FlatMapper | Kind::Transformer | Kind::Updater => {
            ports.is_empty() || ports.len() > PORTS_MAX
        }
    };
    if wrong {
        return Err(format!("{} can't have {} ports", kind.one(), ports.len()));
    }
    let mut names = HashSet::new();
    match ports.iter().find(|port| !names.insert(port.name.as_str())) {
        Some(port) => Err(format!("it has two ports `{}`", brief(&port.name))),
        None => Ok(()),
    }
}

/// Ports in Arrow's terms.
pub(super) fn ports(ports: Vec<wire::Port>) -> Result<Vec<Port>, String> {
    let mut columns = 0;
    ports
        .into_iter()
        .map(|port| {
            if port.name.len() > NAME_BYTES_MAX {
                return Err(format!("the port name `{}` is too long", brief(&port.name)));
            }
            let schema = port.fields.map(schema).transpose();
            let schema = schema.map_err(|reason| format!("port `{}`: {reason}", port.name))?;
            columns += schema.iter().flat_map(|schema| schema.fields()).map(width).sum::<usize>();
            if columns > COLUMNS_MAX {
                return Err(format!("its ports have more than {COLUMNS_MAX} columns"));
            }
            Ok(Port { name: port.name, schema })
        })
        .collect()
}

/// How many columns a field stands for: itself, and those in it.
fn width(field: &Arc<Field>) -> usize {
    1 + match field.data_type() {
        DataType::List(item) => width(item),
        DataType::Struct(fields) => fields.iter().map(width).sum(),
        _ => 0,
    }
}

/// A schema in Arrow's terms.
pub(super) fn schema(fields: Vec<FieldResult>) -> Result<SchemaRef, String> {
    if fields.len() > COLUMNS_MAX {
        return Err(format!("a schema has more than {COLUMNS_MAX} columns"));
    }
    let mut names = HashSet::new();
    let mut columns = Vec::with_capacity(fields.len());
    let mut sum = 0;
    for field in fields {
        if field.name.is_empty() || !names.insert(field.name.clone()) {
            let name = brief(&field.name);
            return Err(format!("the column name `{name}` is empty or stands twice"));
        }
        if field.name.len() > NAME_BYTES_MAX {
            return Err(format!("the column name `{}` is too long", brief(&field.name)));
        }
        let data_type = match types::parse(&field.data_type) {
            Ok(data_type) => data_type,
            Err(_) if field.data_type.len() > SHOWN_BYTES_MAX => {
                let shown = brief(&field.data_type);
                return Err(format!("column `{}`: `{shown}` is not a type", field.name));
            }
            Err(error) => return Err(format!("column `{}`: {error}", field.name)),
        };
        let column = Arc::new(Field::new(field.name, data_type, field.nullable));
        sum += width(&column);
        if sum > COLUMNS_MAX {
            return Err(format!(
                "a schema has more than {COLUMNS_MAX} columns, inner ones counted"
            ));
        }
        columns.push(column);
    }
    Ok(Arc::new(Schema::new(columns)))
}
