//! What is read and refused, what is inferred, and what comes back from what was written.

use std::sync::Arc;

use arrow::array::{
    AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array,
    Int64Array, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Float64Type, Schema};
use proptest::prelude::*;

use super::*;
use crate::format::{CHUNK_BYTES_MAX, Encode};

const COMMAS: Layout = Layout { header: true, delimiter: b',' };
const NO_HEADER: Layout = Layout { header: false, delimiter: b',' };

fn schema(text: &str) -> SchemaRef {
    match types::parse(&format!("struct{{{text}}}")).unwrap() {
        DataType::Struct(fields) => Arc::new(Schema::new(fields)),
        other => panic!("{other}"),
    }
}

/// Decodes a file; the error has the byte at which its record begins.
fn decode(
    schema: &SchemaRef,
    layout: Layout,
    text: impl AsRef<[u8]>,
) -> Result<Vec<RecordBatch>, (usize, FormatError)> {
    let text = text.as_ref();
    let mut decoder = Decoder::new(Arc::clone(schema), layout).unwrap();
    let begun = decoder.begin(text, true).map_err(|bad| (bad.at, bad.error))?;
    let mut at = begun.unwrap();
    let mut chunks = Vec::new();
    while at < text.len() {
        at += decoder.feed(&text[at..]).map_err(|bad| (at + bad.at, bad.error))?;
        chunks.extend(decoder.take_rows().unwrap());
    }
    Ok(chunks)
}

/// The rows of a file as JSON, or why there are none.
fn rows(types: &str, layout: Layout, text: &str) -> String {
    let schema = schema(types);
    match decode(&schema, layout, text) {
        Ok(chunks) => {
            let mut out = Vec::new();
            let mut encoder = crate::format::json::Encoder::new(&schema).unwrap();
            chunks.iter().for_each(|rows| encoder.encode(rows, &mut out).unwrap());
            String::from_utf8(out).unwrap()
        }
        Err((at, error)) => format!("{at}: {error}"),
    }
}

