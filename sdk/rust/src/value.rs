//! What a field of a row can be.

use std::marker::PhantomData;

use crate::buffer::{Bits, Buffers, ColumnOut, Validity};
use crate::scalar::{Bytes, BytesBuf, Date, Decimal, Timestamp};

/// A type that a column can hold. Implemented for `bool`, `i32`, `i64`, `f64`, `&str`, `String`,
/// [`Bytes`], [`BytesBuf`], [`Date`], [`Timestamp`], [`Decimal`], `Option` and `Vec` of these, and
/// for every struct that derives [`Row`](macro@crate::Row).
pub trait Field {
    /// The value, borrowed from the column where it can be.
    type At<'r>;
    /// Reads values of a column.
    type Reader<'r>;
    /// Writes values of a column.
    type Writer: Default;
    /// Whether a value may be missing.
    const NULLABLE: bool = false;

    /// The name of the type, as in job.toml.
    fn type_name() -> String;

    /// Takes the buffers of a column.
    fn reader<'r>(buffers: &mut Buffers<'r>) -> Self::Reader<'r>;

    /// The value of a row.
    fn get<'r>(reader: &Self::Reader<'r>, row: usize) -> Self::At<'r>;

    /// Adds a value.
    fn put(value: &Self::At<'_>, writer: &mut Self::Writer);

    /// Adds something in the place of a value that is missing.
    fn put_nothing(writer: &mut Self::Writer);

    /// Ends a column: its buffers, depth first. The writer is empty afterwards.
    fn finish(writer: &mut Self::Writer, column: &mut ColumnOut);

    /// Adds a validity buffer for a column that is not nullable.
    #[doc(hidden)]
    fn all_valid(column: &mut ColumnOut) {
        column.buffers.push(Vec::new());
    }
}

/// Reads numbers of a fixed width.
#[derive(Debug)]
pub struct FixedReader<'r, T, const WIDTH: usize> {
    values: &'r [[u8; WIDTH]],
    of: PhantomData<T>,
}

/// Writes numbers of a fixed width; as long as all are equal only the first is kept.
#[derive(Debug)]
pub struct FixedWriter<T, const WIDTH: usize> {
    values: Vec<[u8; WIDTH]>,
    first: Option<T>,
    count: usize,
    varied: bool,
    /// How long the last column was: the next one will probably be like it.
    hint: usize,
}

impl<T, const WIDTH: usize> Default for FixedWriter<T, WIDTH> {
    fn default() -> Self {
        Self { values: Vec::new(), first: None, count: 0, varied: false, hint: 0 }
    }
}

macro_rules! fixed {
    ($($type:ty, $raw:ty, $name:expr, $wrap:expr, $unwrap:expr, [$($generics:tt)*];)+) => {$(
        impl $($generics)* FixedWriter<$type, { size_of::<$raw>() }> {
            #[inline]
            fn push(&mut self, value: $type) {
                let raw: $raw = $unwrap(value);
                if self.varied {
                    self.values.push(raw.to_le_bytes());
                    return;
                }
                self.push_early(value);
            }

            /// As long as all were equal.
            #[cold]
            fn push_early(&mut self, value: $type) {
                let raw: $raw = $unwrap(value);
                match self.first {
                    Some(first) if $unwrap(first).to_le_bytes() == raw.to_le_bytes() => {
                        self.count += 1;
                    }
                    None => (self.first, self.count) = (Some(value), 1),
                    Some(first) => {
                        self.values.reserve(self.hint.max(self.count + 1));
                        self.values.resize(self.count, $unwrap(first).to_le_bytes());
                        self.values.push(raw.to_le_bytes());
                        self.varied = true;
                    }
                }
            }

            fn drain(&mut self, column: &mut ColumnOut) {
                if let (Some(first), false) = (self.first, self.varied) {
                    self.values = vec![$unwrap(first).to_le_bytes()];
                    column.constant = true;
                }
                let hint = self.values.len();
                column.buffers.push(std::mem::take(&mut self.values).into_flattened());
                *self = Self { hint, ..Self::default() };
            }
        }

        impl $($generics)* Field for $type {
            type At<'r> = $type;
            type Reader<'r> = FixedReader<'r, $type, { size_of::<$raw>() }>;
            type Writer = FixedWriter<$type, { size_of::<$raw>() }>;

            fn type_name() -> String {
                $name
            }

            fn reader<'r>(buffers: &mut Buffers<'r>) -> Self::Reader<'r> {
                let _validity = buffers.take();
                FixedReader { values: buffers.take().as_chunks().0, of: PhantomData }
            }

            #[inline]
            fn get<'r>(reader: &Self::Reader<'r>, row: usize) -> Self::At<'r> {
                $wrap(<$raw>::from_le_bytes(reader.values[row]))
            }

            #[inline]
            fn put(value: &Self, writer: &mut Self::Writer) {
                writer.push(*value);
            }

            fn put_nothing(writer: &mut Self::Writer) {
                writer.push($wrap(<$raw>::default()));
            }

            fn finish(writer: &mut Self::Writer, column: &mut ColumnOut) {
                Self::all_valid(column);
                writer.drain(column);
            }
        }
    )+};
}

