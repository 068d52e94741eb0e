//! Rows to buffers and back: what crosses the wall, and what is believed of what comes back.
//!
//! Going in, a column is borrowed where its buffers already are as the package wants them and
//! copied only where a slice has to be moved to the front. Coming back, each buffer becomes an
//! Arrow buffer without a copy, and the array is validated in full before anybody sees it.

use std::borrow::Cow;
use std::sync::Arc;

use crate::types;
use arrow::array::{
    Array, ArrayData, ArrayRef, BooleanArray, Decimal128Array, RecordBatch, RecordBatchOptions,
    UInt32Array, make_array,
};
use arrow::buffer::{Buffer, MutableBuffer};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, SchemaRef};

/// A chunk of rows ends after so many rows …
pub const CHUNK_ROWS_MAX: usize = 8_192;

/// … or after so many bytes, whichever comes first.
pub const CHUNK_BYTES_MAX: usize = 512 * 1024;

/// One column as it crosses: buffers depth first.
#[derive(Debug)]
pub struct Flat<'a> {
    /// Values.
    pub length: usize,
    /// Nulls among them, at the top level.
    pub null_count: usize,
    /// The buffers.
    pub buffers: Vec<Cow<'a, [u8]>>,
}

/// A column that came out, as it came out.
#[derive(Debug)]
pub struct Raw {
    /// Values the buffers are said to hold.
    pub length: u32,
    /// Nulls there are said to be.
    pub null_count: u32,
    /// The buffers.
    pub buffers: Vec<Vec<u8>>,
}

/// How many rows the next chunk of `rows` has, from `start` on, by the fixed rule.
pub fn chunk_rows(rows: &RecordBatch, start: usize) -> usize {
    let left = (rows.num_rows() - start).min(CHUNK_ROWS_MAX);
    let bytes = |count: usize| -> usize {
        rows.columns().iter().map(|column| value_bytes(column, start, count)).sum()
    };
    if left <= 1 || bytes(left) <= CHUNK_BYTES_MAX {
        return left;
    }
    let (mut fits, mut too_many) = (1, left);
    while too_many - fits > 1 {
        let middle = fits.midpoint(too_many);
        if bytes(middle) <= CHUNK_BYTES_MAX { fits = middle } else { too_many = middle }
    }
    fits
}

/// Bytes that the values of some rows take up, without counting validity.
fn value_bytes(column: &ArrayRef, start: usize, count: usize) -> usize {
    let data_type = column.data_type();
    match data_type {
        DataType::Utf8 | DataType::Binary | DataType::List(_) => {
            let data = column.to_data();
            let offsets = &data.buffers()[0].typed_data::<i32>()[data.offset()..];
            let inner = (offsets[start + count] - offsets[start]) as usize;
            let per_item = match data_type {
                DataType::List(field) => field.data_type().primitive_width().unwrap_or(16),
                _ => 1,
            };
            count * 4 + inner * per_item
        }
        DataType::Struct(fields) => fields.len().max(1) * 16 * count,
        DataType::Boolean => count.div_ceil(8),
        other => other.primitive_width().unwrap_or(16) * count,
    }
}

/// About how many bytes the values of each row take up, for cutting rows that do not stand next to
/// each other.
pub fn row_bytes(rows: &RecordBatch) -> Vec<u64> {
    let mut bytes = vec![0; rows.num_rows()];
    for column in rows.columns() {
        let data = column.to_data();
        let per_item = match column.data_type() {
            DataType::Utf8 | DataType::Binary => Some(1),
            DataType::List(item) => Some(item.data_type().primitive_width().unwrap_or(16) as u64),
            _ => None,
        };
        let Some(per_item) = per_item.filter(|_| !data.is_empty()) else {
            let each = value_bytes(column, 0, usize::from(!column.is_empty())) as u64;
            bytes.iter_mut().for_each(|bytes| *bytes += each);
            continue;
        };
        let offsets = &data.buffers()[0].typed_data::<i32>()[data.offset()..];
        for (bytes, ends) in bytes.iter_mut().zip(offsets.windows(2)) {
            *bytes += 4 + (ends[1] - ends[0]) as u64 * per_item;
        }
    }
    bytes
}

