//! Files are taken once, in order, and read the same by any number of lanes.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use arrow::array::AsArray;
use proptest::prelude::*;
use rustix::fs::{CWD, FileType, Mode};

use super::*;
use crate::format::LINE_BYTES_MAX;
use crate::id::NodeId;
use crate::job::SourceKind;
use crate::row_error::OnError;
use crate::types;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file that was changed so many seconds after some moment.
    fn write(&self, name: &str, bytes: impl AsRef<[u8]>, seconds: u64) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds);
        File::options().append(true).open(path).unwrap().set_modified(time).unwrap();
    }

    fn open(&self, path: &str) -> Result<FileSource, SourceError> {
        self.open_as(path, FormatKind::Text, None, None)
    }

    fn open_as(
        &self,
        path: &str,
        format: FormatKind,
        schema: Option<&str>,
        files_per_batch: Option<usize>,
    ) -> Result<FileSource, SourceError> {
        let schema = schema.map(|text| match types::parse(&format!("struct{{{text}}}")).unwrap() {
            arrow::datatypes::DataType::Struct(fields) => {
                SchemaRef::new(arrow::datatypes::Schema::new(fields))
            }
            other => panic!("{other}"),
        });
        let file = FileSourceSpec {
            path: path.into(),
            path_span: 0..0,
            format,
            files_per_batch,
            max_unpacked: 64 << 20,
            goes_on: false,
        };
        let kind = SourceKind::File(file.clone());
        let spec = SourceSpec {
            event_time: None,
            id: NodeId::new("words"),
            kind,
            schema,
            on_error: OnError::Fail,
            span: 0..0,
        };
        FileSource::open(&spec, &file, self.0.path())
    }

    /// The names of the files of a range, from the folder on.
    fn names(&self, range: &SourceRange) -> Vec<String> {
        let SourceRange::Files(files) = range else { return Vec::new() };
        files
            .iter()
            .map(|file| {
                file.path.strip_prefix(self.0.path().to_str().unwrap()).unwrap()[1..].into()
            })
            .collect()
    }

    fn cut(&self, source: &FileSource) -> Vec<String> {
        self.names(&source.cut().unwrap())
    }
}

fn read(
    source: &FileSource,
    range: &SourceRange,
    partitions: usize,
) -> Result<Vec<String>, SourceError> {
    let mut lines = Vec::new();
    for partition in 0..partitions {
        let mut reader = source.read(range, (partition, partitions), ReadMode::default())?;
        while let Some(rows) = reader.next()? {
            let column = rows.column(0).as_string::<i32>();
            lines.extend(column.iter().map(|line| line.unwrap().to_owned()));
        }
    }
    Ok(lines)
}

fn fails(source: &FileSource, range: &SourceRange, partitions: usize) -> String {
    read(source, range, partitions).unwrap_err().to_string()
}

#[test]
fn files_are_taken_once_by_time_then_name() {
    let folder = Folder::new();
    folder.write("in/b", "", 1);
    folder.write("in/c", "", 1);
    folder.write("in/a", "", 2);
    folder.write("in/deeper/x", "", 0);
    let source = folder.open("in").unwrap();
    assert_eq!(folder.cut(&source), ["in/b", "in/c", "in/a"]);
    assert!(source.cut().unwrap().is_empty());
    folder.write("in/late", "", 0);
    assert_eq!(folder.cut(&source), ["in/late"]);
    assert!(!source.finished());
}

#[test]
fn a_batch_takes_no_more_files_than_it_may() {
    let folder = Folder::new();
    for name in ["1", "2", "3", "4", "5"] {
        folder.write(name, "", 0);
    }
    let source = folder.open_as(".", FormatKind::Text, None, Some(2)).unwrap();
    for expected in [vec!["./1", "./2"], vec!["./3", "./4"], vec!["./5"], vec![]] {
        assert_eq!(folder.cut(&source), expected);
    }
}

