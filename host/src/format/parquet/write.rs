//! Rows to row groups.

use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::Compression;
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::format::{Encode, FormatError};
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
