//! Rows as they cross into a component.

use arrow::array::{ArrayData, RecordBatch};

use super::abi::v0_1::weir::operator::rows::{ColumnParam, RowsParam};
use super::columns::{self, Flat};

/// Calls with rows as the bindings want them: buffers are borrowed where they lie.
pub(super) fn lowered<T>(rows: &RecordBatch, call: impl FnOnce(RowsParam<'_>) -> T) -> T {
    let data: Vec<ArrayData> = rows.columns().iter().map(|column| column.to_data()).collect();
    let flats: Vec<Flat<'_>> = data.iter().map(columns::flat).collect();
    let buffers: Vec<Vec<&[u8]>> = flats
        .iter()
        .map(|flat| flat.buffers.iter().map(|buffer| buffer.as_ref()).collect())
        .collect();
    let params: Vec<ColumnParam<'_>> = flats
        .iter()
        .zip(&buffers)
        .map(|(flat, buffers)| ColumnParam {
            length: flat.length as u32,
            null_count: flat.null_count as u32,
            buffers,
        })
        .collect();
    call(RowsParam { count: rows.num_rows() as u32, columns: &params })
}
