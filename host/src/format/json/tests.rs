//! JSON lines both ways.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray, UInt8Array,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use proptest::prelude::*;

use super::{Decoder, Encoder, Inference, Origin};
use crate::format::{BadLine, CHUNK_ROWS_MAX, Decode, Encode, FormatError};
use crate::types;

/// `a: int64, b: string?`
fn schema(text: &str) -> SchemaRef {
    let DataType::Struct(fields) = types::parse(&format!("struct{{{text}}}")).unwrap() else {
        unreachable!("a struct was written")
    };
    Arc::new(Schema::new(fields))
}

fn decode(schema: &SchemaRef, origin: Origin, lines: &str) -> Result<Vec<RecordBatch>, BadLine> {
    let mut decoder = Decoder::new(Arc::clone(schema), origin).unwrap();
    let mut rest = lines.as_bytes();
    let mut chunks = Vec::new();
    loop {
        let taken = decoder
            .feed(rest)
            .map_err(|bad| BadLine { at: lines.len() - rest.len() + bad.at, error: bad.error })?;
        rest = &rest[taken..];
        if decoder.is_full() || rest.is_empty() {
            match decoder.take_rows().unwrap() {
                Some(rows) => chunks.push(rows),
                None => return Ok(chunks),
            }
        }
    }
}

fn encode(rows: &[RecordBatch]) -> String {
    let mut out = Vec::new();
    for rows in rows {
        Encoder::new(&rows.schema()).unwrap().encode(rows, &mut out).unwrap();
    }
    String::from_utf8(out).unwrap()
}

/// Reads lines and writes them again.
fn there_and_back(types: &str, lines: &str) -> String {
    encode(&decode(&schema(types), Origin::Given, lines).unwrap())
}

fn message(types: &str, lines: &str) -> (usize, String) {
    let bad = decode(&schema(types), Origin::Given, lines).unwrap_err();
    (bad.at, bad.error.to_string())
}

fn inferred(lines: &str) -> Result<SchemaRef, FormatError> {
    let mut inference = Inference::default();
    inference.feed(lines.as_bytes()).unwrap();
    inference.schema()
}

fn names(schema: &SchemaRef) -> String {
    types::name(&DataType::Struct(schema.fields().clone())).unwrap()
}

#[test]
fn every_type_is_read_and_written() {
    let types = "o: bool, i: int32, l: int64, f: float64, s: string, x: binary, d: date, \
                 t: timestamp, n: decimal(10,2), a: list<int64?>, \
                 r: struct{p: string, q: list<bool>}";
    let line = concat!(
        r#"{"o":true,"i":-5,"l":9007199254740993,"f":0.1,"s":"a\"\\\n\u0001ü","x":"00ff","#,
        r#""d":"2026-01-31","t":"2026-01-31T12:00:00.000001Z","n":"12345678.90","#,
        r#""a":[1,null,3],"r":{"p":"","q":[]}}"#,
        "\n"
    );
    assert_eq!(there_and_back(types, line), line);
}

