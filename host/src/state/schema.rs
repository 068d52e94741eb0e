//! The columns of a state, as Arrow knows them and as they are written down.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use xxhash_rust::xxh3::xxh3_64;

use super::StateError;
use super::row::Layout;
use crate::id::NodeId;
use crate::types;

/// Bytes that a schema may take.
pub(super) const SCHEMA_BYTES_MAX: usize = 1024 * 1024;

/// The columns of the keys and of the states of an op, with the version that its function gives
/// them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateSchema {
    version: u32,
    key: SchemaRef,
    state: SchemaRef,
    layout: Layout,
    id: u64,
}

/// A schema as it is written: the version, then name, type and nullability of each column.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub(super) struct SchemaV1 {
    version: u32,
    key: Vec<(String, String, bool)>,
    state: Vec<(String, String, bool)>,
}

impl StateSchema {
    /// Takes columns. Their types must be among those of job.toml; a key has at least one column.
    pub fn new(version: u32, key: Fields, state: Fields) -> Result<Self, StateError> {
        if key.is_empty() {
            return Err(StateError::NoKey);
        }
        for field in key.iter().chain(&state) {
            check(field.name(), field.data_type())?;
        }
        let layout = Layout::new(&key, &state);
        let [key, state] = [key, state].map(|fields| Arc::new(Schema::new(fields)));
        let mut schema = Self { version, key, state, layout, id: 0 };
        schema.id = xxh3_64(&encode(&schema.record()));
        Ok(schema)
    }

    /// The version that the function gives its state.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The key columns.
    pub fn key(&self) -> &SchemaRef {
        &self.key
    }

    /// The state columns.
    pub fn state(&self) -> &SchemaRef {
        &self.state
    }

    /// What parts of a state refer to their schema by: the xxh3-64 of it as it is written.
    pub fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn check_same(&self, other: &Self, op: &NodeId) -> Result<(), StateError> {
        if self.id == other.id {
            return Ok(());
        }
        let (op, have, want) = (op.as_str().to_owned(), self.version, other.version);
        Err(StateError::OtherSchema { op, have, want })
    }

    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    pub(super) fn record(&self) -> SchemaV1 {
        let columns = |schema: &SchemaRef| {
            let column = |field: &Arc<Field>| {
                let data_type = types::name(field.data_type()).unwrap_or_default();
                (field.name().clone(), data_type, field.is_nullable())
            };
            schema.fields().iter().map(column).collect()
        };
        SchemaV1 { version: self.version, key: columns(&self.key), state: columns(&self.state) }
    }

    pub(super) fn from_record(record: &SchemaV1) -> Result<Self, StateError> {
        let fields = |columns: &[(String, String, bool)]| {
            let field = |(name, data_type, nullable): &(String, String, bool)| {
                let data_type = types::parse(data_type).map_err(|_| StateError::ColumnType {
                    column: name.clone(),
                    data_type: data_type.clone(),
                })?;
                Ok(Field::new(name, data_type, *nullable))
            };
            columns.iter().map(field).collect::<Result<Fields, StateError>>()
        };
        Self::new(record.version, fields(&record.key)?, fields(&record.state)?)
    }
}

/// Encodes a record of ours.
pub(super) fn encode(record: &impl bincode::Encode) -> Vec<u8> {
    bincode::encode_to_vec(record, bincode::config::standard())
        .expect("writing numbers and text to memory can't fail")
}

fn check(column: &str, data_type: &DataType) -> Result<(), StateError> {
    let refused =
        || StateError::ColumnType { column: column.to_owned(), data_type: data_type.to_string() };
    // The names do not hold what the item of a list is called, which a column would be refused for.
    let name = types::name(data_type).ok_or_else(refused)?;
    match types::parse(&name) {
        Ok(parsed) if parsed == *data_type && !has_empty(data_type) => Ok(()),
        _ => Err(refused()),
    }
}

/// Whether some value of the type takes no bytes, so that a count could not be checked by them.
fn has_empty(data_type: &DataType) -> bool {
    match data_type {
        DataType::Struct(fields) => {
            fields.is_empty() || fields.iter().any(|field| has_empty(field.data_type()))
        }
        DataType::List(item) => has_empty(item.data_type()),
        _ => false,
    }
}
