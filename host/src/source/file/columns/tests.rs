//! The process and the host understand each other; what is damaged is an error and nothing worse.

use std::fs::File;
use std::io::{Seek, Write};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};

use super::child::answer;
use super::frame::{
    Frame, Message, Reason, Request, arrow_bytes, read, rows_in, schema_in, write_message,
};
use super::process::{Failure, why};
use crate::format::Encode;
use crate::format::parquet::Encoder;

fn columns() -> SchemaRef {
    let field = |name: &str, data_type| Field::new(name, data_type, true);
    Arc::new(Schema::new(vec![
        field("n", DataType::Int64),
        field("s", DataType::Utf8),
        field("f", DataType::Float64),
    ]))
}

fn rows(count: i64) -> RecordBatch {
    let words = (0..count).map(|n| (n % 7 > 0).then(|| format!("word {}", n % 5)));
    let columns_of: Vec<ArrayRef> = vec![
        Arc::new((0..count).map(|n| (n % 3 > 0).then_some(n)).collect::<Int64Array>()),
        Arc::new(words.collect::<StringArray>()),
        Arc::new((0..count).map(|n| n as f64).collect::<Float64Array>()),
    ];
    RecordBatch::try_new(columns(), columns_of).unwrap()
}

fn encoded(rows: &RecordBatch) -> Vec<u8> {
    let (mut out, mut encoder) = (Vec::new(), Encoder::new(&rows.schema()).unwrap());
    encoder.encode(rows, &mut out).unwrap();
    encoder.finish(&mut out).unwrap();
    out
}

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

/// What is told of a file.
fn told(bytes: &[u8], request: &Request) -> Vec<Frame> {
    let mut out = Vec::new();
    answer(file(bytes), request, &mut out).unwrap();
    let mut rest = &out[..];
    let frames: Vec<Frame> = std::iter::from_fn(|| read(&mut rest)).collect();
    assert!(rest.is_empty());
    frames
}

fn message(frame: &Frame) -> &Message {
    match frame {
        Frame::Message(message) => message,
        Frame::Arrow(_) => panic!("not a message"),
    }
}

fn strict() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]))
}

#[test]
fn a_request_is_its_arguments_however_many_columns_it_has() {
    let many: Vec<Field> =
        (0..2_000).map(|n| Field::new(format!("a column, {n} ü"), DataType::Utf8, true)).collect();
    for schema in [strict(), Arc::new(Schema::new(many))] {
        let request = Request::Rows(schema);
        let arguments = request.arguments().unwrap();
        assert!(arguments.iter().all(|argument| argument.len() <= 64 * 1024));
        assert_eq!(Request::parse(&arguments), Some(request));
    }
    assert_eq!(Request::parse(&["columns".into()]), Some(Request::Columns));
    for none in [vec![], vec!["rows".into()], vec!["rows".into(), "zz".into()], vec!["x".into()]] {
        assert_eq!(Request::parse(&none), None);
    }
}

#[test]
fn rows_come_with_their_numbers_and_bad_ones_with_their_reasons() {
    let frames = told(&encoded(&rows(4)), &Request::Rows(strict()));
    assert_eq!(frames.len(), 4);
    assert_eq!(message(&frames[0]), &Message::Group(0));
    let Message::Chunk { first: 0, count: 4, good: 2, bad } = message(&frames[1]) else {
        panic!("{frames:?}")
    };
    let numbers: Vec<u64> = bad.iter().map(|bad| bad.row).collect();
    assert_eq!(numbers, [0, 3]);
    assert_eq!(bad[0].reason, Reason::NoValue { column: "n".into() });
    assert_eq!(bad[0].content, "{\"n\":null}");
    let Frame::Arrow(bytes) = &frames[2] else { panic!("{frames:?}") };
    let rows = rows_in(bytes.clone(), &strict()).unwrap();
    assert_eq!(rows.column(0).as_primitive::<Int64Type>().values()[..], [1, 2]);
    assert_eq!(message(&frames[3]), &Message::Done);
}

#[test]
fn the_columns_of_a_file_are_told() {
    let frames = told(&encoded(&rows(4)), &Request::Columns);
    let Frame::Arrow(bytes) = &frames[0] else { panic!("{frames:?}") };
    assert_eq!(schema_in(bytes).unwrap(), columns());
    assert_eq!(message(&frames[1]), &Message::Done);
}

#[test]
fn what_is_no_frame_is_none() {
    let mut whole = Vec::new();
    write_message(&mut whole, &Message::Done).unwrap();
    assert!(read(&mut &whole[..]).is_some());
    for end in 0..whole.len() {
        assert!(read(&mut &whole[..end]).is_none());
    }
    for bytes in [&b"a\xff\xff\xff\xff"[..], b"j\x02\0\0\0{}", b"test result: ok"] {
        assert!(read(&mut &bytes[..]).is_none());
    }
}

#[test]
fn rows_of_other_columns_are_refused() {
    let bytes = Buffer::from_vec(arrow_bytes(&columns(), Some(&rows(3))).unwrap());
    assert_eq!(rows_in(bytes.clone(), &columns()).unwrap(), rows(3));
    assert!(rows_in(bytes, &strict()).is_err());
    let none = Buffer::from_vec(arrow_bytes(&columns(), None).unwrap());
    assert!(rows_in(none, &columns()).is_err());
}

#[test]
fn only_what_the_file_does_to_the_process_is_damage_of_the_file() {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;
    let of = |status, said: &str| why(ExitStatus::from_raw(status), said);
    assert_eq!(of(24, "").unwrap(), "a chunk of it takes more than 30 s of processor time");
    let memory = of(6, "memory allocation of 2147483647 bytes failed").unwrap();
    assert_eq!(memory, "reading it takes more than 1024 MiB of memory");
    assert!(of(11, "").unwrap().contains("SIGSEGV"));
    for (status, said) in [(9, ""), (15, ""), (64 << 8, ""), (1 << 8, "words")] {
        let Err(Failure::Machine(problem)) = of(status, said) else { panic!("{status}") };
        assert!(problem.starts_with("it ended: ") && problem.ends_with(said), "{problem}");
    }
}

#[test]
fn every_damaged_byte_is_told_or_gives_other_rows() {
    let whole = encoded(&rows(50));
    let (mut damaged, mut gave_up) = (0, 0);
    for at in 0..whole.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            for request in [Request::Columns, Request::Rows(columns())] {
                let frames = told(&bytes, &request);
                match message(frames.last().unwrap()) {
                    Message::Done | Message::Column { .. } => {}
                    Message::Damaged { problem } => {
                        damaged += 1;
                        gave_up += usize::from(problem.contains("the library gave up"));
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    }
    assert!(damaged > 1_000, "{damaged}");
    assert!(gave_up > 0, "if the library never panics any more, the guard is not tried");
}