fixed! {
    i32, i32, "int32".into(), |raw| raw, |value: i32| value, [];
    i64, i64, "int64".into(), |raw| raw, |value: i64| value, [];
    f64, f64, "float64".into(), |raw| raw, |value: f64| value, [];
    Date, i32, "date".into(), Date, |value: Date| value.0, [];
    Timestamp, i64, "timestamp".into(), Timestamp, |value: Timestamp| value.0, [];
    Decimal<P, S>, i128, format!("decimal({P},{S})"), Decimal,
        |value: Decimal<P, S>| value.0, [<const P: u8, const S: u8>];
}

impl Field for bool {
    type At<'r> = Self;
    type Reader<'r> = &'r [u8];
    type Writer = Bits;

    fn type_name() -> String {
        "bool".into()
    }

    fn reader<'r>(buffers: &mut Buffers<'r>) -> Self::Reader<'r> {
        let _validity = buffers.take();
        buffers.take()
    }

    fn get<'r>(reader: &Self::Reader<'r>, row: usize) -> Self::At<'r> {
        reader[row / 8] >> (row % 8) & 1 == 1
    }

    fn put(value: &Self, writer: &mut Bits) {
        writer.push(*value);
    }

    fn put_nothing(writer: &mut Bits) {
        writer.push(false);
    }

    fn finish(writer: &mut Bits, column: &mut ColumnOut) {
        Self::all_valid(column);
        column.buffers.push(writer.finish());
    }
}

/// Reads values of any length.
#[derive(Debug)]
pub struct SpanReader<'r> {
    offsets: &'r [[u8; 4]],
    bytes: &'r [u8],
}

#[inline]
fn offset(offsets: &[[u8; 4]], at: usize) -> usize {
    i32::from_le_bytes(offsets[at]) as usize
}

impl<'r> SpanReader<'r> {
    fn new(buffers: &mut Buffers<'r>) -> Self {
        let _validity = buffers.take();
        Self { offsets: buffers.take().as_chunks().0, bytes: buffers.take() }
    }

    #[inline]
    fn get(&self, row: usize) -> &'r [u8] {
        &self.bytes[offset(self.offsets, row)..offset(self.offsets, row + 1)]
    }
}

/// Writes values of any length.
#[derive(Debug)]
pub struct SpanWriter {
    offsets: Vec<[u8; 4]>,
    bytes: Vec<u8>,
}

impl Default for SpanWriter {
    fn default() -> Self {
        Self { offsets: vec![[0; 4]], bytes: Vec::new() }
    }
}

/// Appends a value. Most are short, and a copy of a length that is known only when it runs is a
/// call out of WebAssembly: two copies of a fixed length that overlap are far quicker.
#[inline]
fn append(bytes: &mut Vec<u8>, value: &[u8]) {
    let (start, length) = (bytes.len(), value.len());
    match length {
        0 => {}
        1..4 => {
            bytes.extend_from_slice(&[value[0], value[length / 2], value[length - 1]]);
            bytes.truncate(start + length);
            // Of two bytes the second is the last one.
            bytes[start + length - 1] = value[length - 1];
        }
        4..8 => overlapping::<4, 8>(bytes, value),
        8..=16 => overlapping::<8, 16>(bytes, value),
        _ => bytes.extend_from_slice(value),
    }
}