#[test]
fn spellings_that_mean_the_same_are_read_the_same() {
    let types = "f: float64?, t: timestamp?, n: decimal(5,2)?, l: int64?";
    let null = "{\"f\":null,\"t\":null,\"n\":null,\"l\":null}\n";
    for (line, written) in [
        ("{}", null),
        (" { \"l\" : null , \"other\" : [ {\"f\": 1} ] } \r\n", null),
        ("{\"f\":1}", "{\"f\":1.0,\"t\":null,\"n\":null,\"l\":null}\n"),
        ("{\"f\":\"NaN\"}", "{\"f\":\"NaN\",\"t\":null,\"n\":null,\"l\":null}\n"),
        ("{\"f\":\"-Infinity\"}", "{\"f\":\"-Infinity\",\"t\":null,\"n\":null,\"l\":null}\n"),
        ("{\"f\":1e300}", "{\"f\":1e300,\"t\":null,\"n\":null,\"l\":null}\n"),
        (
            "{\"t\":1500000}",
            "{\"f\":null,\"t\":\"1970-01-01T00:00:01.500Z\",\"n\":null,\"l\":null}\n",
        ),
        (
            "{\"t\":\"2026-01-01 01:00:00.1234567+01:00\"}",
            "{\"f\":null,\"t\":\"2026-01-01T00:00:00.123456Z\",\"n\":null,\"l\":null}\n",
        ),
        ("{\"n\":1.5}", "{\"f\":null,\"t\":null,\"n\":\"1.50\",\"l\":null}\n"),
        ("{\"l\":2.0,\"n\":\"-0.01\"}", "{\"f\":null,\"t\":null,\"n\":\"-0.01\",\"l\":2}\n"),
        ("{\"\\u006c\":7}", "{\"f\":null,\"t\":null,\"n\":null,\"l\":7}\n"),
        ("\n  \n", ""),
    ] {
        assert_eq!(there_and_back(types, line), written, "{line}");
    }
}

#[test]
fn values_of_another_type_are_refused_with_column_and_value() {
    for (types, value, wanted) in [
        ("int64", "1.5", "int64, not 1.5"),
        ("int64", "9223372036854775808", "int64, not 9223372036854775808"),
        ("int64", "\"1\"", "int64, not \"1\""),
        ("int32", "2147483648", "int32, not 2147483648"),
        ("float64", "1e999", "float64, not 1e999"),
        ("float64", "\"nan\"", "float64, not \"nan\""),
        ("bool", "1", "bool, not 1"),
        ("string", "5", "string, not 5"),
        ("string", "{\"b\":[1]}", "string, not {\"b\":[1]}"),
        ("decimal(5,2)", "1.005", "decimal(5,2), not 1.005"),
        ("decimal(5,2)", "1000", "decimal(5,2), not 1000"),
        ("date", "\"2026-02-30\"", "date, not \"2026-02-30\""),
        ("timestamp", "\"noon\"", "timestamp, not \"noon\""),
        ("timestamp", "1e30", "timestamp, not 1e30"),
        ("binary", "\"abc\"", "binary, not \"abc\""),
        ("list<int64>", "{}", "list<int64>, not {}"),
        ("struct{b: bool}", "[]", "struct{b: bool}, not []"),
    ] {
        let (_, message) = message(&format!("a: {types}"), &format!("{{\"a\":{value}}}"));
        assert_eq!(message, format!("column `a` takes {wanted}"));
    }
    let long = format!("{{\"a\":\"{}\"}}", "ü".repeat(1000));
    assert_eq!(message("a: bool", &long).1.chars().count(), 88);
}

#[test]
fn fields_of_fields_are_named_with_the_way_down() {
    let types = "a: struct{b: list<struct{c: int64}>?}, d: list<list<bool>>?";
    for (line, expected) in [
        ("{\"a\":{\"b\":[{\"c\":1},{\"c\":true}]}}", "column `a.b.item.c` takes int64, not true"),
        ("{\"a\":{\"b\":[{}]}}", "column `a.b.item.c` has no value"),
        ("{\"a\":{\"b\":[null]}}", "column `a.b.item` has no value"),
        ("{\"a\":null}", "column `a` has no value"),
        ("{}", "column `a` has no value"),
        ("{\"a\":{\"b\":null},\"d\":[[1]]}", "column `d.item.item` takes bool, not 1"),
        ("{\"a\":{\"b\":null,\"b\":null}}", "column `a.b` is given twice"),
    ] {
        assert_eq!(message(types, line).1, expected, "{line}");
    }
}