fn encode(chunks: &[RecordBatch]) -> String {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&chunks[0].schema()).unwrap();
    chunks.iter().for_each(|rows| encoder.encode(rows, &mut out).unwrap());
    encoder.finish(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn columns_are_found_by_name_in_any_order() {
    let types = "b: string?, a: int64?";
    assert_eq!(rows(types, COMMAS, "a,x,b\n1,2,3\n"), "{\"b\":\"3\",\"a\":1}\n");
    assert_eq!(rows(types, COMMAS, "\"a\",b\r\n,\"\""), "{\"b\":\"\",\"a\":null}\n");
    assert_eq!(rows(types, NO_HEADER, "x,1\n"), "{\"b\":\"x\",\"a\":1}\n");
    assert_eq!(rows(types, COMMAS, "a,b\n"), "", "header only");
    assert_eq!(
        rows(types, COMMAS, "a,c\n1,2\n"),
        "0: the header of the file has no column `b`: it has a, c"
    );
    assert_eq!(
        rows(types, COMMAS, "a,b,a\n1,2,3\n"),
        "0: the header of the file has the column `a` twice"
    );
    let quote = rows(types, COMMAS, "a,\"b\n1,2\n");
    assert!(quote.starts_with("0: the header of the file can't be read: not valid CSV"), "{quote}");
}

#[test]
fn another_delimiter_may_stand_between_values() {
    let layout = Layout { header: true, delimiter: b';' };
    assert_eq!(rows("a: string?", layout, "a;b\n1,5;2\n"), "{\"a\":\"1,5\"}\n");
}

#[test]
fn a_record_is_as_wide_as_the_header() {
    let types = "a: int64?";
    assert_eq!(rows(types, COMMAS, "a,b\n1,2\n1\n"), "8: 1 value where there are 2 columns");
    assert_eq!(rows(types, COMMAS, "a,b\n1,2,3\n"), "4: 3 values where there are 2 columns");
    assert_eq!(rows(types, COMMAS, "a,b\n\n1,2\n\r\n"), "{\"a\":1}\n", "blank lines");
    assert_eq!(rows(types, COMMAS, "a\n\n1\n"), "{\"a\":null}\n{\"a\":1}\n");
}

#[test]
fn values_are_exact_or_refused() {
    for (types, value, expected) in [
        ("int64", "9223372036854775807", "9223372036854775807"),
        ("int64", "-0", "0"),
        ("int32", "1e3", "1000"),
        ("float64", "-0", "-0.0"),
        ("float64", "NaN", "\"NaN\""),
        ("bool", "TRUE", "true"),
        ("decimal(5,2)", "1.250", "\"1.25\""),
        ("date", "2026-01-31", "\"2026-01-31\""),
        ("timestamp", "2026-01-31T12:00:00+01:00", "\"2026-01-31T11:00:00Z\""),
        ("timestamp", "2026-01-31 12:00:00.1234567", "\"2026-01-31T12:00:00.123456Z\""),
        ("binary", "00fF", "\"00ff\""),
        ("string", "  x ", "\"  x \""),
    ] {
        let found = rows(&format!("a: {types}?"), COMMAS, &format!("a\n{value}\n"));
        assert_eq!(found, format!("{{\"a\":{expected}}}\n"), "{types} {value}");
    }
    for (types, value) in [
        ("int64", "9223372036854775808"),
        ("int64", "1.5"),
        ("int32", "2147483648"),
        ("float64", "1e999"),
        ("float64", "inf"),
        ("bool", "1"),
        ("decimal(5,2)", "1.005"),
        ("decimal(5,2)", "1000"),
        ("date", "2026-02-30"),
        ("timestamp", "noon"),
        ("binary", "abc"),
        ("int64", " 1"),
    ] {
        let found = rows(&format!("b: string?, a: {types}?"), COMMAS, &format!("b,a\nx,{value}\n"));
        assert_eq!(found, format!("4: column `a` takes {types}, not {value:?}"));
    }
    assert_eq!(rows("a: int64", COMMAS, "a\n\n"), "2: column `a` has no value");
    assert_eq!(rows("a: int64?", COMMAS, "a\n\"\"\n"), "2: column `a` takes int64, not \"\"");
    assert_eq!(rows("a: string?", COMMAS, "a\nx\u{0}\n").split(':').next(), Some("2"));
}

#[test]
fn bytes_that_are_no_text_are_refused_where_they_stand() {
    let of = |text: &[u8]| decode(&schema("a: string?"), COMMAS, text).unwrap_err();
    assert_eq!(of(b"a\nx\n\xff\n"), (4, FormatError::Utf8 { utf16: false }));
    let (at, error) = of(b"\xff\xfea\0\n\0");
    assert_eq!(at, 0);
    assert!(error.is_of_file(), "{error}");
}

#[test]
fn lists_and_structs_are_refused_before_any_row() {
    for types in ["a: list<int64>?", "a: struct{b: int64}?"] {
        let schema = schema(types);
        assert_eq!(Encoder::new(&schema).unwrap_err().code(), "WEIR-FORMAT-009");
        assert_eq!(Decoder::new(schema, COMMAS).err().unwrap().code(), "WEIR-FORMAT-009");
    }
    let none = Arc::new(Schema::empty());
    assert_eq!(Encoder::new(&none).unwrap_err().code(), "WEIR-FORMAT-017");
}

#[test]
fn chunks_depend_on_the_bytes_alone() {
    let line = format!("{}\n", "x".repeat(1023));
    let text = format!("a\n{}", line.repeat(1200));
    let sizes = |text: &str| -> Vec<usize> {
        let chunks = decode(&schema("a: string?"), COMMAS, text).unwrap();
        chunks.iter().map(RecordBatch::num_rows).collect()
    };
    assert_eq!(CHUNK_BYTES_MAX, 512 * 1024);
    assert_eq!(sizes(&text), [512, 512, 176]);
    assert_eq!(sizes(&format!("a\n{}", "1\n".repeat(10_000))), [8192, 1808]);
}

#[test]
fn a_record_over_several_lines_waits_for_all_of_them() {
    let mut decoder = Decoder::new(schema("a: string?, b: int64?"), COMMAS).unwrap();
    let text = b"a,b\n\"x\ny\nz\",1\n";
    assert_eq!(decoder.begin(b"a,\"b\n", false), Ok(None));
    assert_eq!(decoder.begin(text, false), Ok(Some(4)));
    assert_eq!(decoder.feed_some(b"\"x\n", false), Ok(0));
    assert_eq!(decoder.first_record(b"\"x\n", false), None);
    assert_eq!(decoder.first_record(&text[4..], false), Some(10));
    assert_eq!(decoder.feed_some(&text[4..], false), Ok(10));
    let rows = decoder.take_rows().unwrap().unwrap();
    assert_eq!(rows.column(0).as_string::<i32>().value(0), "x\ny\nz");
}

fn inferred(layout: Layout, text: &str) -> String {
    let mut inference = Inference::new(layout);
    inference.feed(text.as_bytes(), true).unwrap();
    if inference.is_empty() {
        return "nothing".into();
    }
    let schema = inference.schema().unwrap();
    types::name(&DataType::Struct(schema.fields().clone())).unwrap()
}

#[test]
fn types_are_inferred_from_all_records() {
    for (text, types) in [
        ("a,b\n1,x\n", "struct{a: int64?, b: string?}"),
        ("a\n1\n1.5\n", "struct{a: float64?}"),
        ("a\n1\nx\n", "struct{a: string?}"),
        ("a\n007\n", "struct{a: string?}"),
        ("a\n18446744073709551615\n", "struct{a: string?}"),
        ("a\n1e999\n", "struct{a: string?}"),
        ("a\ntrue\n\nFalse\n", "struct{a: bool?}"),
        ("a\n-1e5\n", "struct{a: float64?}"),
        ("a\n1.\n", "struct{a: string?}"),
        ("a\n2026-01-01\n", "struct{a: string?}"),
        ("a,b\n", "struct{a: string?, b: string?}"),
    ] {
        assert_eq!(inferred(COMMAS, text), types, "{text}");
    }
    assert_eq!(inferred(NO_HEADER, "1,x\n"), "struct{column_1: int64?, column_2: string?}");
    assert_eq!(inferred(NO_HEADER, ""), "nothing");
    assert_eq!(inferred(COMMAS, ""), "nothing");
    for header in ["a,a\n", "a,\n", "a,\"b\n"] {
        let error = Inference::new(COMMAS).feed(header.as_bytes(), true).unwrap_err();
        assert_eq!(error.error.code(), "WEIR-FORMAT-016");
    }
}

#[test]
fn what_needs_quotes_gets_them() {
    let words = ["plain", "", "a,b", "a\"b", "a\nb", "\r", " ", "\u{feff}x", "ü"];
    let column = Arc::new(StringArray::from_iter(words.map(Some).into_iter().chain([None])));
    let types = schema("a: string?, b: string?");
    let rows = RecordBatch::try_new(Arc::clone(&types), vec![column.clone(), column]).unwrap();
    let text = encode(std::slice::from_ref(&rows));
    assert!(text.starts_with("a,b\nplain,plain\n\"\",\"\"\n\"a,b\",\"a,b\"\n"), "{text}");
    assert!(text.ends_with("\nü,ü\n,\n"), "{text}");
    assert_eq!(decode(&types, COMMAS, &text).unwrap(), [rows]);
}

fn table() -> impl Strategy<Value = RecordBatch> {
    let row = (
        prop::option::of(".*"),
        prop::option::of(any::<i64>()),
        prop::option::of(any::<i32>()),
        prop::option::of(any::<f64>()),
        prop::option::of(any::<bool>()),
        prop::option::of(prop::collection::vec(any::<u8>(), 0..5)),
        prop::option::of(-1_000_000_i32..1_000_000),
        prop::option::of(any::<i64>()),
        prop::option::of(-99_999_i128..100_000),
    );
    prop::collection::vec(row, 1..20).prop_map(|rows| {
        let types = schema(
            "s: string?, l: int64?, i: int32?, f: float64?, b: bool?, x: binary?, d: date?, \
             t: timestamp?, n: decimal(5,2)?",
        );
        let moments: TimestampMicrosecondArray =
            rows.iter().map(|row| row.7.map(|t| t / 4)).collect();
        let decimals: Decimal128Array = rows.iter().map(|row| row.8).collect();
        RecordBatch::try_new(
            types,
            vec![
                Arc::new(rows.iter().map(|row| row.0.clone()).collect::<StringArray>()),
                Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>()),
                Arc::new(rows.iter().map(|row| row.2).collect::<Int32Array>()),
                Arc::new(rows.iter().map(|row| row.3).collect::<Float64Array>()),
                Arc::new(rows.iter().map(|row| row.4).collect::<BooleanArray>()),
                Arc::new(rows.iter().map(|row| row.5.clone()).collect::<BinaryArray>()),
                Arc::new(rows.iter().map(|row| row.6).collect::<Date32Array>()),
                Arc::new(moments.with_timezone(types::UTC)),
                Arc::new(decimals.with_precision_and_scale(5, 2).unwrap()),
            ],
        )
        .unwrap()
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_and_by_others(rows in table()) {
        let text = encode(std::slice::from_ref(&rows));
        let back = decode(&rows.schema(), COMMAS, &text).unwrap();
        prop_assert_eq!(encode(&back), text.clone());
        let nan = |rows: &RecordBatch| {
            let floats = rows.column(3).as_primitive::<Float64Type>();
            floats.iter().flatten().any(f64::is_nan)
        };
        prop_assert!(nan(&rows) || back == [rows.clone()]);
        let mut peer = ::csv::Reader::from_reader(text.as_bytes());
        let words = rows.column(0).as_string::<i32>();
        prop_assert_eq!(peer.headers().unwrap().len(), rows.num_columns());
        for (record, word) in peer.records().zip(words) {
            let record = record.unwrap();
            prop_assert_eq!(record.get(0), Some(word.unwrap_or_default()));
        }
    }

    #[test]
    fn any_text_is_rows_or_an_error(text in "[ab,\"\r\n1]{0,40}", cut in 0_usize..40) {
        let types = schema("a: string?, b: int64?");
        let whole = decode(&types, NO_HEADER, &text);
        let mut decoder = Decoder::new(Arc::clone(&types), NO_HEADER).unwrap();
        let lines = text.as_bytes();
        let end = lines.iter().skip(cut).position(|byte| *byte == b'\n');
        let cut = end.map_or(0, |end| end + 1 + cut);
        // What comes in two parts is the same as what comes at once.
        let parts = decoder.feed_some(&lines[..cut.min(lines.len())], false).and_then(|taken| {
            let rest = &lines[taken..];
            if rest.is_empty() { Ok(()) } else { decoder.feed_some(rest, true).map(drop) }
        });
        prop_assert_eq!(whole.is_ok(), parts.is_ok());
        if let Ok(whole) = whole {
            let parts: Vec<RecordBatch> = decoder.take_rows().unwrap().into_iter().collect();
            prop_assert_eq!(whole, parts);
        }
    }
}
