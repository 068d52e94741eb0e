//! A row: a struct whose fields are columns.

use crate::bindings::weir::operator::rows::{Column, Rows};
use crate::bindings::weir::operator::schema::Field as FieldDef;
use crate::buffer::ColumnOut;

/// A struct whose fields are columns. Derive it.
///
/// A field that borrows (`&'a str`) is read where it lies. `#[weir(name = "…")]` names a column
/// that can't be the name of a field.
pub trait Row {
    /// The row, borrowed from its columns for as long as they are there.
    type At<'r>;
    /// Reads rows.
    type Reader<'r>;
    /// Writes rows.
    type Writer: Default;

    /// The columns.
    fn columns() -> Vec<FieldDef>;

    /// A reader of rows whose columns stand in the order of `columns`.
    fn reader(rows: &Rows) -> Self::Reader<'_>;

    /// One row.
    fn get<'r>(reader: &Self::Reader<'r>, row: usize) -> Self::At<'r>;

    /// Adds a row.
    fn put(row: &Self::At<'_>, writer: &mut Self::Writer);

    /// Adds something in the place of a row that was rejected.
    fn put_nothing(writer: &mut Self::Writer);

    /// Ends the rows: their columns in order. The writer is empty afterwards.
    fn finish(writer: &mut Self::Writer) -> Vec<ColumnOut>;
}

/// How far to go from value to value in a column: nowhere in a constant one.
#[doc(hidden)]
pub fn stride(rows: &Rows, column: usize) -> usize {
    let constant = rows.columns.get(column).is_some_and(|c| c.length == 1 && rows.count != 1);
    usize::from(!constant)
}

/// Rows as they cross.
pub fn sealed(columns: Vec<ColumnOut>, count: usize) -> Rows {
    let columns = columns
        .into_iter()
        .map(|mut column| {
            if count == 0 {
                column.constant = false;
            }
            let length = if column.constant { 1 } else { count };
            Column {
                length: length as u32,
                null_count: column.nulls as u32,
                buffers: column.buffers,
            }
        })
        .collect();
    Rows { count: count as u32, columns }
}