#[test]
fn a_bad_line_is_found_among_good_ones() {
    let good = "{\"a\":1}\n".repeat(10_000);
    for (bad, expected) in [
        ("{\"a\":1}{\"a\":2}", "not valid JSON at character 8: expected the end of the line"),
        ("[1]", "not valid JSON at character 1: expected an object: `{`"),
        ("{\"a\":\u{0}1}", "not valid JSON at character 6: expected a value"),
        ("{\"b\":\"\u{0}\"}", "not valid JSON at character 7: a control character must be"),
    ] {
        let (at, message) = message("a: int64?", &format!("{good}{bad}\n{good}"));
        assert_eq!(at, good.len(), "{bad}");
        assert!(message.starts_with(expected), "{message}");
    }
    let mut lines = good.clone().into_bytes();
    lines.extend_from_slice(b"{\"b\":\"\xff\"}\n");
    let mut decoder = Decoder::new(schema("a: int64"), Origin::Given).unwrap();
    assert_eq!(decoder.feed(&lines).unwrap(), CHUNK_ROWS_MAX * 8);
    decoder.take_rows().unwrap();
    let rest = &lines[CHUNK_ROWS_MAX * 8..];
    let taken = decoder.feed(rest).unwrap();
    let bad = decoder.feed(&rest[taken..]).unwrap_err();
    assert_eq!((taken + bad.at, bad.error), (rest.len() - 10, FormatError::Utf8 { utf16: false }));
}

#[test]
fn deep_values_are_refused_wherever_they_stand() {
    let deep = "[".repeat(10_000);
    for line in
        [format!("{{\"other\":{deep}"), format!("{{\"a\":{deep}"), format!("{{\"s\":{deep}")]
    {
        let (_, message) = message("a: list<list<int64?>?>?, s: string?", &line);
        assert!(message.contains("nested more than 128 deep"), "{message}");
    }
    let mut inference = Inference::default();
    assert!(inference.feed(format!("{{\"a\":{deep}").as_bytes()).is_err());
    let list = format!("{{\"a\":{}{}}}", "[".repeat(40), "]".repeat(40));
    let types = names(&inferred(&list).unwrap());
    assert_eq!(types.matches("list<").count(), types::DEPTH_MAX);
    assert!(types::parse(&types).is_err(), "the row itself is one level more");
}

#[test]
fn chunks_depend_on_the_bytes_alone() {
    let line = format!("{{\"s\":\"{}\"}}\n", "x".repeat(1015));
    assert_eq!(line.len(), 1024);
    let sizes = |lines: &str| -> Vec<usize> {
        let chunks = decode(&schema("s: string"), Origin::Given, lines).unwrap();
        chunks.iter().map(RecordBatch::num_rows).collect()
    };
    assert_eq!(sizes(&line.repeat(1200)), [512, 512, 176]);
    assert_eq!(sizes(&"{\"s\":\"\"}\n".repeat(10_000)), [8192, 1808]);
    let mut decoder = Decoder::new(schema("s: string"), Origin::Given).unwrap();
    for _ in 0..512 {
        assert!(!decoder.is_full());
        assert_eq!(decoder.feed(line.as_bytes()).unwrap(), 1024);
    }
    assert!(decoder.is_full());
    assert_eq!(decoder.feed(line.as_bytes()).unwrap(), 0);
}

#[test]
fn types_are_inferred_from_all_lines() {
    for (lines, types) in [
        ("{\"b\":1,\"a\":\"x\"}", "struct{b: int64?, a: string?}"),
        ("{\"a\":1}\n{\"a\":1.5}", "struct{a: float64?}"),
        ("{\"a\":1}\n{\"a\":\"x\"}", "struct{a: string?}"),
        ("{\"a\":18446744073709551615}", "struct{a: string?}"),
        ("{\"a\":null}\n\n{\"b\":true}", "struct{a: string?, b: bool?}"),
        ("{\"a\":[1,2.5]}\n{\"a\":[]}", "struct{a: list<float64?>?}"),
        ("{\"a\":{}}", "struct{a: string?}"),
        (
            "{\"a\":{\"b\":1}}\n{\"a\":{\"c\":[]}}",
            "struct{a: struct{b: int64?, c: list<string?>?}?}",
        ),
        ("{\"a\":[{\"b\":1},{\"c\":2}]}", "struct{a: list<struct{b: int64?, c: int64?}?>?}"),
    ] {
        assert_eq!(names(&inferred(lines).unwrap()), types, "{lines}");
    }
    assert_eq!(inferred("{}\n"), Err(FormatError::NoColumns));
    let mut late = "{\"a\":1}\n".repeat(10_000);
    late.push_str("{\"a\":\"too late\"}\n");
    assert_eq!(names(&inferred(&late).unwrap()), "struct{a: int64?}");
}