/// Appends a value of `HALF` to `WHOLE` bytes.
#[inline]
fn overlapping<const HALF: usize, const WHOLE: usize>(bytes: &mut Vec<u8>, value: &[u8]) {
    let end = bytes.len() + value.len();
    let room = bytes.len();
    bytes.extend_from_slice(&[0; WHOLE]);
    bytes[room..room + HALF].copy_from_slice(&value[..HALF]);
    bytes[end - HALF..end].copy_from_slice(&value[value.len() - HALF..]);
    bytes.truncate(end);
}

impl SpanWriter {
    #[inline]
    fn push(&mut self, value: &[u8]) {
        append(&mut self.bytes, value);
        // A chunk that comes near 2 GiB is refused by the host long before.
        self.offsets.push((self.bytes.len() as i32).to_le_bytes());
    }

    fn drain(&mut self, column: &mut ColumnOut) {
        column.buffers.push(Vec::new());
        // The next column will probably be like this one.
        let mut offsets = Vec::with_capacity(self.offsets.len());
        offsets.push([0; 4]);
        let bytes = Vec::with_capacity(self.bytes.len());
        column.buffers.push(std::mem::replace(&mut self.offsets, offsets).into_flattened());
        column.buffers.push(std::mem::replace(&mut self.bytes, bytes));
    }
}

macro_rules! spans {
    ($($type:ty, $at:ty, $name:literal, $from:expr, $bytes:expr;)+) => {$(
        impl Field for $type {
            type At<'r> = $at;
            type Reader<'r> = SpanReader<'r>;
            type Writer = SpanWriter;

            fn type_name() -> String {
                $name.into()
            }

            fn reader<'r>(buffers: &mut Buffers<'r>) -> Self::Reader<'r> {
                SpanReader::new(buffers)
            }

            #[inline]
            fn get<'r>(reader: &Self::Reader<'r>, row: usize) -> Self::At<'r> {
                $from(reader.get(row))
            }

            #[inline]
            fn put(value: &Self::At<'_>, writer: &mut Self::Writer) {
                writer.push($bytes(value));
            }

            fn put_nothing(writer: &mut Self::Writer) {
                writer.push(&[]);
            }

            fn finish(writer: &mut Self::Writer, column: &mut ColumnOut) {
                writer.drain(column);
            }
        }
    )+};
}

#[inline]
fn text(bytes: &[u8]) -> &str {
    // SAFETY: the host sends text columns as UTF-8 with offsets at character boundaries: it
    // validates every column that becomes a string, and the guest's memory is only written by the
    // guest and by the host. A host that lied could only break this guest, which it owns anyway.
    unsafe { std::str::from_utf8_unchecked(bytes) }
}

fn str_bytes<'v>(value: &'v &str) -> &'v [u8] {
    value.as_bytes()
}

fn bytes_bytes<'v>(value: &'v Bytes<'_>) -> &'v [u8] {
    value.0
}

fn buf_bytes(value: &BytesBuf) -> &[u8] {
    &value.0
}

spans! {
    &str, &'r str, "string", text, str_bytes;
    String, String, "string", |bytes| text(bytes).to_owned(), String::as_bytes;
    Bytes<'_>, Bytes<'r>, "binary", Bytes, bytes_bytes;
    BytesBuf, BytesBuf, "binary", |bytes: &[u8]| BytesBuf(bytes.to_vec()), buf_bytes;
}

/// Reads values that may be missing.
#[derive(Debug)]
pub struct OptionReader<'r, R> {
    validity: Validity<'r>,
    values: R,
}

/// Writes values that may be missing.
#[derive(Debug, Default)]
pub struct OptionWriter<W> {
    validity: Bits,
    values: W,
}

impl<T: Field> Field for Option<T> {
    type At<'r> = Option<T::At<'r>>;
    type Reader<'r> = OptionReader<'r, T::Reader<'r>>;
    type Writer = OptionWriter<T::Writer>;
    const NULLABLE: bool = true;

