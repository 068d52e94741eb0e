//! Row bytes to Arrow columns.

use std::sync::Arc;

use arrow::array::{
    ArrayData, ArrayRef, BooleanBufferBuilder, ListArray, NullBufferBuilder, StructArray,
    make_array,
};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, FieldRef, Fields};

use super::cursor::{Cursor, Malformed};

/// Columns that rows are read into.
pub(in crate::state) struct RowReader {
    columns: Vec<Column>,
    nullable: usize,
    rows: usize,
}

struct Column {
    field: FieldRef,
    values: Values,
    present: NullBufferBuilder,
    length: usize,
}

enum Values {
    Bool(BooleanBufferBuilder),
    Four(Vec<i32>),
    Eight(Vec<i64>),
    Sixteen(Vec<i128>),
    Bytes(Vec<i32>, Vec<u8>),
    List(Vec<i32>, Box<Column>),
    Struct(RowReader),
}

const LARGE: Malformed =
    Malformed("more than 2 GiB of one column are read at once: read fewer keys");

impl RowReader {
    /// Columns of these fields, with room for so many rows.
    pub fn new(fields: &Fields, rows: usize) -> Self {
        let columns: Vec<Column> = fields.iter().map(|field| Column::new(field, rows)).collect();
        let nullable = fields.iter().filter(|field| field.is_nullable()).count();
        Self { columns, nullable, rows: 0 }
    }

    /// Reads a row.
    #[inline]
    pub fn take(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Malformed> {
        let bits = cursor.take(self.nullable.div_ceil(8))?;
        let mut bit = 0;
        for column in &mut self.columns {
            let mut present = true;
            if column.field.is_nullable() {
                present = bits[bit / 8] >> (bit % 8) & 1 == 1;
                bit += 1;
            }
            column.take(cursor, present)?;
        }
        self.rows += 1;
        Ok(())
    }

    /// Adds a row of which only the number counts, because what it stands in is null.
    #[inline]
    pub fn take_nothing(&mut self) {
        for column in &mut self.columns {
            column.take_nothing();
        }
        self.rows += 1;
    }

    /// The columns.
    pub fn finish(self) -> Result<Vec<ArrayRef>, Malformed> {
        self.columns.into_iter().map(Column::finish).collect()
    }
}

impl Column {
    fn new(field: &FieldRef, rows: usize) -> Self {
        let values = match field.data_type() {
            DataType::Boolean => Values::Bool(BooleanBufferBuilder::new(rows)),
            DataType::Int32 | DataType::Date32 => Values::Four(Vec::with_capacity(rows)),
            DataType::Decimal128(..) => Values::Sixteen(Vec::with_capacity(rows)),
            DataType::Utf8 | DataType::Binary => Values::Bytes(vec![0], Vec::new()),
            DataType::List(item) => Values::List(vec![0], Box::new(Self::new(item, rows))),
            DataType::Struct(fields) => Values::Struct(RowReader::new(fields, rows)),
            _ => Values::Eight(Vec::with_capacity(rows)),
        };
        let present = NullBufferBuilder::new(rows);
        Self { field: Arc::clone(field), values, present, length: 0 }
    }

    #[inline]
    fn take(&mut self, cursor: &mut Cursor<'_>, present: bool) -> Result<(), Malformed> {
        self.present.append(present);
        self.length += 1;
        match &mut self.values {
            Values::Bool(values) => values.append(cursor.byte()? != 0),
            Values::Four(values) => values.push(i32::from_le_bytes(cursor.array()?)),
            Values::Eight(values) => values.push(i64::from_le_bytes(cursor.array()?)),
            Values::Sixteen(values) => values.push(i128::from_le_bytes(cursor.array()?)),
            Values::Bytes(offsets, bytes) => {
                let length = cursor.length()?;
                bytes.extend_from_slice(cursor.take(length)?);
                offsets.push(i32::try_from(bytes.len()).map_err(|_| LARGE)?);
            }
            Values::List(offsets, items) => {
                items.take_list(cursor)?;
                offsets.push(i32::try_from(items.length).map_err(|_| LARGE)?);
            }
            Values::Struct(reader) => reader.take(cursor)?,
        }
        Ok(())
    }

    fn take_list(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Malformed> {
        let count = cursor.length()?;
        if !self.field.is_nullable() {
            return (0..count).try_for_each(|_| self.take(cursor, true));
        }
        let bits = cursor.take(count.div_ceil(8))?;
        (0..count).try_for_each(|item| self.take(cursor, bits[item / 8] >> (item % 8) & 1 == 1))
    }

    fn take_nothing(&mut self) {
        self.present.append(!self.field.is_nullable());
        self.length += 1;
        match &mut self.values {
            Values::Bool(values) => values.append(false),
            Values::Four(values) => values.push(0),
            Values::Eight(values) => values.push(0),
            Values::Sixteen(values) => values.push(0),
            Values::Bytes(offsets, _) | Values::List(offsets, _) => {
                offsets.push(offsets[offsets.len() - 1]);
            }
            Values::Struct(reader) => reader.take_nothing(),
        }
    }

    fn finish(mut self) -> Result<ArrayRef, Malformed> {
        let nulls = self.present.finish();
        let data_type = self.field.data_type().clone();
        let (first, second) = match self.values {
            Values::Bool(mut values) => (values.finish().into_inner(), None),
            Values::Four(values) => (Buffer::from_vec(values), None),
            Values::Eight(values) => (Buffer::from_vec(values), None),
            Values::Sixteen(values) => (Buffer::from_vec(values), None),
            Values::Bytes(offsets, bytes) => {
                (Buffer::from_vec(offsets), Some(Buffer::from_vec(bytes)))
            }
            Values::List(offsets, items) => {
                let field = Arc::clone(&items.field);
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                let list = ListArray::try_new(field, offsets, items.finish()?, nulls);
                return list.map(|list| Arc::new(list) as _).map_err(|_| ODD);
            }
            Values::Struct(reader) => {
                let DataType::Struct(fields) = data_type else { return Err(ODD) };
                let columns = StructArray::try_new(fields, reader.finish()?, nulls);
                return columns.map(|columns| Arc::new(columns) as _).map_err(|_| ODD);
            }
        };
        let mut array = ArrayData::builder(data_type).len(self.length).add_buffer(first);
        if let Some(second) = second {
            array = array.add_buffer(second);
        }
        Ok(make_array(array.nulls(nulls).build().map_err(|_| ODD)?))
    }
}

const ODD: Malformed = Malformed("its values are not of the schema's types");