#[test]
fn mixed_values_of_an_inferred_column_are_kept_as_text() {
    let lines = "{\"a\":1}\n{\"a\":\"x\"}\n{\"a\":{\"b\": [1.50]}}\n{\"a\":null}\n";
    let rows = decode(&inferred(lines).unwrap(), Origin::Inferred, lines).unwrap();
    let values: Vec<Option<&str>> = rows[0].column(0).as_string::<i32>().iter().collect();
    assert_eq!(values, [Some("1"), Some("x"), Some("{\"b\": [1.50]}"), None]);
}

#[test]
fn an_empty_struct_and_rows_without_columns_are_objects_too() {
    assert_eq!(
        there_and_back("a: list<struct{b: bool?}?>", "{\"a\":[{},null]}"),
        "{\"a\":[{\"b\":null},null]}\n"
    );
    let none = Arc::new(Schema::empty());
    assert_eq!(encode(&decode(&none, Origin::Given, "{}\n{\"a\":1}\n").unwrap()), "{}\n{}\n");
}

#[test]
fn types_without_a_name_are_refused_before_any_row() {
    let schema = Arc::new(Schema::new(vec![Field::new("u", DataType::UInt8, true)]));
    let error = Encoder::new(&schema).unwrap_err();
    assert_eq!(error.code(), "WEIR-FORMAT-009");
    assert!(Decoder::new(Arc::clone(&schema), Origin::Given).is_err());
    let column: ArrayRef = Arc::new(UInt8Array::from(vec![1]));
    assert!(RecordBatch::try_new(schema, vec![column]).is_ok());
}

#[test]
fn slices_of_rows_are_written_from_where_they_begin() {
    let rows = decode(
        &schema("a: int64?, l: list<string>, s: struct{b: bool?}?"),
        Origin::Given,
        "{\"a\":1,\"l\":[\"x\"],\"s\":{}}\n{\"a\":null,\"l\":[\"y\",\"z\"],\"s\":null}\n",
    )
    .unwrap();
    let written = encode(&[rows[0].slice(1, 1)]);
    assert_eq!(written, "{\"a\":null,\"l\":[\"y\",\"z\"],\"s\":null}\n");
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_and_by_others(
        words in prop::collection::vec(prop::option::of(".*"), 1..20),
        seed: i64,
    ) {
        let number = |i: i64| seed.wrapping_mul(i * i + 1);
        let numbers: Vec<i64> = (0..words.len() as i64).map(number).collect();
        let floats: Vec<f64> = numbers.iter().map(|n| f64::from_bits(*n as u64)).collect();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(words.clone())),
            Arc::new(Int64Array::from(numbers.clone())),
            Arc::new(Float64Array::from(floats)),
        ];
        let schema = schema("w\u{fc}: string?, n: int64, f: float64");
        let rows = RecordBatch::try_new(schema, columns).unwrap();
        let text = encode(std::slice::from_ref(&rows));
        for ((line, word), number) in text.lines().zip(&words).zip(&numbers) {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            prop_assert_eq!(value["w\u{fc}"].as_str(), word.as_deref());
            prop_assert_eq!(value["n"].as_i64(), Some(*number));
        }
        let back = decode(&rows.schema(), Origin::Given, &text).unwrap();
        prop_assert_eq!(encode(&back), text);
        prop_assert_eq!(back[0].column(0).len(), words.len());
    }
}