    fn type_name() -> String {
        T::type_name()
    }

    fn reader<'r>(buffers: &mut Buffers<'r>) -> Self::Reader<'r> {
        let validity = Validity(buffers.peek());
        OptionReader { validity, values: T::reader(buffers) }
    }

    #[inline]
    fn get<'r>(reader: &Self::Reader<'r>, row: usize) -> Self::At<'r> {
        reader.validity.get(row).then(|| T::get(&reader.values, row))
    }

    fn put(value: &Self::At<'_>, writer: &mut Self::Writer) {
        writer.validity.push(value.is_some());
        match value {
            Some(value) => T::put(value, &mut writer.values),
            None => T::put_nothing(&mut writer.values),
        }
    }

    fn put_nothing(writer: &mut Self::Writer) {
        writer.validity.push(false);
        T::put_nothing(&mut writer.values);
    }

    fn finish(writer: &mut Self::Writer, column: &mut ColumnOut) {
        let (place, nulls) = (column.buffers.len(), writer.validity.zeros());
        let bits = writer.validity.finish();
        T::finish(&mut writer.values, column);
        column.nulls = nulls;
        if nulls > 0 {
            // A column in which some values are null is not constant.
            column.expand_bits(bits.len());
            column.buffers[place] = bits;
        }
    }
}

/// Reads lists.
#[derive(Debug)]
pub struct ListReader<'r, R> {
    offsets: &'r [[u8; 4]],
    items: R,
}

/// Writes lists.
#[derive(Debug)]
pub struct ListWriter<W> {
    offsets: Vec<[u8; 4]>,
    items: W,
    count: usize,
}

impl<W: Default> Default for ListWriter<W> {
    fn default() -> Self {
        Self { offsets: vec![[0; 4]], items: W::default(), count: 0 }
    }
}

impl<T: Field> Field for Vec<T> {
    type At<'r> = Vec<T::At<'r>>;
    type Reader<'r> = ListReader<'r, T::Reader<'r>>;
    type Writer = ListWriter<T::Writer>;

    fn type_name() -> String {
        format!("list<{}{}>", T::type_name(), if T::NULLABLE { "?" } else { "" })
    }

    fn reader<'r>(buffers: &mut Buffers<'r>) -> Self::Reader<'r> {
        let _validity = buffers.take();
        ListReader { offsets: buffers.take().as_chunks().0, items: T::reader(buffers) }
    }

    fn get<'r>(reader: &Self::Reader<'r>, row: usize) -> Self::At<'r> {
        (offset(reader.offsets, row)..offset(reader.offsets, row + 1))
            .map(|item| T::get(&reader.items, item))
            .collect()
    }

    fn put(value: &Self::At<'_>, writer: &mut Self::Writer) {
        for item in value {
            T::put(item, &mut writer.items);
        }
        writer.count += value.len();
        writer.offsets.push((writer.count as i32).to_le_bytes());
    }

    fn put_nothing(writer: &mut Self::Writer) {
        writer.offsets.push((writer.count as i32).to_le_bytes());
    }

    fn finish(writer: &mut Self::Writer, column: &mut ColumnOut) {
        Self::all_valid(column);
        column.buffers.push(std::mem::replace(&mut writer.offsets, vec![[0; 4]]).into_flattened());
        let count = std::mem::take(&mut writer.count);
        nested::<T>(&mut writer.items, count, column);
    }
}

/// Ends a column inside of another one: such columns are never constant.
#[doc(hidden)]
pub fn nested<T: Field>(writer: &mut T::Writer, count: usize, column: &mut ColumnOut) {
    let mut inner = ColumnOut::default();
    T::finish(writer, &mut inner);
    inner.expand(count);
    column.buffers.append(&mut inner.buffers);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_every_length_are_appended() {
        let letters: Vec<u8> = (b'a'..=b'z').collect();
        let mut bytes = b"start".to_vec();
        let mut expected = bytes.clone();
        for length in 0..=letters.len() {
            append(&mut bytes, &letters[..length]);
            expected.extend_from_slice(&letters[..length]);
            assert_eq!(bytes, expected, "{length}");
        }
    }
}