/// The buffers of a column, depth first. Types are those of the table in `types`.
pub fn flatten(column: &dyn Array) -> ArrayData {
    column.to_data()
}

/// Turns a column into what crosses; the data must outlive the call.
pub fn flat(data: &ArrayData) -> Flat<'_> {
    let mut buffers = Vec::with_capacity(3);
    push_buffers(data, &mut buffers);
    Flat { length: data.len(), null_count: data.null_count(), buffers }
}

fn push_buffers<'a>(data: &'a ArrayData, out: &mut Vec<Cow<'a, [u8]>>) {
    push_validity(data, out);
    let (offset, length) = (data.offset(), data.len());
    match data.data_type() {
        DataType::Boolean => {
            let bits = data.buffers()[0].bit_slice(offset, length);
            out.push(Cow::Owned(bits.as_slice()[..length.div_ceil(8)].to_vec()));
        }
        DataType::Utf8 | DataType::Binary => {
            let (first, last) = push_offsets(data, out);
            out.push(Cow::Borrowed(&data.buffers()[1].as_slice()[first..last]));
        }
        DataType::List(_) => {
            let (first, last) = push_offsets(data, out);
            push_child(&data.child_data()[0].slice(first, last - first), out);
        }
        DataType::Struct(_) => {
            for child in data.child_data() {
                push_child(&child.slice(offset, length), out);
            }
        }
        other => {
            let width = other.primitive_width().unwrap_or(0);
            let bytes = data.buffers()[0].as_slice();
            out.push(Cow::Borrowed(&bytes[offset * width..(offset + length) * width]));
        }
    }
}

/// A child was sliced into a value of its own, so its buffers are copied.
fn push_child(child: &ArrayData, out: &mut Vec<Cow<'_, [u8]>>) {
    let mut own = Vec::new();
    push_buffers(child, &mut own);
    out.extend(own.into_iter().map(|buffer| Cow::Owned(buffer.into_owned())));
}

fn push_validity(data: &ArrayData, out: &mut Vec<Cow<'_, [u8]>>) {
    out.push(match data.nulls() {
        Some(nulls) if nulls.null_count() > 0 => {
            let bits = nulls.inner().sliced();
            Cow::Owned(bits.as_slice()[..data.len().div_ceil(8)].to_vec())
        }
        _ => Cow::Borrowed(&[]),
    });
}

/// Pushes offsets that begin at 0; gives what they point into.
fn push_offsets<'a>(data: &'a ArrayData, out: &mut Vec<Cow<'a, [u8]>>) -> (usize, usize) {
    if data.is_empty() {
        out.push(Cow::Owned(vec![0; 4]));
        return (0, 0);
    }
    let offsets =
        &data.buffers()[0].typed_data::<i32>()[data.offset()..=data.offset() + data.len()];
    let (first, last) = (offsets[0], offsets[data.len()]);
    out.push(if first == 0 {
        let bytes = data.buffers()[0].as_slice();
        Cow::Borrowed(&bytes[data.offset() * 4..(data.offset() + data.len() + 1) * 4])
    } else {
        let moved: Vec<i32> = offsets.iter().map(|offset| offset - first).collect();
        Cow::Owned(Buffer::from_vec(moved).as_slice().to_vec())
    });
    (first as usize, last as usize)
}

