//! Parquet in: what was written is read, and a damaged file harms nothing but itself.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use serde_json::{Value, json};
use weir_host::format::Encode;
use weir_host::format::parquet::Encoder;

use crate::host::{Job, Ran, command};

/// Writes rows of csv as Parquet.
const WRITE: &str = r#"
version = 1
name = "write"
[job]
batch = "0s"
[[source]]
id = "rows"
type = "file"
path = "in"
format = "csv"
schema = { id = "int32!", note = "string", at = "timestamp", price = "decimal(10,2)" }
[[sink]]
id = "out"
type = "file"
path = "out"
format = "parquet"
"#;

/// Reads Parquet.
const READ: &str = r#"
version = 1
name = "read"
[job]
batch = "0s"
[[source]]
id = "rows"
type = "file"
path = "in"
format = "parquet"
on_error = "fail"
[[sink]]
id = "out"
type = "file"
path = "out"
format = "csv"
"#;

const PRUNED: &str = "schema = { price = \"decimal(12,3)\", id = \"int64!\" }\non_error";

/// Rows of these numbers.
fn csv(ids: std::ops::Range<u64>) -> String {
    let mut text = String::from("id,note,at,price\n");
    for id in ids {
        let note = if id.is_multiple_of(3) { "" } else { "a note" };
        text += &format!("{id},{note},2026-01-02T03:04:05.{id:06}Z,{id}.25\n");
    }
    text
}

/// The same as a Parquet file.
fn parquet(ids: std::ops::Range<u64>) -> Vec<u8> {
    let job = Job::new(WRITE).file("in/rows.csv", &csv(ids));
    job.once(&[]).fine();
    std::fs::read(job.path().join("out/batch=00000000000000000001/part-00000.parquet")).unwrap()
}

fn put(job: &Job, name: &str, bytes: &[u8]) -> PathBuf {
    let path = job.path().join("in").join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let draft = path.with_extension("tmp");
    std::fs::write(&draft, bytes).unwrap();
    std::fs::rename(draft, &path).unwrap();
    path
}

fn reads(policy: &str, files: &[(&str, &[u8])]) -> Job {
    let job = Job::new(&READ.replace("\"fail\"", &format!("\"{policy}\"")));
    files.iter().for_each(|(name, bytes)| drop(put(&job, name, bytes)));
    job
}

fn letters(job: &Job) -> Vec<Value> {
    let runs = job.path().join(".weir/read/dead-letters");
    let mut all = Vec::new();
    let mut folders = vec![runs];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "jsonl") {
                let text = std::fs::read_to_string(path).unwrap();
                all.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
            }
        }
    }
    all
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

/// Each of the rows that csv shows, without the header of each part.
fn shown(job: &Job) -> Vec<String> {
    let lines = job.written("out", 1).into_iter();
    sorted(lines.filter(|line| !line.starts_with("id,") && !line.starts_with("price,")).collect())
}

#[test]
fn what_was_written_is_read_with_the_columns_that_the_file_has() {
    let (first, second) = (parquet(0..20_000), parquet(20_000..20_010));
    let straight = Job::new(&WRITE.replace("\"parquet\"", "\"csv\""));
    straight.write("in/rows.csv", &csv(0..20_010));
    straight.once(&[]).fine();
    let expected = shown(&straight);
    assert_eq!(expected.len(), 20_010);
    for lanes in ["1", "2", "4"] {
        let job = reads("fail", &[("a.parquet", &first), ("b.parquet", &second)]);
        job.once(&["--set", &format!("job.parallelism={lanes}")]).fine();
        assert!(shown(&job) == expected, "{lanes} lanes");
    }
}

#[test]
fn columns_of_the_schema_are_found_by_name_and_widened() {
    let job = Job::new(&READ.replace("on_error", PRUNED));
    put(&job, "a.parquet", &parquet(0..3));
    job.once(&[]).fine();
    let read = sorted(job.written("out", 1));
    assert_eq!(read, ["0.250,0", "1.250,1", "2.250,2", "price,id"]);
}

#[test]
fn a_column_that_is_not_as_the_schema_says_fails_with_both_types() {
    let bytes = parquet(0..3);
    for (column, message) in [
        (
            "note = \"int64\"",
            "column `note` of the file has the type string, and the schema says int64",
        ),
        ("none = \"int64\"", "column `none` of the file is not there"),
        (
            "price = \"decimal(9,2)\"",
            "has the type decimal(10,2), and the schema says decimal(9,2)",
        ),
    ] {
        // Also where bad rows are left out: no row of the file could be read.
        for policy in ["fail", "dead-letter"] {
            let schema = format!("schema = {{ {column} }}\non_error");
            let job =
                READ.replace("on_error", &schema).replace("\"fail\"", &format!("\"{policy}\""));
            let job = Job::new(&job);
            put(&job, "a.parquet", &bytes);
            let ran = job.once(&[]);
            assert_eq!(ran.code, 1, "{ran:#?}");
            let flat = ran.err.split_whitespace().collect::<Vec<_>>().join(" ").replace("│ ", "");
            assert!(flat.contains(message) && flat.contains("WEIR-FORMAT-019"), "{ran:#?}");
        }
    }
}

