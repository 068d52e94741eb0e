//! What is written is read back; what does not fit is told.

use std::fs::File;
use std::io::{Seek, Write};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder,
    StringDictionaryBuilder, TimestampNanosecondArray, UInt64Array,
};
use arrow::datatypes::{
    DataType, Field, Int32Type, Int64Type, Schema, SchemaRef, TimestampMicrosecondType,
};
use proptest::prelude::*;

use super::*;
use crate::format::{CHUNK_BYTES_MAX, CHUNK_ROWS_MAX, Encode};
use crate::types;

fn schema_of(text: &str) -> SchemaRef {
    match types::parse(&format!("struct{{{text}}}")).unwrap() {
        DataType::Struct(fields) => Arc::new(Schema::new(fields)),
        other => panic!("{other}"),
    }
}

fn encode(rows: &[RecordBatch]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&rows[0].schema()).unwrap();
    rows.iter().for_each(|rows| encoder.encode(rows, &mut out).unwrap());
    encoder.finish(&mut out).unwrap();
    out
}

/// Writes rows as other programs do, in types that Weir has no name for.
fn foreign(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let rows = RecordBatch::try_from_iter(columns).unwrap();
    let mut out = Vec::new();
    let mut writer = ::parquet::arrow::ArrowWriter::try_new(&mut out, rows.schema(), None).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    out
}

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

fn chunks(bytes: &[u8], schema: &SchemaRef) -> Result<Vec<Chunk>, FormatError> {
    let mut reader = Reader::open(file(bytes), Arc::clone(schema))?;
    std::iter::from_fn(|| reader.next_chunk().transpose()).collect()
}

/// The rows of a file, all of which are good.
fn decode(bytes: &[u8], schema: &SchemaRef) -> Result<Vec<RecordBatch>, FormatError> {
    let mut rows = Vec::new();
    for chunk in chunks(bytes, schema)? {
        assert_eq!((chunk.bad, chunk.count), (Vec::new(), chunk.rows.num_rows() as u64));
        rows.push(chunk.rows);
    }
    Ok(rows)
}

/// The bad rows of a file: which they are, their values, and what is wrong.
fn bad(bytes: &[u8], types: &str) -> Vec<(u64, String, String)> {
    let chunks = chunks(bytes, &schema_of(types)).unwrap();
    let bad = chunks.into_iter().flat_map(|chunk| chunk.bad);
    bad.map(|bad| (bad.row, bad.content, bad.error.to_string())).collect()
}

fn message(bytes: &[u8], types: &str) -> String {
    decode(bytes, &schema_of(types)).unwrap_err().to_string()
}

fn numbers(count: i64) -> RecordBatch {
    let column: ArrayRef = Arc::new((0..count).collect::<Int64Array>());
    RecordBatch::try_new(schema_of("n: int64?"), vec![column]).unwrap()
}

#[test]
fn chunks_have_the_fixed_size() {
    let bytes = encode(&[numbers(20_000)]);
    let rows = decode(&bytes, &schema_of("n: int64?")).unwrap();
    let sizes: Vec<usize> = rows.iter().map(RecordBatch::num_rows).collect();
    assert_eq!(sizes, [CHUNK_ROWS_MAX, CHUNK_ROWS_MAX, 20_000 - 2 * CHUNK_ROWS_MAX]);
    let long = "x".repeat(10_000);
    let column: ArrayRef = Arc::new(StringArray::from(vec![long.as_str(); 1000]));
    let rows = RecordBatch::try_new(schema_of("s: string?"), vec![column]).unwrap();
    let back = decode(&encode(&[rows]), &schema_of("s: string?")).unwrap();
    assert!(back.iter().all(|rows| rows.num_rows() <= 53), "about 512 KiB");
    assert_eq!(back.iter().map(RecordBatch::num_rows).sum::<usize>(), 1000);
}

#[test]
fn no_rows_are_no_file() {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&schema_of("n: int64?")).unwrap();
    encoder.encode(&numbers(0), &mut out).unwrap();
    encoder.finish(&mut out).unwrap();
    assert_eq!(out, b"");
}

