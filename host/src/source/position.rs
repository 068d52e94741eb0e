//! How far a source was read, and how ranges and positions are written down.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};

use super::{FileRange, SourceError, SourceRange};
use crate::types;

/// The version of what is written.
const VERSION: u8 = 1;

/// The most bytes that are decoded: a range lists the files of a batch.
const BYTES_MAX: usize = 256 << 20;

/// What batches before have taken from a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// The columns that were found in its input, if they were.
    pub schema: Option<SchemaRef>,
    /// The last range that was not empty. Of files it may be left out.
    pub last: Option<SourceRange>,
    /// Every file that was taken.
    pub files: Vec<FileRange>,
}

/// A position as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
struct PositionV1 {
    schema: Option<Vec<(String, String, bool)>>,
    last: Option<SourceRange>,
}

impl SourceRange {
    /// The bytes of a range, for a record.
    pub fn to_bytes(&self) -> Vec<u8> {
        write(self)
    }

    /// The range that was written so.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SourceError> {
        read(bytes)
    }
}

impl Taken {
    /// The bytes of a position, for a record: without the files, which are too many.
    pub fn to_bytes(&self) -> Vec<u8> {
        let column = |field: &Arc<Field>| {
            let data_type = types::name(field.data_type())?;
            Some((field.name().clone(), data_type, field.is_nullable()))
        };
        let columns = |schema: &SchemaRef| schema.fields().iter().map(column).collect();
        let last = self.last.clone().filter(|last| !matches!(last, SourceRange::Files(_)));
        write(&PositionV1 { schema: self.schema.as_ref().and_then(columns), last })
    }

    /// The position that was written so.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SourceError> {
        let PositionV1 { schema, last } = read(bytes)?;
        let field = |(name, data_type, nullable): (String, String, bool)| {
            let data_type = types::parse(&data_type).map_err(|_| unreadable())?;
            Ok(Field::new(name, data_type, nullable))
        };
        let schema = match schema {
            None => None,
            Some(columns) => {
                let fields: Result<Vec<_>, SourceError> = columns.into_iter().map(field).collect();
                Some(SchemaRef::new(Schema::new(fields?)))
            }
        };
        Ok(Self { schema, last, files: Vec::new() })
    }
}

fn write(it: &impl bincode::Encode) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    // Numbers and text always encode, and memory can always be written to.
    let encoded = bincode::encode_to_vec(it, bincode::config::standard());
    bytes.extend(encoded.unwrap_or_default());
    bytes
}

fn read<T: bincode::Decode<()>>(bytes: &[u8]) -> Result<T, SourceError> {
    let Some((&VERSION, rest)) = bytes.split_first() else { return Err(unreadable()) };
    let config = bincode::config::standard().with_limit::<BYTES_MAX>();
    match bincode::decode_from_slice(rest, config) {
        Ok((it, used)) if used == rest.len() => Ok(it),
        _ => Err(unreadable()),
    }
}

fn unreadable() -> SourceError {
    SourceError::Range { problem: "what was written of it can't be read".into() }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::DataType;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_written_comes_back() {
        let schema = SchemaRef::new(Schema::new(vec![
            Field::new("a b", DataType::Utf8, true),
            Field::new("n", DataType::Decimal128(10, 2), false),
        ]));
        let last = Some(SourceRange::Rows { list: 3 });
        let taken = Taken { schema: Some(schema), last, files: Vec::new() };
        assert_eq!(Taken::from_bytes(&taken.to_bytes()).unwrap(), taken);
        let file = FileRange { path: "a".into(), bytes: 1, modified: -1 };
        let range = SourceRange::Files(vec![file]);
        assert_eq!(SourceRange::from_bytes(&range.to_bytes()).unwrap(), range);
        assert_eq!(Taken { last: Some(range), ..Taken::default() }.to_bytes(), [1, 0, 0]);
    }

    proptest! {
        #[test]
        fn other_bytes_are_refused_or_read_without_a_panic(bytes: Vec<u8>) {
            let _ = Taken::from_bytes(&bytes);
            let _ = SourceRange::from_bytes(&[&[VERSION], &bytes[..]].concat());
        }
    }
}
