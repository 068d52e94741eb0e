//! Arrow columns to row bytes.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type,
    TimestampMicrosecondType,
};

use super::cursor::put_number;

/// Columns whose rows are to be written.
pub(in crate::state) struct RowWriter<'a> {
    columns: Vec<Column<'a>>,
    /// How many of them may be null.
    nullable: usize,
}

struct Column<'a> {
    values: Values<'a>,
    nulls: Option<&'a NullBuffer>,
    nullable: bool,
}

enum Values<'a> {
    Bool(&'a BooleanArray),
    Four(&'a [i32]),
    Eight(&'a [i64]),
    /// And whether floats that count as equal are written alike.
    Float(&'a [f64], bool),
    Sixteen(&'a [i128]),
    Bytes(&'a [i32], &'a [u8]),
    List(&'a [i32], Box<Column<'a>>),
    Struct(RowWriter<'a>),
}

impl<'a> RowWriter<'a> {
    /// Takes columns with, for each, whether its field may be null. Their types were checked by
    /// the schema. `canonical` is for keys, whose floats are made equal where they count as equal.
    pub fn new(columns: &[(&'a ArrayRef, bool)], canonical: bool) -> Self {
        let columns: Vec<Column<'a>> = columns
            .iter()
            .map(|(array, nullable)| Column::new(array, *nullable, canonical))
            .collect();
        let nullable = columns.iter().filter(|column| column.nullable).count();
        Self { columns, nullable }
    }

    /// Appends a row: the bits of presence of the columns that may be null, then every column.
    #[inline]
    pub fn put(&self, row: usize, out: &mut Vec<u8>) {
        if self.nullable > 0 {
            self.put_presence(row, out);
        }
        for column in &self.columns {
            column.put(row, out);
        }
    }

    fn put_presence(&self, row: usize, out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + self.nullable.div_ceil(8), 0);
        let nullable = self.columns.iter().filter(|column| column.nullable);
        for (bit, column) in nullable.enumerate() {
            if column.is_present(row) {
                out[start + bit / 8] |= 1 << (bit % 8);
            }
        }
    }

    fn put_default(&self, out: &mut Vec<u8>) {
        out.resize(out.len() + self.nullable.div_ceil(8), 0);
        for column in &self.columns {
            column.put_default(out);
        }
    }
}

impl<'a> Column<'a> {
    fn new(array: &'a ArrayRef, nullable: bool, canonical: bool) -> Self {
        let values = match array.data_type() {
            DataType::Boolean => Values::Bool(array.as_boolean()),
            DataType::Int32 => Values::Four(array.as_primitive::<Int32Type>().values()),
            DataType::Date32 => Values::Four(array.as_primitive::<Date32Type>().values()),
            DataType::Int64 => Values::Eight(array.as_primitive::<Int64Type>().values()),
            DataType::Timestamp(..) => {
                Values::Eight(array.as_primitive::<TimestampMicrosecondType>().values())
            }
            DataType::Float64 => {
                Values::Float(array.as_primitive::<Float64Type>().values(), canonical)
            }
            DataType::Decimal128(..) => {
                Values::Sixteen(array.as_primitive::<Decimal128Type>().values())
            }
            DataType::Utf8 => {
                let array = array.as_string::<i32>();
                Values::Bytes(array.value_offsets(), array.value_data())
            }
            DataType::List(item) => {
                let list = array.as_list::<i32>();
                let items = Column::new(list.values(), item.is_nullable(), canonical);
                Values::List(list.value_offsets(), Box::new(items))
            }
            DataType::Struct(fields) => {
                let nullable = fields.iter().map(|field| field.is_nullable());
                let columns: Vec<_> = array.as_struct().columns().iter().zip(nullable).collect();
                Values::Struct(RowWriter::new(&columns, canonical))
            }
            _ => {
                let array = array.as_binary::<i32>();
                Values::Bytes(array.value_offsets(), array.value_data())
            }
        };
        Self { values, nulls: array.nulls(), nullable }
    }

    #[inline]
    fn is_present(&self, row: usize) -> bool {
        self.nulls.is_none_or(|nulls| nulls.is_valid(row))
    }

    #[inline]
    fn put(&self, row: usize, out: &mut Vec<u8>) {
        if !self.is_present(row) {
            return self.put_default(out);
        }
        match &self.values {
            Values::Bool(values) => out.push(u8::from(values.value(row))),
            Values::Four(values) => out.extend_from_slice(&values[row].to_le_bytes()),
            Values::Eight(values) => out.extend_from_slice(&values[row].to_le_bytes()),
            Values::Float(values, canonical) => {
                let value = if *canonical { same_float(values[row]) } else { values[row] };
                out.extend_from_slice(&value.to_le_bytes());
            }
            Values::Sixteen(values) => out.extend_from_slice(&values[row].to_le_bytes()),
            Values::Bytes(offsets, bytes) => {
                let bytes = &bytes[offsets[row] as usize..offsets[row + 1] as usize];
                put_number(bytes.len() as u64, out);
                out.extend_from_slice(bytes);
            }
            Values::List(offsets, items) => {
                items.put_list(offsets[row] as usize, offsets[row + 1] as usize, out);
            }
            Values::Struct(writer) => writer.put(row, out),
        }
    }

    fn put_list(&self, start: usize, end: usize, out: &mut Vec<u8>) {
        put_number((end - start) as u64, out);
        if self.nullable {
            let first = out.len();
            out.resize(first + (end - start).div_ceil(8), 0);
            for (bit, item) in (start..end).enumerate() {
                out[first + bit / 8] |= u8::from(self.is_present(item)) << (bit % 8);
            }
        }
        for item in start..end {
            self.put(item, out);
        }
    }

    /// What stands for a null: as many bytes as any value if the type has a width.
    fn put_default(&self, out: &mut Vec<u8>) {
        match &self.values {
            Values::Bool(_) | Values::Bytes(..) | Values::List(..) => out.push(0),
            Values::Four(_) => out.extend_from_slice(&[0; 4]),
            Values::Eight(_) | Values::Float(..) => out.extend_from_slice(&[0; 8]),
            Values::Sixteen(_) => out.extend_from_slice(&[0; 16]),
            Values::Struct(writer) => writer.put_default(out),
        }
    }
}

/// The float that stands for all that count as equal to this one.
#[inline]
pub(in crate::state) fn same_float(value: f64) -> f64 {
    if value.is_nan() { f64::NAN } else { value + 0.0 }
}