#[test]
fn files_in_the_making_are_not_taken_until_they_are_renamed() {
    let folder = Folder::new();
    for name in [".a", "_a", "a.tmp", "a.part", "a.crdownload", "a~", "_staging/a", ".git/a"] {
        folder.write(name, "x\n", 0);
    }
    let source = folder.open("**/*").unwrap();
    assert_eq!(folder.cut(&source), [""; 0]);
    fs::rename(folder.path("a.tmp"), folder.path("a.txt")).unwrap();
    assert_eq!(folder.cut(&source), ["a.txt"]);
    assert_eq!(source.skipped(), []);
}

#[test]
fn a_glob_stays_within_names_except_for_two_stars() {
    let folder = Folder::new();
    for name in ["x/a.txt", "x/b.log", "x/y/c.txt", "x/y/z/d.txt", "e.txt"] {
        folder.write(name, "", 0);
    }
    for (glob, files) in [
        ("x/*.txt", vec!["x/a.txt"]),
        ("x/*", vec!["x/a.txt", "x/b.log"]),
        ("x/*/*.txt", vec!["x/y/c.txt"]),
        ("x/**/*.txt", vec!["x/a.txt", "x/y/c.txt", "x/y/z/d.txt"]),
        ("**/[de].txt", vec!["e.txt", "x/y/z/d.txt"]),
        ("x/{a.txt,y/c.txt}", vec!["x/a.txt", "x/y/c.txt"]),
        ("x/a.txt", vec!["x/a.txt"]),
        ("x/a.txt/*", vec![]),
    ] {
        assert_eq!(folder.cut(&folder.open(glob).unwrap()), files, "{glob}");
    }
    folder.write("[x]*/a", "", 0);
    assert_eq!(folder.cut(&folder.open("[x]*").unwrap()), ["[x]*/a"], "what is there is meant");
}

#[test]
fn what_cannot_be_there_is_refused_and_what_may_come_is_not() {
    let folder = Folder::new();
    for path in ["no/input", "no/such/*.txt"] {
        let error = folder.open(path).err().unwrap();
        assert_eq!(error.code(), "WEIR-SOURCE-001");
        assert!(error.to_string().contains("there is no folder"), "{error}");
    }
    assert_eq!(folder.open("[a").err().unwrap().code(), "WEIR-SOURCE-002");
    let source = folder.open("input").unwrap();
    assert_eq!(folder.cut(&source), [""; 0]);
    folder.write("input/a", "", 0);
    assert_eq!(folder.cut(&source), ["input/a"]);
}

