//! Columns cross and come back as they were; lies are found.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array,
    Int64Array, ListArray, StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Int64Type, Schema};
use proptest::prelude::*;

use super::*;

fn back(array: &ArrayRef, nullable: bool) -> Result<ArrayRef, String> {
    let data = array.to_data();
    let flat = flat(&data);
    let raw = Raw {
        length: flat.length as u32,
        null_count: flat.null_count as u32,
        buffers: flat.buffers.into_iter().map(Cow::into_owned).collect(),
    };
    let field = Field::new("c", array.data_type().clone(), nullable);
    let schema = Arc::new(Schema::new(vec![field]));
    let rows = assemble(&schema, array.len() as u32, vec![raw], &[], &mut (1 << 20))?;
    Ok(Arc::clone(rows.column(0)))
}

fn samples() -> Vec<ArrayRef> {
    let list = ListArray::from_iter_primitive::<Int64Type, _, _>(vec![
        Some(vec![Some(1), None]),
        None,
        Some(vec![]),
        Some(vec![Some(4), Some(5)]),
        Some(vec![Some(6)]),
    ]);
    let strings =
        Arc::new(StringArray::from(vec![Some("a"), None, Some("żółw"), Some(""), Some("e")]));
    let numbers = Arc::new(Int32Array::from(vec![1, 2, 3, 4, 5]));
    let fields = vec![
        (Arc::new(Field::new("s", DataType::Utf8, true)), strings.clone() as ArrayRef),
        (Arc::new(Field::new("n", DataType::Int32, false)), numbers.clone() as ArrayRef),
    ];
    vec![
        strings,
        numbers,
        Arc::new(Int64Array::from(vec![Some(1), None, Some(3), Some(i64::MIN), Some(5)])),
        Arc::new(Float64Array::from(vec![Some(1.5), None, Some(f64::NAN), Some(-0.0), Some(5.0)])),
        Arc::new(BooleanArray::from(vec![Some(true), None, Some(false), Some(true), Some(true)])),
        Arc::new(BinaryArray::from_opt_vec(vec![
            Some(b"x"),
            None,
            Some(b""),
            Some(b"\xff"),
            Some(b"z"),
        ])),
        Arc::new(Date32Array::from(vec![0, -1, 2, 3, 4])),
        Arc::new(TimestampMicrosecondArray::from(vec![0, 1, 2, 3, 4]).with_timezone("UTC")),
        Arc::new(
            Decimal128Array::from(vec![Some(1), None, Some(-3), Some(4), Some(5)])
                .with_precision_and_scale(10, 2)
                .unwrap(),
        ),
        Arc::new(list),
        Arc::new(StructArray::from(fields)),
    ]
}

#[test]
fn every_type_comes_back_whole_sliced_and_empty() {
    for array in samples() {
        for (start, length) in [(0, 5), (1, 3), (2, 3), (4, 1), (3, 0), (0, 0)] {
            let slice = array.slice(start, length);
            let again = back(&slice, true).unwrap();
            assert_eq!(&again, &slice, "{} {start}+{length}", array.data_type());
        }
    }
}

fn lie(length: u32, null_count: u32, buffers: Vec<Vec<u8>>) -> String {
    let schema = Arc::new(Schema::new(vec![Field::new("w", DataType::Utf8, false)]));
    let raw = Raw { length, null_count, buffers };
    assemble(&schema, 2, vec![raw], &[], &mut (1 << 20)).unwrap_err()
}

