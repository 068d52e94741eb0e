//! What a few values of a file are like: how large, where null, and how they read.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{filter, is_not_null};
use arrow::datatypes::{DataType, Field};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::format::FormatError;

/// How much of a value is shown in a message, in characters.
const SHOWN: usize = 64;

/// How much of a row that is refused is kept, in bytes.
const CONTENT_BYTES_MAX: usize = 64 * 1024;

/// What rows take once they are cast, about.
pub(super) fn bytes_of(rows: &RecordBatch) -> usize {
    rows.columns().iter().map(bytes_of_column).sum()
}

fn bytes_of_column(column: &ArrayRef) -> usize {
    // The length of a value is in the lowest bits of its view.
    let of_views = |views: &[u128]| views.iter().map(|view| *view as u32 as usize).sum::<usize>();
    let own = 4 * column.len();
    own + match column.data_type() {
        DataType::Utf8View => of_views(column.as_string_view().views()),
        DataType::BinaryView => of_views(column.as_binary_view().views()),
        DataType::List(_) => bytes_of_column(&items(column)),
        DataType::Struct(_) => column.as_struct().columns().iter().map(bytes_of_column).sum(),
        _ => column.to_data().get_slice_memory_size().unwrap_or(0),
    }
}

/// The items of all lists of a column.
fn items(lists: &ArrayRef) -> ArrayRef {
    let lists = lists.as_list::<i32>();
    let offsets = lists.value_offsets();
    match (offsets.first(), offsets.last()) {
        (Some(first), Some(last)) => {
            lists.values().slice(*first as usize, last.saturating_sub(*first) as usize)
        }
        _ => lists.values().slice(0, 0),
    }
}

/// The way down to a null where the schema allows none.
pub(super) fn null_in(field: &Field, column: &ArrayRef) -> Result<Option<String>, FormatError> {
    let nulls = column.logical_null_count();
    if !field.is_nullable() && nulls > 0 {
        return Ok(Some(field.name().clone()));
    }
    if !has_strict(field.data_type()) {
        return Ok(None);
    }
    // Below a null there is nothing that could be null.
    let column = if nulls > 0 { filter(column, &is_not_null(column)?)? } else { column.clone() };
    let below = |found: Option<String>| found.map(|way| format!("{}.{way}", field.name()));
    match (field.data_type(), column.data_type()) {
        (DataType::List(item), DataType::List(_)) => null_in(item, &items(&column)).map(below),
        (DataType::Struct(fields), DataType::Struct(_)) => {
            for (inner, column) in fields.iter().zip(column.as_struct().columns()) {
                if let Some(way) = null_in(inner, column)? {
                    return Ok(below(Some(way)));
                }
            }
            Ok(None)
        }
        _ => Ok(None),
    }
}

/// Whether something within a type may not be null.
fn has_strict(data_type: &DataType) -> bool {
    let strict = |field: &Field| !field.is_nullable() || has_strict(field.data_type());
    match data_type {
        DataType::List(item) => strict(item),
        DataType::Struct(fields) => fields.iter().any(|field| strict(field)),
        _ => false,
    }
}

/// The first value of a column, cut to a readable length.
pub(super) fn brief(column: &ArrayRef) -> String {
    let shown = shown(column).unwrap_or_else(|| "null".into());
    if shown.chars().nth(SHOWN).is_none() {
        return shown;
    }
    shown.chars().take(SHOWN).chain(['…']).collect()
}

fn shown(column: &ArrayRef) -> Option<String> {
    if column.is_empty() || column.is_null(0) {
        return None;
    }
    let options = FormatOptions::default().with_display_error(true);
    let formatter = ArrayFormatter::try_new(column, &options).ok()?;
    Some(formatter.value(0).to_string())
}

/// One row as an object of JSON whose values are text, cut when it is long.
pub(super) fn text(row: &RecordBatch) -> String {
    let schema = row.schema();
    let names = schema.fields().iter().map(|field| field.name().clone());
    let values = row.columns().iter().map(|column| shown(column).into());
    let object: serde_json::Map<String, serde_json::Value> = names.zip(values).collect();
    let mut text = serde_json::Value::Object(object).to_string();
    let end = (0..=CONTENT_BYTES_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text.truncate(end.unwrap_or(0));
    text
}