#[test]
fn columns_of_others_become_those_of_the_table() {
    let mut words = StringDictionaryBuilder::<Int32Type>::new();
    for word in ["a", "b", "a"] {
        words.append_value(word);
    }
    let moments = TimestampNanosecondArray::from(vec![1_500, 2_999, -1]);
    let bytes = foreign(vec![
        ("words", Arc::new(words.finish())),
        ("moments", Arc::new(moments)),
        ("small", Arc::new(arrow::array::Int8Array::from(vec![1, 2, 3]))),
        ("large", Arc::new(arrow::array::LargeStringArray::from(vec!["x", "y", "z"]))),
    ]);
    let found = schema(&file(&bytes)).unwrap();
    let name = types::name(&DataType::Struct(found.fields().clone())).unwrap();
    assert_eq!(name, "struct{words: string?, moments: timestamp?, small: int32?, large: string?}");
    let rows = decode(&bytes, &schema_of("large: string?, words: string?, moments: timestamp?"))
        .unwrap()
        .remove(0);
    let words: Vec<_> = rows.column(1).as_string::<i32>().iter().flatten().collect();
    assert_eq!(words, ["a", "b", "a"]);
    let moments = rows.column(2).as_primitive::<TimestampMicrosecondType>();
    assert_eq!(moments.values()[..2], [1, 2]);
    let wider = decode(&bytes, &schema_of("small: int64?")).unwrap();
    assert_eq!(wider[0].column(0).as_primitive::<Int64Type>().values()[..], [1, 2, 3]);
}

#[test]
fn what_does_not_fit_the_schema_is_named() {
    let bytes = encode(&[numbers(3)]);
    assert_eq!(message(&bytes, "m: int64?"), "column `m` of the file is not there");
    assert_eq!(
        message(&bytes, "n: string?"),
        "column `n` of the file has the type int64, and the schema says string"
    );
    let odd = foreign(vec![("t", Arc::new(arrow::array::Time64MicrosecondArray::from(vec![1])))]);
    let error = schema(&file(&odd)).unwrap_err().to_string();
    assert!(error.contains("which has no name in Weir"), "{error}");
}

#[test]
fn rows_that_do_not_fit_are_told_one_by_one() {
    let numbers = UInt64Array::from(vec![Some(1), Some(u64::MAX), None, Some(4)]);
    let bytes = foreign(vec![("n", Arc::new(numbers))]);
    let large = (
        1,
        "{\"n\":\"18446744073709551615\"}".to_owned(),
        "column `n` takes int64, not 18446744073709551615".to_owned(),
    );
    let null = (2, "{\"n\":null}".to_owned(), "column `n` has no value".to_owned());
    assert_eq!(bad(&bytes, "n: int64?"), std::slice::from_ref(&large));
    assert_eq!(bad(&bytes, "n: int64"), [large, null]);
    let chunk = chunks(&bytes, &schema_of("n: int64")).unwrap().remove(0);
    assert_eq!((chunk.first, chunk.count), (0, 4));
    assert_eq!(chunk.rows.column(0).as_primitive::<Int64Type>().values()[..], [1, 4]);
}

#[test]
fn many_bad_rows_leave_the_good_ones_in_their_order() {
    let numbers: UInt64Array =
        (0..20_000).map(|n| (n % 3 > 0).then_some(if n % 5 == 0 { u64::MAX } else { n })).collect();
    let bytes = foreign(vec![("n", Arc::new(numbers))]);
    let chunks = chunks(&bytes, &schema_of("n: int64")).unwrap();
    let good = chunks
        .iter()
        .flat_map(|chunk| chunk.rows.column(0).as_primitive::<Int64Type>().values().to_vec());
    let expected = (0..20_000_i64).filter(|n| n % 3 > 0 && n % 5 > 0);
    assert!(good.eq(expected));
    let told = chunks.iter().flat_map(|chunk| chunk.bad.iter().map(|bad| bad.row));
    assert!(told.eq((0..20_000).filter(|n| n % 3 == 0 || n % 5 == 0)));
    let mut next = 0;
    for chunk in &chunks {
        assert_eq!(chunk.first, next);
        next += chunk.count;
    }
    assert_eq!(next, 20_000);
}

#[test]
fn nulls_within_values_are_found_where_there_may_be_none() {
    let mut lists = ListBuilder::new(StringBuilder::new());
    lists.append_value([Some("a"), None]);
    lists.append_null();
    lists.append_value([Some("b")]);
    let bytes = foreign(vec![("l", Arc::new(lists.finish()))]);
    let found = bad(&bytes, "l: list<string>?");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].0, found[0].2.as_str()), (0, "column `l.item` has no value"));
    let chunks = chunks(&bytes, &schema_of("l: list<string>?")).unwrap();
    let lists = chunks[0].rows.column(0);
    assert_eq!((lists.len(), lists.is_null(0)), (2, true));
}