fn offsets(values: &[i32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[test]
fn lies_are_named() {
    let text = b"ab".to_vec();
    for (message, column) in [
        (
            "it has 3 values for 2 rows",
            lie(3, 0, vec![vec![], offsets(&[0, 1, 2, 2]), text.clone()]),
        ),
        ("offsets descend", lie(2, 0, vec![vec![], offsets(&[0, 2, 1]), text.clone()])),
        ("begin at 1", lie(2, 0, vec![vec![], offsets(&[1, 1, 2]), text.clone()])),
        ("offsets have 8 bytes", lie(2, 0, vec![vec![], offsets(&[0, 1]), text.clone()])),
        ("buffers are missing", lie(2, 0, vec![vec![], offsets(&[0, 1, 2])])),
        ("more buffers", lie(2, 0, vec![vec![], offsets(&[0, 1, 2]), text.clone(), vec![]])),
        ("says 1 nulls and has 0", lie(2, 1, vec![vec![], offsets(&[0, 1, 2]), text.clone()])),
        ("row 1 is null", lie(2, 1, vec![vec![1], offsets(&[0, 1, 2]), text.clone()])),
    ] {
        assert!(column.contains(message), "{message}: {column}");
    }
    let out = lie(2, 0, vec![vec![], offsets(&[0, 1, 9]), text]);
    assert!(out.starts_with("column `w`"), "{out}");
    let utf8 = lie(2, 0, vec![vec![], offsets(&[0, 1, 2]), vec![0xff, 0xfe]]);
    assert!(utf8.to_lowercase().contains("utf"), "{utf8}");
}

#[test]
fn a_decimal_with_too_many_digits_is_a_lie() {
    let schema = Arc::new(Schema::new(vec![Field::new("d", DataType::Decimal128(3, 0), false)]));
    let raw =
        Raw { length: 1, null_count: 0, buffers: vec![vec![], 1000_i128.to_le_bytes().to_vec()] };
    assert!(assemble(&schema, 1, vec![raw], &[], &mut (1 << 20)).is_err());
}

#[test]
fn a_constant_column_stands_for_every_row() {
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
    let raw = Raw { length: 1, null_count: 0, buffers: vec![vec![], 7_i64.to_le_bytes().to_vec()] };
    let rows = assemble(&schema, 4, vec![raw], &[], &mut (1 << 20)).unwrap();
    assert_eq!(rows.column(0).as_ref(), &Int64Array::from(vec![7; 4]) as &dyn Array);
}

#[test]
fn a_constant_column_is_written_out_within_bounds_only() {
    let schema = Arc::new(Schema::new(vec![Field::new("w", DataType::Utf8, false)]));
    let raw = || {
        let text = vec![b'x'; 1 << 16];
        Raw { length: 1, null_count: 0, buffers: vec![vec![], offsets(&[0, 1 << 16]), text] }
    };
    let mut spread = 1 << 20;
    let rows = assemble(&schema, 8, vec![raw()], &[], &mut spread).unwrap();
    assert_eq!(rows.num_rows(), 8);
    assert!(spread < 1 << 19, "{spread}");
    for count in [9, u32::MAX] {
        let error = assemble(&schema, count, vec![raw()], &[], &mut spread).unwrap_err();
        assert!(error.contains("`limits.result`"), "{error}");
    }
}

#[test]
fn rejected_rows_are_taken_out() {
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
    let values: Vec<u8> = [1_i64, 0, 3].iter().flat_map(|value| value.to_le_bytes()).collect();
    let raw = Raw { length: 3, null_count: 1, buffers: vec![vec![0b101], values] };
    let rows = assemble(&schema, 3, vec![raw], &[1], &mut (1 << 20)).unwrap();
    assert_eq!(rows.num_rows(), 2);
}

#[test]
fn a_chunk_ends_by_rows_or_by_bytes() {
    let wide = "x".repeat(1000);
    let texts = StringArray::from_iter_values(std::iter::repeat_n(wide.as_str(), 9_000));
    let rows = RecordBatch::try_from_iter(vec![("t", Arc::new(texts) as ArrayRef)]).unwrap();
    let size = chunk_rows(&rows, 0);
    assert!(size * 1004 <= CHUNK_BYTES_MAX && (size + 1) * 1004 > CHUNK_BYTES_MAX, "{size}");
    let small = Int64Array::from(vec![1; 20_000]);
    let rows = RecordBatch::try_from_iter(vec![("n", Arc::new(small) as ArrayRef)]).unwrap();
    assert_eq!(chunk_rows(&rows, 0), CHUNK_ROWS_MAX);
    assert_eq!(chunk_rows(&rows, 16_384), 3_616);
}

proptest! {
    /// Whatever bytes come back: an error or a valid array, never a panic.
    #[test]
    fn any_bytes_are_an_error_or_valid(
        count in 0_u32..40,
        length in 0_u32..40,
        nulls in 0_u32..4,
        buffers in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..120), 0..7),
        which in 0_usize..11,
    ) {
        let data_type = samples()[which].data_type().clone();
        let schema = Arc::new(Schema::new(vec![Field::new("c", data_type, true)]));
        let raw = Raw { length, null_count: nulls, buffers };
        if let Ok(rows) = assemble(&schema, count, vec![raw], &[], &mut (1 << 20)) {
            rows.column(0).to_data().validate_full().unwrap();
        }
    }

    #[test]
    fn a_list_of_any_shape_comes_back(values in prop::collection::vec(
        prop::option::of(prop::collection::vec(prop::option::of(any::<i64>()), 0..5)), 1..40),
        cut in 0_usize..40,
    ) {
        let list: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(values));
        let slice = list.slice(cut.min(list.len()), list.len() - cut.min(list.len()));
        prop_assert_eq!(&back(&slice, true).unwrap(), &slice);
    }
}