#[test]
fn a_null_where_there_may_be_none_is_a_bad_row() {
    let schema = "schema = { note = \"string!\", id = \"int32\" }\non_error";
    let run = |policy: &str| {
        let job = READ.replace("on_error", schema).replace("\"fail\"", &format!("\"{policy}\""));
        let job = Job::new(&job);
        put(&job, "a.parquet", &parquet(1..8));
        let ran = job.once(&["--format", "json"]);
        (job, ran)
    };
    let (_, ran) = run("fail");
    assert_eq!(ran.code, 1, "{ran:#?}");
    let told = format!("{}{}", ran.out, ran.err);
    assert!(told.contains("in/a.parquet, row 3: column `note` has no value"), "{ran:#?}");
    let (job, ran) = run("skip");
    assert!(ran.fine().out.contains("\"skipped\":2"));
    assert_eq!(job.written("out", 1).len(), 1 + 5);
    let (job, ran) = run("dead-letter");
    ran.fine();
    let letters = letters(&job);
    let told: Vec<(&Value, bool)> = letters
        .iter()
        .map(|letter| (&letter["row"], letter["origin"].as_str().unwrap().ends_with(", row 6")))
        .collect();
    assert_eq!(
        told,
        [
            (&json!("{\"id\":\"3\",\"note\":null}"), false),
            (&json!("{\"id\":\"6\",\"note\":null}"), true)
        ]
    );
    assert_eq!(letters[0]["code"], "WEIR-FORMAT-006");
}

/// A whole file, and the same one damaged in the middle of its rows.
fn damaged() -> (Vec<u8>, Vec<u8>) {
    let whole = parquet(0..100_000);
    let mut damaged = whole.clone();
    let middle = damaged.len() / 3;
    damaged[middle..middle + 2_000].fill(0xff);
    (whole, damaged)
}

#[test]
fn a_damaged_file_is_told_once_and_the_others_are_read() {
    let (whole, damaged) = damaged();
    let files: [(&str, &[u8]); 2] = [("a.parquet", &damaged), ("b.parquet", &whole)];
    let ran = reads("fail", &files).once(&[]);
    assert_eq!(ran.code, 1, "{ran:#?}");
    for part in ["a.parquet", "row group 0", "WEIR-FORMAT-018"] {
        assert!(ran.err.contains(part), "{part}: {ran:#?}");
    }
    let job = reads("skip", &files);
    let ran = job.once(&["--format", "json"]).fine();
    assert!(ran.out.contains("\"skipped\":1"), "{ran:#?}");
    let skipped = shown(&job);
    assert!((100_000..200_000).contains(&skipped.len()), "{}", skipped.len());
    let job = reads("dead-letter", &files);
    job.once(&[]).fine();
    assert_eq!(shown(&job), skipped, "the same rows are left out each time");
    let letters = letters(&job);
    assert_eq!(letters.len(), 1, "{letters:?}");
    let place = format!("in/a.parquet, row {}", skipped.len() - 100_000 + 1);
    assert!(letters[0]["origin"].as_str().unwrap().ends_with(&place), "{letters:?} {place}");
    assert_eq!(letters[0]["code"], "WEIR-FORMAT-018");
}

#[test]
fn files_that_are_cut_off_empty_or_packed_once_more_are_told() {
    let whole = parquet(0..1_000);
    let gzip = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    let files: [(&str, &[u8]); 5] = [
        ("0.parquet", &whole),
        ("cut.parquet", &whole[..whole.len() - 100]),
        ("empty.parquet", b""),
        ("csv.parquet", b"a,b\n1,2\n3,4\n"),
        ("packed.parquet.gz", &gzip),
    ];
    let job = reads("dead-letter", &files);
    job.once(&[]).fine();
    assert_eq!(shown(&job).len(), 1_000);
    let told: BTreeMap<String, String> = letters(&job)
        .iter()
        .map(|letter| {
            let origin = Path::new(letter["origin"].as_str().unwrap()).file_name().unwrap();
            let reason = letter["message"].as_str().unwrap();
            (origin.to_str().unwrap().to_owned(), reason.to_owned())
        })
        .collect();
    let names: Vec<&str> = told.keys().map(String::as_str).collect();
    let of = |name: &str| told.get(&format!("{name}, row 1")).cloned().unwrap_or_default();
    assert_eq!(names.len(), 4, "{told:?}");
    assert!(of("empty.parquet").ends_with("it is empty"), "{told:?}");
    assert!(of("packed.parquet.gz").contains("packed once more"), "{told:?}");
    assert!(of("cut.parquet").contains("can't be read as Parquet"), "{told:?}");
    // Without a schema, and without any file that has one, nothing can be planned.
    let ran = reads("dead-letter", &files[2..3]).once(&[]);
    assert!(ran.code != 0 && ran.err.contains("it is empty"), "{ran:#?}");
}