#[test]
fn every_row_group_is_read_and_no_other_column() {
    let rows = RecordBatch::try_from_iter([
        ("n", Arc::new((0..100).collect::<Int64Array>()) as ArrayRef),
        ("w", Arc::new(StringArray::from(vec!["w"; 100]))),
    ])
    .unwrap();
    let mut bytes = Vec::new();
    let properties = ::parquet::file::properties::WriterProperties::builder()
        .set_max_row_group_row_count(Some(30))
        .build();
    let mut writer =
        ::parquet::arrow::ArrowWriter::try_new(&mut bytes, rows.schema(), Some(properties))
            .unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    let mut reader = Reader::open(file(&bytes), schema_of("n: int64?")).unwrap();
    let mut sizes = Vec::new();
    while let Some(chunk) = reader.next_chunk().unwrap() {
        sizes.push((reader.group(), chunk.first, chunk.rows.num_rows()));
        assert_eq!(chunk.rows.num_columns(), 1);
    }
    assert_eq!(sizes, [(0, 0, 30), (1, 30, 30), (2, 60, 30), (3, 90, 10)]);
}

#[test]
fn a_row_that_is_too_long_is_a_bad_one() {
    let long = "x".repeat(17 << 20);
    let bytes = foreign(vec![("s", Arc::new(StringArray::from(vec!["a", &long, "b"])))]);
    let found = bad(&bytes, "s: string?");
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].0, found[0].2.as_str()), (1, "the row takes more than 16 MiB"));
    assert!(found[0].1.len() <= 64 * 1024);
}

#[test]
fn lists_and_structs_come_back() {
    let mut lists = ListBuilder::new(StringBuilder::new());
    lists.append_value([Some("a"), None]);
    lists.append_null();
    lists.append_value::<Vec<Option<&str>>, _>(Vec::new());
    let types = schema_of("l: list<string?>?");
    let rows = RecordBatch::try_new(Arc::clone(&types), vec![Arc::new(lists.finish())]).unwrap();
    assert_eq!(decode(&encode(std::slice::from_ref(&rows)), &types).unwrap(), [rows]);
}

#[test]
fn a_dictionary_makes_no_more_of_a_file_than_its_bytes() {
    let word = "x".repeat(CHUNK_BYTES_MAX);
    let bytes = foreign(vec![("s", Arc::new(StringArray::from(vec![word.as_str(); 600])))]);
    assert!(bytes.len() < 4 << 20, "a dictionary: {}", bytes.len());
    let mut reader = Reader::open(file(&bytes), schema_of("s: string?")).unwrap();
    let mut rows = 0;
    while let Some(chunk) = reader.next_chunk().unwrap() {
        assert_eq!(chunk.rows.num_rows(), 1);
        rows += 1;
    }
    assert_eq!(rows, 600);
}

#[test]
fn what_is_no_parquet_file_is_refused() {
    let whole = encode(&[numbers(1000)]);
    for (bytes, reason) in [
        (b"".to_vec(), "an empty file"),
        (b"PAR1".to_vec(), "too short"),
        (b"a,b\n1,2\n3,4\n5,6\n".to_vec(), "csv"),
        (whole[..whole.len() - 1].to_vec(), "cut at the end"),
        (whole[whole.len() / 2..].to_vec(), "cut at the front"),
        ([&whole[..whole.len() - 8], &[0xff, 0xff, 0xff, 0x7f], b"PAR1"].concat(), "a long footer"),
        ([&whole[..whole.len() - 8], &[0, 0, 0, 0], b"PAR1"].concat(), "no footer"),
    ] {
        let error = decode(&bytes, &schema_of("n: int64?")).unwrap_err();
        assert_eq!(error.code(), "WEIR-FORMAT-018", "{reason}: {error}");
        assert!(error.is_of_file());
    }
}

#[test]
fn types_without_a_name_are_refused_before_any_row() {
    let odd = Arc::new(Schema::new(vec![Field::new("u", DataType::UInt8, true)]));
    assert_eq!(Encoder::new(&odd).err().unwrap().code(), "WEIR-FORMAT-009");
    let none = Arc::new(Schema::empty());
    assert_eq!(Encoder::new(&none).err().unwrap().code(), "WEIR-FORMAT-017");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    #[test]
    fn what_is_written_is_read_back(
        words in prop::collection::vec(prop::option::of(".*"), 1..50),
        seed: i64,
    ) {
        let number = |n: usize| seed.wrapping_mul(n as i64 * n as i64 + 1);
        let numbers: Vec<Option<i64>> =
            (0..words.len()).map(|n| (n % 3 > 0).then(|| number(n))).collect();
        let types = schema_of("w: string?, n: int64?");
        let columns: Vec<ArrayRef> =
            vec![Arc::new(StringArray::from(words)), Arc::new(Int64Array::from(numbers))];
        let rows = RecordBatch::try_new(Arc::clone(&types), columns).unwrap();
        let back = decode(&encode(std::slice::from_ref(&rows)), &types).unwrap();
        prop_assert_eq!(back, vec![rows]);
    }
}
