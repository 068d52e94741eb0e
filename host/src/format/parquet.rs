//! Parquet, written only: a file of columns, compressed with Snappy. A row group ends after
//! 1,048,576 rows or 32 MiB.

use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::Compression;
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::{Encode, FormatError};
use crate::types;

/// A row group ends when it takes so many bytes.
const GROUP_BYTES: usize = 32 * 1024 * 1024;

/// Rows to bytes. The file begins with the first rows.
pub struct Encoder {
    schema: SchemaRef,
    writer: Option<ArrowWriter<Vec<u8>>>,
}

impl Encoder {
    /// An encoder for rows of this schema; refuses types that have no name in Weir.
    pub fn new(schema: &SchemaRef) -> Result<Self, FormatError> {
        if schema.fields().is_empty() {
            return Err(FormatError::NoColumnsToWrite { format: "parquet" });
        }
        for field in schema.fields() {
            if types::name(field.data_type()).is_none() {
                return Err(FormatError::Type {
                    column: field.name().clone(),
                    data_type: types::describe(field.data_type()),
                    format: "parquet",
                });
            }
        }
        // What Parquet can't say, such as a struct without fields, is refused before any row.
        writer(schema)?;
        Ok(Self { schema: Arc::clone(schema), writer: None })
    }
}

impl Encode for Encoder {
    fn encode(&mut self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<(), FormatError> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none.insert(writer(&self.schema)?),
        };
        writer.write(rows).map_err(unwritable)?;
        if writer.in_progress_size() >= GROUP_BYTES {
            writer.flush().map_err(unwritable)?;
        }
        out.append(writer.inner_mut());
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), FormatError> {
        if let Some(mut writer) = self.writer.take() {
            writer.finish().map_err(unwritable)?;
            out.append(writer.inner_mut());
        }
        Ok(())
    }
}

fn writer(schema: &SchemaRef) -> Result<ArrowWriter<Vec<u8>>, FormatError> {
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    ArrowWriter::try_new(Vec::new(), Arc::clone(schema), Some(properties)).map_err(unwritable)
}

fn unwritable(error: ParquetError) -> FormatError {
    FormatError::ParquetWrite { problem: error.to_string() }
}

#[cfg(test)]
mod tests {
    use ::parquet::arrow::arrow_reader::ParquetRecordBatchReader;
    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field, Schema};
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn columns() -> SchemaRef {
        let word = Field::new("w", DataType::Utf8, true);
        Arc::new(Schema::new(vec![word, Field::new("n", DataType::Int64, true)]))
    }

    fn rows(words: Vec<Option<String>>) -> RecordBatch {
        let numbers: Int64Array =
            (0..words.len() as i64).map(|n| (n % 3 > 0).then_some(n)).collect();
        let columns_of: Vec<ArrayRef> = vec![Arc::new(StringArray::from(words)), Arc::new(numbers)];
        RecordBatch::try_new(columns(), columns_of).unwrap()
    }

    fn encode(rows: &[RecordBatch]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = Encoder::new(&columns()).unwrap();
        rows.iter().for_each(|rows| encoder.encode(rows, &mut out).unwrap());
        encoder.finish(&mut out).unwrap();
        out
    }

    #[test]
    fn no_rows_are_no_file() {
        assert_eq!(encode(&[rows(Vec::new())]), b"");
    }

    #[test]
    fn types_without_a_name_are_refused_before_any_row() {
        let odd = Arc::new(Schema::new(vec![Field::new("u", DataType::UInt8, true)]));
        assert_eq!(Encoder::new(&odd).err().unwrap().code(), "WEIR-FORMAT-009");
        let none = Arc::new(Schema::empty());
        assert_eq!(Encoder::new(&none).err().unwrap().code(), "WEIR-FORMAT-017");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(50))]

        #[test]
        fn what_is_written_is_read_by_others(
            words in prop::collection::vec(prop::option::of(".*"), 1..50),
        ) {
            let rows = rows(words);
            let bytes = Bytes::from(encode(&[rows.clone(), rows.clone()]));
            let read = ParquetRecordBatchReader::try_new(bytes, 1024).unwrap();
            let back: Vec<RecordBatch> = read.map(Result::unwrap).collect();
            let schema = columns();
            let expected = arrow::compute::concat_batches(&schema, [&rows, &rows]).unwrap();
            prop_assert_eq!(arrow::compute::concat_batches(&schema, &back).unwrap(), expected);
        }
    }
}