#[test]
fn only_regular_files_are_taken_and_the_rest_is_told_once() {
    let folder = Folder::new();
    folder.write("in/a", "", 0);
    folder.write("elsewhere/b", "b\n", 0);
    rustix::fs::mknodat(CWD, folder.path("in/pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    let link =
        |to: &str, name| std::os::unix::fs::symlink(folder.path(to), folder.path(name)).unwrap();
    link("elsewhere/b", "in/b");
    link("elsewhere", "in/folder");
    link("nowhere", "in/nowhere");
    let source = folder.open("in").unwrap();
    assert_eq!(folder.cut(&source), ["in/a", "in/b"]);
    let mut told: Vec<_> = source.skipped().into_iter().map(|skipped| skipped.reason).collect();
    told.sort();
    let reasons = [
        "it is a link to a folder",
        "it is not a regular file",
        "the link leads nowhere, or it may not be looked at",
    ];
    assert_eq!(told, reasons);
    source.cut().unwrap();
    assert_eq!(source.skipped(), []);
}

#[test]
fn another_file_under_a_path_that_was_taken_is_told_and_not_taken() {
    let folder = Folder::new();
    folder.write("in/a", "one\n", 0);
    let source = folder.open("in").unwrap();
    source.cut().unwrap();
    folder.write("in/a", "two\n", 1);
    assert!(source.cut().unwrap().is_empty());
    assert_eq!(source.skipped()[0].reason, REWRITTEN);
}

#[test]
fn a_file_that_is_not_the_one_taken_fails_the_reading() {
    let folder = Folder::new();
    folder.write("in/a", "one\ntwo\n", 0);
    let source = folder.open("in").unwrap();
    let range = source.cut().unwrap();
    assert_eq!(read(&source, &range, 1).unwrap(), ["one", "two"]);
    folder.write("in/a", "one\ntwo\nthree\n", 0);
    assert!(fails(&source, &range, 1).ends_with("in/a` was changed after it was taken"));
    folder.write("in/a", "one\nTwo\n", 1);
    assert!(fails(&source, &range, 2).ends_with("in/a` was changed after it was taken"));
    fs::remove_file(folder.path("in/a")).unwrap();
    rustix::fs::mknodat(CWD, folder.path("in/a"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    assert!(fails(&source, &range, 1).ends_with("in/a` was changed after it was taken"));
    fs::remove_file(folder.path("in/a")).unwrap();
    assert!(fails(&source, &range, 1).ends_with("in/a` was changed after it was taken"));
}

#[test]
fn a_file_that_changes_while_it_is_read_fails_the_reading() {
    let folder = Folder::new();
    folder.write("in/a", "line\n".repeat(100_000), 0);
    let source = folder.open("in").unwrap();
    let range = source.cut().unwrap();
    let mut reader = source.read(&range, (0, 1), ReadMode::default()).unwrap();
    assert_eq!(reader.next().unwrap().unwrap().num_rows(), 8192);
    assert_eq!(reader.bytes_read(), 500_000);
    assert_eq!(reader.bytes_read(), 0);
    folder.write("in/a", "LINE\n".repeat(100_000), 1);
    let ended = std::iter::from_fn(|| reader.next().transpose()).find_map(Result::err);
    assert_eq!(ended.unwrap().code(), "WEIR-SOURCE-004");
}

#[test]
fn a_bad_line_is_named_with_file_and_line_whichever_lane_reads_it() {
    let folder = Folder::new();
    folder.write("in/a", "ok\n".repeat(1000), 0);
    let bad = [b"ok\n".repeat(777), b"\xff\n".to_vec(), b"ok\n".repeat(777)].concat();
    folder.write("in/b", [BOM, &bad[..]].concat(), 1);
    let source = folder.open("in").unwrap();
    let range = source.cut().unwrap();
    for partitions in [1, 2, 3, 7, 50] {
        let error = fails(&source, &range, partitions);
        assert!(error.ends_with("in/b:778: the line is not valid UTF-8"), "{error}");
    }
}

const BOM: &[u8] = crate::format::BYTE_ORDER_MARK;

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_line() {
    let folder = Folder::new();
    folder.write("in/1", BOM, 0);
    folder.write("in/2", [BOM, b"a\nb"].concat(), 1);
    folder.write("in/3", [BOM, b"\n"].concat(), 2);
    folder.write("in/4", [b"x", BOM].concat(), 3);
    let source = folder.open("in").unwrap();
    let range = source.cut().unwrap();
    for partitions in 1..20 {
        assert_eq!(read(&source, &range, partitions).unwrap(), ["a", "b", "", "x\u{feff}"]);
    }
}

#[test]
fn a_line_without_end_is_refused_by_every_lane() {
    let folder = Folder::new();
    folder.write("in/a", [b"ok\n".to_vec(), vec![b'x'; LINE_BYTES_MAX * 2]].concat(), 0);
    let source = folder.open("in").unwrap();
    let range = source.cut().unwrap();
    for partition in 0..3 {
        let mut reader = source.read(&range, (partition, 3), ReadMode::default()).unwrap();
        match (partition, std::iter::from_fn(|| reader.next().transpose()).find_map(Result::err)) {
            (2, None) => {}
            (_, error) => {
                assert!(
                    error.unwrap().to_string().ends_with("in/a:2: the line is longer than 16 MiB")
                );
            }
        }
    }
}

#[test]
fn columns_are_inferred_from_the_first_file_with_rows_and_then_kept() {
    let folder = Folder::new();
    folder.write("in/1", "", 0);
    folder.write("in/2", "\n\n", 1);
    let source = folder.open_as("in", FormatKind::Json, None, None).unwrap();
    assert_eq!(source.schema().unwrap(), None);
    assert!(source.cut().unwrap().is_empty(), "files without rows are taken and show nothing");
    assert_eq!(source.schema().unwrap(), None);
    folder.write("in/3", "{\"a\":1}\n", 2);
    folder.write("in/4", "{\"a\":\"x\"}\n", 3);
    let range = source.cut().unwrap();
    assert_eq!(folder.names(&range), ["in/3", "in/4"]);
    let schema = source.schema().unwrap().unwrap();
    assert_eq!(types::name(schema.field(0).data_type()).unwrap(), "int64");
    let mut reader = source.read(&range, (0, 1), ReadMode::default()).unwrap();
    let error = reader.next().unwrap_err().to_string();
    assert!(error.ends_with("in/4:1: column `a` takes int64, not \"x\""), "{error}");
}

#[test]
fn a_schema_that_is_given_counts_from_the_start() {
    let folder = Folder::new();
    let source = folder.open_as(".", FormatKind::Json, Some("a: int64, b: string?"), None).unwrap();
    assert_eq!(source.schema().unwrap().unwrap().fields().len(), 2);
    let error = folder.open_as(".", FormatKind::Text, Some("n: int64"), None).err().unwrap();
    assert_eq!(error.code(), "WEIR-FORMAT-010");
    assert_eq!(folder.open(".").unwrap().schema().unwrap(), Some(text::schema()));
}

#[test]
fn a_range_can_be_written_down_and_read_again() {
    let range = SourceRange::Files(vec![FileRange { path: "ü".into(), bytes: 7, modified: -1 }]);
    let bytes = bincode::encode_to_vec(&range, bincode::config::standard()).unwrap();
    let (back, _) = bincode::decode_from_slice(&bytes, bincode::config::standard()).unwrap();
    assert_eq!(range, back);
    assert_eq!(range.bytes(), 7);
}

fn files() -> impl Strategy<Value = Vec<String>> {
    let line =
        prop::sample::select(vec!["", "a", "ü", "word", "a line that is longer than a part", "\r"]);
    let end = prop::sample::select(vec!["\n", "\r\n"]);
    let lines =
        prop::collection::vec((line, end).prop_map(|(line, end)| format!("{line}{end}")), 0..12);
    let last = prop::sample::select(vec!["", "last", "\u{feff}"]);
    let file = (lines, last).prop_map(|(lines, last)| lines.concat() + last);
    prop::collection::vec(file, 0..6)
}

/// What the rows of a text are, said as simply as possible.
fn rows(text: &str) -> Vec<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.split_inclusive('\n')
        .map(|line| line.strip_suffix('\n').unwrap_or(line))
        .map(|line| line.strip_suffix('\r').unwrap_or(line).to_owned())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_parts_in_order_are_the_rows_of_the_files_in_order(files in files()) {
        let folder = Folder::new();
        fs::create_dir(folder.path("in")).unwrap();
        for (number, file) in files.iter().enumerate() {
            folder.write(&format!("in/{number}"), file, number as u64);
        }
        let source = folder.open("in").unwrap();
        let range = source.cut().unwrap();
        let expected: Vec<String> = files.iter().flat_map(|file| rows(file)).collect();
        for partitions in (1..8).chain([1000]) {
            prop_assert_eq!(&read(&source, &range, partitions).unwrap(), &expected);
        }
    }
}

/// What comes of a range: rows as JSON with their places, what was refused with its place, and how
/// many rows the chunks of each part have.
type Told = (Vec<(String, String)>, Vec<(String, String)>);

fn told(source: &FileSource, range: &SourceRange, parts: usize) -> Result<Told, SourceError> {
    let mode = ReadMode { tolerant: true, origins: true };
    let (mut rows, mut refused) = (Vec::new(), Vec::new());
    for part in 0..parts {
        let mut reader = source.read(range, (part, parts), mode)?;
        while let Some(chunk) = reader.next()? {
            let mut text = Vec::new();
            crate::format::Encode::encode(
                &mut json::Encoder::new(&chunk.schema()).unwrap(),
                &chunk,
                &mut text,
            )?;
            let places: Vec<String> =
                reader.origins().iter().map(|origin| source.place(range, *origin)).collect();
            assert_eq!(places.len(), chunk.num_rows());
            let text = String::from_utf8(text).unwrap();
            rows.extend(text.lines().map(str::to_owned).zip(places));
            let bad = reader.refused();
            refused.extend(bad.into_iter().map(|b| (b.content, source.place(range, b.origin))));
        }
        let bad = reader.refused();
        refused.extend(bad.into_iter().map(|b| (b.content, source.place(range, b.origin))));
    }
    let end = |place: &mut String| *place = place.rsplit('/').next().unwrap().to_owned();
    rows.iter_mut().for_each(|(_, place)| end(place));
    refused.iter_mut().for_each(|(_, place)| end(place));
    Ok((rows, refused))
}

const CSV: FormatKind = FormatKind::Csv(crate::job::Layout::COMMAS);

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[test]
fn bad_lines_are_passed_over_and_told_with_their_places() {
    let folder = Folder::new();
    folder.write("in/a", "{\"n\":1}\n\n{\"n\":}\n{\"n\":2}\n{\"n\":\"x\"}\n{\"n\":3}", 0);
    folder.write("in/b", "{\"n\":1e999}\r\n{\"n\":9223372036854775808}\n{\"n\":1,\"n\":2}\n", 1);
    let source = folder.open_as("in", FormatKind::Json, Some("n: int64"), None).unwrap();
    let range = source.cut().unwrap();
    let rows = pairs(&[("{\"n\":1}", "a:1"), ("{\"n\":2}", "a:4"), ("{\"n\":3}", "a:6")]);
    let refused = pairs(&[
        ("{\"n\":}", "a:3"),
        ("{\"n\":\"x\"}", "a:5"),
        ("{\"n\":1e999}", "b:1"),
        ("{\"n\":9223372036854775808}", "b:2"),
        ("{\"n\":1,\"n\":2}", "b:3"),
    ]);
    for parts in 1..=5 {
        assert_eq!(told(&source, &range, parts).unwrap(), (rows.clone(), refused.clone()));
    }
}

#[test]
fn a_line_that_is_too_long_is_one_bad_line() {
    let folder = Folder::new();
    let long = "x".repeat(LINE_BYTES_MAX * 2);
    folder.write("in/a", format!("one\n{long}\ntwo\n"), 0);
    let source = folder.open("in").unwrap();
    let range = source.cut().unwrap();
    for parts in 1..=3 {
        let (rows, refused) = told(&source, &range, parts).unwrap();
        let expected = pairs(&[("{\"line\":\"one\"}", "a:1"), ("{\"line\":\"two\"}", "a:3")]);
        assert_eq!(rows, expected);
        assert_eq!((refused.len(), refused[0].1.as_str()), (1, "a:2"));
        assert_eq!(refused[0].0.len(), 64 * 1024);
    }
}

#[test]
fn bad_records_of_csv_are_passed_over_by_their_first_line() {
    let folder = Folder::new();
    folder.write("in/a", "n,w\n1,a\nx,b\n2,\"c\nd\"\n3\n4,\"e\n5,f\n", 0);
    folder.write("in/b", "w,n\ng,6\n", 1);
    let source = folder.open_as("in", CSV, Some("n: int64, w: string?"), None).unwrap();
    let range = source.cut().unwrap();
    let rows = pairs(&[
        ("{\"n\":1,\"w\":\"a\"}", "a:2"),
        ("{\"n\":2,\"w\":\"c\\nd\"}", "a:4"),
        ("{\"n\":5,\"w\":\"f\"}", "a:8"),
        ("{\"n\":6,\"w\":\"g\"}", "b:2"),
    ]);
    let refused = pairs(&[("x,b", "a:3"), ("3", "a:6"), ("4,\"e", "a:7")]);
    for parts in 1..=5 {
        assert_eq!(told(&source, &range, parts).unwrap(), (rows.clone(), refused.clone()));
    }
    let error = fails(&source, &range, 1);
    assert!(error.ends_with("in/a:3: column `n` takes int64, not \"x\""), "{error}");
}

#[test]
fn a_file_of_nothing_but_bad_lines_ends() {
    let folder = Folder::new();
    folder.write("in/a", "x\n".repeat(20_000), 0);
    let source = folder.open_as("in", FormatKind::Json, Some("n: int64"), None).unwrap();
    let (rows, refused) = told(&source, &source.cut().unwrap(), 2).unwrap();
    assert_eq!((rows.len(), refused.len()), (0, 20_000));
    assert_eq!(refused[19_999].1, "a:20000");
}

fn gzip(text: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text).unwrap();
    packed.finish().unwrap()
}

#[test]
fn compressed_files_are_unpacked_member_after_member() {
    let folder = Folder::new();
    let zstd = |text: &[u8]| zstd::encode_all(text, 1).unwrap();
    folder.write("in/a.gz", [gzip(b"a\nb"), gzip(b"c\nd\n")].concat(), 0);
    folder.write("in/b.zst", [zstd(b"e\n"), zstd(b"f")].concat(), 1);
    folder.write("in/c", "g\n", 2);
    let source = folder.open("in").unwrap();
    let range = source.cut().unwrap();
    for parts in 1..=5 {
        assert_eq!(read(&source, &range, parts).unwrap(), ["a", "bc", "d", "e", "f", "g"]);
        let (rows, _) = told(&source, &range, parts).unwrap();
        let places: Vec<&str> = rows.iter().map(|(_, place)| place.as_str()).collect();
        assert_eq!(places, ["a.gz:1", "a.gz:2", "a.gz:3", "b.zst:1", "b.zst:2", "c:1"]);
    }
}

#[test]
fn damaged_and_swollen_files_are_refused_by_name() {
    let zstd = zstd::encode_all(&b"some text\n"[..], 1).unwrap();
    let zeros = vec![b'0'; 80 << 20];
    let text: Vec<u8> = (0..9_000_000).flat_map(|n: u32| format!("{n}\n").into_bytes()).collect();
    for (name, bytes, expected) in [
        ("a.gz", Vec::new(), "in/a.gz` can't be unpacked: it is empty"),
        ("a.gz", gzip(b"text\n")[..12].to_vec(), "can't be unpacked: it ends in the middle"),
        ("a.zst", zstd[..zstd.len() - 2].to_vec(), "can't be unpacked: it ends in the middle"),
        (
            "a.gz",
            b"a text that is not packed\n".to_vec(),
            "in/a.gz` can't be unpacked: invalid gzip header",
        ),
        ("a.zst", zstd::encode_all(&zeros[..], 1).unwrap(), "more than 1000 times its size"),
        ("a.gz", gzip(&text), "in/a.gz` unpacks to more than 67108864 bytes"),
    ] {
        let folder = Folder::new();
        folder.write(&format!("in/{name}"), bytes, 0);
        let spaced = folder.open("in").unwrap();
        let range = spaced.cut().unwrap();
        let mut reader =
            spaced.read(&range, (0, 1), ReadMode { tolerant: true, origins: false }).unwrap();
        let error = std::iter::from_fn(|| reader.next().transpose()).find_map(Result::err);
        let error = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(error.ends_with(expected) || error.contains(expected), "{name}: {error}");
    }
}

#[test]
fn a_bad_line_behind_a_file_without_a_last_end_is_passed_over() {
    let folder = Folder::new();
    folder.write("in/a", "{\"n\":1}", 0);
    folder.write("in/b", "{\"n\":2}\nbad\n{\"n\":3}", 1);
    let source = folder.open_as("in", FormatKind::Json, Some("n: int64"), None).unwrap();
    let range = source.cut().unwrap();
    let (rows, refused) = told(&source, &range, 1).unwrap();
    assert_eq!((rows.len(), refused.len()), (3, 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn parts_are_equal_with_bad_lines_too(
        lines in prop::collection::vec(
            prop::sample::select(vec!["{\"n\":1}", "{\"n\":22}", "", "bad", "{\"n\":", "\u{fe}"]),
            0..60,
        ),
        cut in 0_usize..60,
    ) {
        let folder = Folder::new();
        let (one, two) = lines.split_at(cut.min(lines.len()));
        folder.write("in/a", one.join("\n"), 0);
        folder.write("in/b", two.join("\n"), 1);
        let source = folder.open_as("in", FormatKind::Json, Some("n: int64"), None).unwrap();
        let range = source.cut().unwrap();
        let whole = told(&source, &range, 1).unwrap();
        let good = lines.iter().filter(|line| line.ends_with('}')).count();
        let bad = lines.iter().filter(|line| !line.is_empty() && !line.ends_with('}')).count();
        prop_assert_eq!((whole.0.len(), whole.1.len()), (good, bad));
        for parts in 2..=5 {
            prop_assert_eq!(&told(&source, &range, parts).unwrap(), &whole);
        }
    }
}
