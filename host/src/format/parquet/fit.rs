//! Which columns a file has, and whether they are those of the schema.

use std::fs::File;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::basic::{Compression, Type as PhysicalType};
use parquet::file::metadata::ParquetMetaData;
use parquet::schema::types::SchemaDescriptor;

use super::unreadable;
use crate::format::FormatError;
use crate::types;

/// The columns of a file, in types of the table. Any of them may be null, because those of the
/// next file may.
pub fn schema(file: &File) -> Result<SchemaRef, FormatError> {
    let footer = footer(file)?;
    let mut fields = Vec::new();
    for field in footer.schema().fields() {
        fields.push(Field::new(field.name(), standard(field)?, true));
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// What a file says of itself, checked against its length.
pub(super) fn footer(file: &File) -> Result<ArrowReaderMetadata, FormatError> {
    let bytes = file.metadata().map_err(|error| lies(error.to_string()))?.len();
    if bytes == 0 {
        return Err(lies("it is empty"));
    }
    let found = ArrowReaderMetadata::load(file, ArrowReaderOptions::new()).map_err(unreadable)?;
    check(found.metadata(), bytes)?;
    let columns = Arc::clone(found.schema());
    let options = ArrowReaderOptions::new().with_schema(lean(&columns, found.parquet_schema()));
    ArrowReaderMetadata::try_new(Arc::clone(found.metadata()), options).map_err(unreadable)
}

fn lies(problem: impl Into<String>) -> FormatError {
    FormatError::Parquet { problem: problem.into() }
}

/// Checks that everything that is said to be in the file can be there.
fn check(footer: &ParquetMetaData, bytes: u64) -> Result<(), FormatError> {
    let mut rows = 0_i64;
    for (number, group) in footer.row_groups().iter().enumerate() {
        let fine = group.num_rows() >= 0;
        rows = rows.checked_add(group.num_rows()).filter(|_| fine).ok_or_else(|| {
            lies(format!("row group {number} is said to have {} rows", group.num_rows()))
        })?;
        for column in group.columns() {
            let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
            let start = u64::try_from(start.min(column.data_page_offset())).ok();
            let length = u64::try_from(column.compressed_size()).ok();
            let end = start.zip(length).and_then(|(start, length)| start.checked_add(length));
            let within = end.is_some_and(|end| end <= bytes);
            if !within || column.num_values() < 0 || column.uncompressed_size() < 0 {
                let name = column.column_path().string();
                return Err(lies(format!(
                    "column `{name}` of row group {number} is said to lie where the file has ended"
                )));
            }
        }
    }
    let told = footer.file_metadata().num_rows();
    if told == rows {
        return Ok(());
    }
    Err(lies(format!("it is said to have {told} rows, and its row groups to have {rows}")))
}

/// The columns as they are read: text as views, which share the bytes of a dictionary, so that
/// rows take no more memory than the file says; old timestamps without a detour over nanoseconds,
/// which end in the year 2262.
fn lean(columns: &Schema, parquet: &SchemaDescriptor) -> SchemaRef {
    let is_int96 = |name: &str| {
        let mut leaves = parquet.columns().iter();
        leaves.any(|leaf| {
            leaf.path().parts() == [name] && leaf.physical_type() == PhysicalType::INT96
        })
    };
    let fields = columns.fields().iter().map(|field| {
        let data_type = match field.data_type() {
            DataType::Timestamp(TimeUnit::Nanosecond, None) if is_int96(field.name()) => {
                DataType::Timestamp(TimeUnit::Microsecond, None)
            }
            DataType::Dictionary(_, value) => viewed(value),
            other => viewed(other),
        };
        Arc::new(field.as_ref().clone().with_data_type(data_type))
    });
    let fields: Fields = fields.collect();
    Arc::new(Schema::new_with_metadata(fields, columns.metadata().clone()))
}

fn viewed(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
        other => other.clone(),
    }
}

/// For each column of the schema, which one of the file it is.
pub(super) fn places(file: &Schema, wanted: &Schema) -> Result<Vec<usize>, FormatError> {
    wanted.fields().iter().map(|field| place(file, field)).collect()
}

fn place(file: &Schema, wanted: &Field) -> Result<usize, FormatError> {
    let fields = file.fields().iter().enumerate();
    let mut found = fields.filter(|(_, field)| field.name() == wanted.name());
    let Some((place, field)) = found.next() else {
        return Err(misfit(wanted, "is not there".into()));
    };
    if found.next().is_some() {
        return Err(misfit(wanted, "stands there twice".into()));
    }
    let (has, wants) = (standard(field)?, plain(wanted.data_type()));
    if fits(&has, &wants) {
        return Ok(place);
    }
    let (has, wants) = (types::describe(&has), types::describe(wanted.data_type()));
    Err(misfit(wanted, format!("has the type {has}, and the schema says {wants}")))
}

/// That a column does not fit.
pub(super) fn misfit(column: &Field, problem: String) -> FormatError {
    FormatError::ParquetColumn { column: column.name().clone(), problem }
}

/// Whether every value of one type is one of the other.
fn fits(has: &DataType, wants: &DataType) -> bool {
    match (has, wants) {
        (DataType::Int32, DataType::Int64 | DataType::Float64) => true,
        (DataType::Decimal128(p, s), DataType::Decimal128(digits, scale)) => {
            let before = |precision: u8, scale: i8| i16::from(precision) - i16::from(scale);
            s <= scale && before(*p, *s) <= before(*digits, *scale)
        }
        _ => has == wants,
    }
}

/// Checks that this build unpacks all columns that are read.
pub(super) fn check_codecs(
    footer: &ParquetMetaData,
    read: &ProjectionMask,
) -> Result<(), FormatError> {
    for group in footer.row_groups() {
        let columns = group.columns().iter().enumerate();
        for (_, column) in columns.filter(|(leaf, _)| read.leaf_included(*leaf)) {
            let codec = column.compression();
            let known = matches!(
                codec,
                Compression::UNCOMPRESSED
                    | Compression::SNAPPY
                    | Compression::GZIP(_)
                    | Compression::ZSTD(_)
            );
            if !known {
                let problem = format!(
                    "is compressed with {codec}, which is not built in; none, snappy, gzip and \
                     zstd are"
                );
                return Err(FormatError::ParquetColumn {
                    column: column.column_path().string(),
                    problem,
                });
            }
        }
    }
    Ok(())
}

fn standard(field: &Field) -> Result<DataType, FormatError> {
    let standard = types::standard(field.data_type()).map(|data_type| plain(&data_type));
    standard.filter(|data_type| types::name(data_type).is_some()).ok_or_else(|| {
        let data_type = field.data_type();
        misfit(field, format!("has the type {data_type}, which has no name in Weir"))
    })
}

/// A type with the names and nulls that Weir gives to the items of a list.
fn plain(data_type: &DataType) -> DataType {
    match data_type {
        DataType::List(item) => {
            DataType::List(Arc::new(Field::new("item", plain(item.data_type()), true)))
        }
        DataType::Struct(fields) => {
            let fields = fields.iter();
            let fields =
                fields.map(|field| Field::new(field.name(), plain(field.data_type()), true));
            DataType::Struct(fields.collect())
        }
        other => other.clone(),
    }
}
