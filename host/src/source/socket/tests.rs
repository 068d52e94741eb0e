//! Blocks that are read as rows; what the network does is tested with the binary.

use arrow::array::{AsArray, RecordBatch};
use proptest::prelude::*;

use super::*;
use crate::durable::test_kit::SimDisk;
use crate::id::NodeId;
use crate::job::{FormatKind, SourceKind};
use crate::row_error::OnError;

fn open(receivers: usize) -> SocketSource {
    let socket = SocketSourceSpec {
        addresses: (0..receivers).map(|n| format!("host:{}", n + 1)).collect(),
        format: FormatKind::Text,
        block_interval: Duration::from_millis(200),
        buffer: 1 << 20,
        idle_timeout: None,
        max_rate: None,
        wal: true,
    };
    let spec = SourceSpec {
        event_time: None,
        id: NodeId::new("lines"),
        kind: SourceKind::Socket(socket.clone()),
        schema: None,
        on_error: OnError::Fail,
        span: 0..0,
    };
    SocketSource::open(&spec, &socket).unwrap()
}

fn receive(source: &SocketSource, receiver: usize, blocks: &[&[u8]]) {
    for block in blocks {
        source.buffer.append(receiver, block);
        source.buffer.seal(receiver);
    }
}

fn texts(rows: &RecordBatch) -> Vec<String> {
    rows.column(0).as_string::<i32>().iter().map(|line| line.unwrap().to_owned()).collect()
}

/// Pairs of texts.
type Pairs = Vec<(String, String)>;

/// The lines of a range, each with its place, and of what was refused the place and the content.
fn read(
    source: &SocketSource,
    range: &SourceRange,
    parts: usize,
    tolerant: bool,
) -> Result<(Pairs, Pairs), SourceError> {
    let (mut lines, mut refused) = (Pairs::new(), Pairs::new());
    for part in 0..parts {
        let mode = ReadMode { tolerant, origins: true };
        let mut reader = source.read(range, (part, parts), mode)?;
        loop {
            let rows = reader.next()?;
            for bad in reader.refused() {
                refused.push((source.place(range, bad.origin), bad.content));
            }
            let Some(rows) = rows else { break };
            let places = reader.origins().into_iter().map(|origin| source.place(range, origin));
            lines.extend(texts(&rows).into_iter().zip(places));
        }
    }
    Ok((lines, refused))
}

#[test]
fn a_batch_takes_no_line_that_is_not_in_the_log() {
    let disk = SimDisk::new(1);
    let source = open(1);
    source.keep_in(Arc::new(disk.store("t", 0).unwrap()), 1).unwrap();
    receive(&source, 0, &[b"a\n"]);
    disk.limit(disk.used());
    // The log finds no room on the disk.
    assert!(source.cut().unwrap().is_empty());
    disk.limit(usize::MAX);
    let range = source.cut().unwrap();
    assert_eq!(read(&source, &range, 1, false).unwrap().0.len(), 1);
}

#[test]
fn a_range_gives_the_same_rows_again_in_any_number_of_parts() {
    let source = open(2);
    receive(&source, 0, &[b"a\nb\n", b"c\n"]);
    receive(&source, 1, &[b"d\n", b"e\nf\n"]);
    let range = source.cut().unwrap();
    let once = read(&source, &range, 1, false).unwrap().0;
    let lines: Vec<&str> = once.iter().map(|(line, _)| line.as_str()).collect();
    assert_eq!(lines, ["a", "b", "c", "d", "e", "f"]);
    assert_eq!(once[2].1, "host:1, receiver 1, block 2, line 1");
    assert_eq!(once[5].1, "host:2, receiver 2, block 2, line 2");
    for parts in [1, 2, 3, 9] {
        assert_eq!(read(&source, &range, parts, false).unwrap().0, once, "{parts}");
        assert_eq!(read(&source, &range, parts, true).unwrap().0, once, "{parts}");
    }
    source.acknowledge(&range);
    assert!(matches!(read(&source, &range, 1, false), Err(SourceError::Range { .. })));
    receive(&source, 1, &[b"g\n"]);
    let range = source.cut().unwrap();
    let next = read(&source, &range, 1, false).unwrap().0;
    assert_eq!(next, [("g".to_owned(), "host:2, receiver 2, block 3, line 1".to_owned())]);
}

#[test]
fn bad_lines_are_passed_over_or_end_the_reading_with_their_place() {
    let source = open(1);
    receive(&source, 0, &[b"a\n\xFF\xFE\nb\nx\0y\n", b"c\n"]);
    let range = source.cut().unwrap();
    let (lines, refused) = read(&source, &range, 1, true).unwrap();
    let lines: Vec<&str> = lines.iter().map(|(line, _)| line.as_str()).collect();
    assert_eq!(lines, ["a", "b", "c"]);
    assert_eq!(refused[0].0, "host:1, receiver 1, block 1, line 2");
    assert_eq!(refused[1], ("host:1, receiver 1, block 1, line 4".to_owned(), "x\0y".to_owned()));
    let error = read(&source, &range, 1, false).err().unwrap();
    assert!(error.to_string().starts_with("host:1, receiver 1, block 1, line 2: "), "{error}");
    assert_eq!(error.code(), "WEIR-FORMAT-001");
}

proptest! {
    #[test]
    fn any_cuts_and_any_bad_lines_give_each_good_line_once_and_in_order(
        lines in prop::collection::vec(("[a-c]{0,3}", prop::bool::weighted(0.3)), 0..60),
        cuts in prop::collection::vec(0_u64..9, 0..20),
        block_lines in 1_usize..7,
    ) {
        let source = open(1);
        for block in lines.chunks(block_lines) {
            let bytes: Vec<u8> = block
                .iter()
                .flat_map(|(line, bad)| {
                    let mark = if *bad { "\0" } else { "" };
                    format!("{line}{mark}\n").into_bytes()
                })
                .collect();
            receive(&source, 0, &[&bytes]);
        }
        let (mut seen, mut refused) = (Vec::new(), 0);
        for most in cuts.into_iter().chain([u64::MAX]) {
            let range = source.take(most);
            let (lines, bad) = read(&source, &range, 2, true).unwrap();
            prop_assert!((lines.len() + bad.len()) as u64 <= most);
            seen.extend(lines.into_iter().map(|(line, _)| line));
            refused += bad.len();
            source.acknowledge(&range);
        }
        let good: Vec<String> =
            lines.iter().filter(|(_, bad)| !bad).map(|(line, _)| line.clone()).collect();
        prop_assert_eq!(refused, lines.len() - good.len());
        prop_assert_eq!(seen, good);
    }
}