/// Makes rows of what came back, for a schema that was agreed; `spread` is how many bytes columns
/// of one value may still take up when that is written out. The error says which column lies and
/// how.
pub fn assemble(
    schema: &SchemaRef,
    count: u32,
    columns: Vec<Raw>,
    ignored: &[u32],
    spread: &mut u64,
) -> Result<RecordBatch, String> {
    if columns.len() != schema.fields().len() {
        return Err(format!(
            "it gave {} columns where {} were agreed",
            columns.len(),
            schema.fields().len()
        ));
    }
    let mut arrays = Vec::with_capacity(columns.len());
    for (field, raw) in schema.fields().iter().zip(columns) {
        let array = column(field, (count, ignored), raw, spread)
            .map_err(|reason| format!("column `{}`: {reason}", field.name()))?;
        arrays.push(array);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(count as usize));
    if ignored.is_empty() {
        return RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options)
            .map_err(|error| error.to_string());
    }
    let kept = kept_rows(count, ignored);
    let arrays: Result<Vec<_>, _> = arrays.iter().map(|array| take(array, &kept, None)).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(kept.len()));
    RecordBatch::try_new_with_options(
        Arc::clone(schema),
        arrays.map_err(|error| error.to_string())?,
        &options,
    )
    .map_err(|error| error.to_string())
}

/// The rows of a chunk that are left when some are taken out.
pub fn kept_rows(count: u32, ignored: &[u32]) -> UInt32Array {
    let mut out = ignored.iter().peekable();
    (0..count)
        .filter(|row| {
            let drop = out.peek() == Some(&row);
            if drop {
                out.next();
            }
            !drop
        })
        .collect()
}

fn column(
    field: &Field,
    (count, ignored): (u32, &[u32]),
    raw: Raw,
    spread: &mut u64,
) -> Result<ArrayRef, String> {
    let constant = raw.length == 1 && count != 1;
    if raw.length != count && !constant {
        return Err(format!("it has {} values for {count} rows", raw.length));
    }
    let said = raw.null_count as usize;
    let mut buffers = raw.buffers.into_iter();
    let data = build(field.data_type(), raw.length as usize, &mut buffers)?;
    if buffers.next().is_some() {
        return Err(format!(
            "it has more buffers than its type {} has",
            types::describe(field.data_type())
        ));
    }
    if data.null_count() != said {
        return Err(format!("it says {said} nulls and has {}", data.null_count()));
    }
    let array = make_array(data);
    check_decimals(&array)?;
    if !field.is_nullable() && said > 0 {
        let wrong = (0..array.len() as u32)
            .find(|row| array.is_null(*row as usize) && ignored.binary_search(row).is_err());
        if let Some(row) = wrong {
            return Err(format!("row {row} is null, but the column is not nullable"));
        }
    }
    if constant { written_out(&array, count, spread) } else { Ok(array) }
}

/// The one value of a column, as often as there are rows.
fn written_out(array: &ArrayRef, count: u32, spread: &mut u64) -> Result<ArrayRef, String> {
    let value = array.to_data().get_slice_memory_size().map_err(|error| error.to_string())?;
    let bytes = (value as u64).saturating_mul(u64::from(count));
    let Some(left) = spread.checked_sub(bytes) else {
        return Err(format!(
            "its one value takes up {bytes} bytes in {count} rows, more than `limits.result` allows"
        ));
    };
    *spread = left;
    let zeros = UInt32Array::from(vec![0; count as usize]);
    take(array, &zeros, None).map_err(|error| error.to_string())
}

fn next_buffer(buffers: &mut impl Iterator<Item = Vec<u8>>) -> Result<Vec<u8>, String> {
    buffers.next().ok_or_else(|| "buffers are missing".to_owned())
}

/// An Arrow buffer that begins where its type may begin.
fn aligned(bytes: Vec<u8>, alignment: usize) -> Buffer {
    if bytes.as_ptr().align_offset(alignment) == 0 {
        return Buffer::from_vec(bytes);
    }
    let mut moved = MutableBuffer::with_capacity(bytes.len());
    moved.extend_from_slice(&bytes);
    moved.into()
}