/// A file of one page which says of itself that it unpacks to 2 GiB.
fn bomb() -> Vec<u8> {
    let long = "x".repeat(136 << 20);
    let rows = RecordBatch::try_from_iter([(
        "id",
        Arc::new(StringArray::from(vec![Some(long.as_str()), None])) as ArrayRef,
    )])
    .unwrap();
    let field = Field::new("id", DataType::Utf8, true);
    let rows = rows.with_schema(Arc::new(Schema::new(vec![field]))).unwrap();
    let (mut bytes, mut encoder) = (Vec::new(), Encoder::new(&rows.schema()).unwrap());
    encoder.encode(&rows, &mut bytes).unwrap();
    encoder.finish(&mut bytes).unwrap();
    // The header of a page: its type, then how many bytes it has when unpacked, as a varint of
    // twice that number.
    let size = |bytes: &[u8]| {
        let number = bytes.iter().enumerate();
        number.fold(0_u64, |sum, (at, byte)| sum | (u64::from(byte & 0x7f) << (7 * at)))
    };
    let at = (0..bytes.len() - 6)
        .find(|at| bytes[*at] == 0x15 && size(&bytes[at + 1..at + 6]) / 2 > 136 << 20)
        .unwrap();
    bytes[at + 1..at + 6].copy_from_slice(&[0xfe, 0xff, 0xff, 0xff, 0x0f]);
    bytes
}

#[test]
fn a_file_that_asks_for_too_much_memory_is_damaged_and_the_host_goes_on() {
    let schema = "schema = { id = \"string\" }\non_error";
    let job = Job::new(&READ.replace("on_error", schema).replace("\"fail\"", "\"dead-letter\""));
    put(&job, "a.parquet", &bomb());
    job.once(&[]).fine();
    let letters = letters(&job);
    assert_eq!(letters.len(), 1);
    let message = letters[0]["message"].as_str().unwrap();
    assert!(message.contains("reading it takes more than 1024 MiB of memory"), "{message}");
}

/// A small generator of numbers that are the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }
}

#[test]
fn three_hundred_damaged_files_are_no_panic_of_the_host() {
    let whole = parquet(0..500);
    let job = reads("dead-letter", &[("000.parquet", &whole)]);
    let mut numbers = Numbers(7);
    for file in 1..=300 {
        let mut bytes = whole.clone();
        // Most of them near the end, where the file says what it is.
        let from = if file % 3 > 0 { bytes.len() - bytes.len() / 4 } else { 4 };
        for _ in 0..=numbers.below(4) {
            let at = from + numbers.below(bytes.len() - from);
            bytes[at] ^= 1 << numbers.below(8);
        }
        if file % 10 == 0 {
            bytes.truncate(numbers.below(bytes.len()));
        }
        put(&job, &format!("{file:03}.parquet"), &bytes);
    }
    let schema = "schema = { id = \"int32!\" }\non_error";
    let text = std::fs::read_to_string(job.path().join("job.toml")).unwrap();
    std::fs::write(job.path().join("job.toml"), text.replace("on_error", schema)).unwrap();
    // A file whose columns have other names now fails the batch: take it out and go on.
    let mut named = 0;
    let ran: Ran = loop {
        let ran = job.once(&[]);
        assert!(ran.code >= 0 && !ran.err.contains("panicked"), "{ran:#?}");
        let flat: String = ran.err.split_whitespace().filter(|word| *word != "│").collect();
        if ran.code == 0 {
            break ran;
        }
        assert!(flat.contains("WEIR-FORMAT-019"), "{ran:#?}");
        let end = flat.find(".parquet`").unwrap();
        let name = format!("{}.parquet", &flat[end - 3..end]);
        std::fs::remove_file(job.path().join("in").join(name)).unwrap();
        named += 1;
    };
    let letters = letters(&job);
    assert!(letters.len() > 100 && named < 60, "{} {named}: {ran:#?}", letters.len());
    let codes: Vec<&Value> = letters.iter().map(|letter| &letter["code"]).collect();
    assert!(codes.iter().all(|code| *code == "WEIR-FORMAT-018" || *code == "WEIR-FORMAT-006"));
    let rows = job.written("out", 1).len();
    assert!(rows > 500, "{rows}");
}

#[test]
fn files_that_come_while_the_job_runs_are_read_by_a_process_that_may_start_again() {
    let job = reads("skip", &[("a.parquet", &parquet(0..10))]);
    let mut run = command(job.path());
    run.args(["run", "job.toml", "--from", "none", "--format", "json"]);
    let mut child = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut batch = |number: u64| {
        let done = |line: &String| {
            let event: Value = serde_json::from_str(line).unwrap();
            event["event"] == "batch" && event["batch"] == number
        };
        lines.by_ref().map(Result::unwrap).find(done).expect("the batch is told")
    };
    batch(1);
    put(&job, "b.parquet", &parquet(10..30));
    batch(2);
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").arg(id).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    assert_eq!(job.written("out", 2).len(), 1 + 20);
}
