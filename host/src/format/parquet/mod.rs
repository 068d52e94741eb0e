//! Parquet: a file of columns, row group by row group.
//!
//! A column of the schema is found by its name; other columns of the file are not read. Its type
//! must be the one of the schema after it was cast to a type of the table in `types`: views,
//! dictionaries and large types become plain ones, small integers int32, unsigned ones int64,
//! times microseconds in UTC (what is finer is cut, text without a zone is UTC). Where the schema
//! has a type that holds all of its values, such as int64 for int32, they are widened. A value
//! that doesn't fit makes its row a bad one; it is never rounded. Without a schema the columns are
//! those of the file, and may be null.
//!
//! The library that reads panics on some damaged files, and believes what they say of their sizes:
//! whoever reads files of others with [`Reader`] does it in a process under limits.
//!
//! Files are written with Snappy, and a row group ends after 1,048,576 rows or 32 MiB; read are
//! also those that are not compressed, or with gzip or zstd.

mod fit;
mod read;
mod value;
mod write;

pub use fit::schema;
pub use read::{BadRow, Chunk, Reader};
pub use write::Encoder;

use ::parquet::errors::ParquetError;

use super::FormatError;

/// What the library says of a file.
fn unreadable(error: ParquetError) -> FormatError {
    let problem = match error {
        ParquetError::General(text) | ParquetError::EOF(text) | ParquetError::NYI(text) => text,
        other => other.to_string(),
    };
    FormatError::Parquet { problem }
}

#[cfg(test)]
mod tests;