fn build(
    data_type: &DataType,
    length: usize,
    buffers: &mut impl Iterator<Item = Vec<u8>>,
) -> Result<ArrayData, String> {
    let validity = next_buffer(buffers)?;
    let mut builder = ArrayData::builder(data_type.clone()).len(length);
    if !validity.is_empty() {
        if validity.len() < length.div_ceil(8) {
            return Err(format!("its bitmap has {} bytes for {length} values", validity.len()));
        }
        builder = builder.null_bit_buffer(Some(Buffer::from_vec(validity)));
    }
    builder = match data_type {
        DataType::Boolean => builder.add_buffer(Buffer::from_vec(next_buffer(buffers)?)),
        DataType::Utf8 | DataType::Binary => {
            let offsets = checked_offsets(next_buffer(buffers)?, length)?.0;
            builder.add_buffer(offsets).add_buffer(Buffer::from_vec(next_buffer(buffers)?))
        }
        DataType::List(item) => {
            let (offsets, last) = checked_offsets(next_buffer(buffers)?, length)?;
            let child = build(item.data_type(), last, buffers)?;
            builder.add_buffer(offsets).add_child_data(child)
        }
        DataType::Struct(fields) => {
            for field in fields {
                builder = builder.add_child_data(build(field.data_type(), length, buffers)?);
            }
            builder
        }
        other => {
            let width = other.primitive_width().ok_or_else(|| format!("{other} can't cross"))?;
            builder.add_buffer(aligned(next_buffer(buffers)?, width))
        }
    };
    builder.build().map_err(|error| error.to_string())
}

/// Offsets as the package demands them; gives the last one too.
fn checked_offsets(bytes: Vec<u8>, length: usize) -> Result<(Buffer, usize), String> {
    let buffer = aligned(bytes, 4);
    let need = (length + 1) * 4;
    if buffer.len() < need {
        return Err(format!("its offsets have {} bytes where {need} are needed", buffer.len()));
    }
    let buffer = buffer.slice_with_length(0, need);
    let offsets = buffer.typed_data::<i32>();
    if offsets[0] != 0 {
        return Err(format!("its offsets begin at {} and not at 0", offsets[0]));
    }
    let ascending = offsets.iter().zip(&offsets[1..]).all(|(a, b)| a <= b);
    if !ascending {
        return Err("its offsets descend".to_owned());
    }
    let last = offsets[length] as usize;
    Ok((buffer, last))
}

fn check_decimals(array: &ArrayRef) -> Result<(), String> {
    if let DataType::Decimal128(precision, _) = array.data_type() {
        let decimals = array
            .as_any()
            .downcast_ref::<Decimal128Array>()
            .ok_or("a decimal column is not decimal")?;
        decimals.validate_decimal_precision(*precision).map_err(|error| error.to_string())?;
    }
    for child in array.to_data().child_data() {
        if contains_decimal(child.data_type()) {
            check_decimals(&make_array(child.clone()))?;
        }
    }
    Ok(())
}

fn contains_decimal(data_type: &DataType) -> bool {
    match data_type {
        DataType::Decimal128(..) => true,
        DataType::List(item) => contains_decimal(item.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| contains_decimal(field.data_type())),
        _ => false,
    }
}

/// The bitmap of a predicate as an array; rows that were rejected are out.
pub fn verdict(keep: Vec<u8>, count: u32, ignored: &[u32]) -> Result<BooleanArray, String> {
    let count = count as usize;
    if keep.len() < count.div_ceil(8) {
        return Err(format!("its verdict has {} bytes for {count} rows", keep.len()));
    }
    let mut bits = arrow::array::BooleanBufferBuilder::new(count);
    bits.append_packed_range(0..count, &keep);
    for row in ignored {
        bits.set_bit(*row as usize, false);
    }
    Ok(BooleanArray::new(bits.finish(), None))
}

#[cfg(test)]
mod tests;
