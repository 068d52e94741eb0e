//! What is done with any bytes at all, and what must be true of it. Each target takes bytes and
//! panics where that is not so.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Field, Schema, SchemaRef};
use weir_host::format::{Decode, csv, json, text};
use weir_host::job::{Job, JobError, Outside, formatted};
use weir_host::plugin::columns::{Raw, assemble};
use weir_host::types;

/// A target by its name, with inputs that get far.
pub struct Target {
    /// The name.
    pub name: &'static str,
    /// What takes the bytes.
    pub run: fn(&[u8]),
    /// Inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets: one for each place where bytes come in from outside.
pub const TARGETS: [Target; 7] = [
    Target { name: "columns", run: columns, seeds: seeds_of_columns },
    Target { name: "job", run: job, seeds: jobs },
    Target { name: "layout", run: layout, seeds: jobs },
    Target { name: "types", run: type_names, seeds: names_of_types },
    Target { name: "csv", run: csv_lines, seeds: lines_of_csv },
    Target { name: "json", run: json_lines, seeds: lines_of_json },
    Target { name: "text", run: text_lines, seeds: lines_of_text },
];

/// Columns of every type, nested ones too.
static ALL: LazyLock<SchemaRef> = LazyLock::new(|| {
    let types = [
        "bool",
        "int32",
        "int64?",
        "float64",
        "string?",
        "binary",
        "date",
        "timestamp",
        "decimal(5,2)",
        "list<string>",
        "struct{a: int64, b: list<bool>}?",
    ];
    schema_of(&types)
});

/// Columns that text formats have.
static FLAT: LazyLock<SchemaRef> = LazyLock::new(|| {
    schema_of(&["int64?", "string?", "float64?", "bool?", "date?", "timestamp?", "decimal(5,2)?"])
});

fn schema_of(types: &[&str]) -> SchemaRef {
    let field = |(place, name): (usize, &&str)| {
        let (name, nullable) = match name.strip_suffix('?') {
            Some(name) => (name, true),
            None => (*name, false),
        };
        Field::new(format!("c{place}"), types::parse(name).unwrap(), nullable)
    };
    Arc::new(Schema::new(types.iter().enumerate().map(field).collect::<Vec<_>>()))
}

/// Takes numbers and pieces from the front of bytes; zeros when there are no more.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn piece(&mut self, length: usize) -> Vec<u8> {
        let (piece, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        piece.to_vec()
    }
}

/// The columns that a function gave back: what is accepted is valid in full.
///
/// Bytes: the column of [`ALL`], the number of rows, length and null count, how many buffers there
/// are; then each buffer behind its length.
fn columns(data: &[u8]) {
    let (count, nullable, rows) = column(data);
    let Ok(rows) = rows else { return };
    assert_eq!(rows.num_rows(), count as usize);
    rows.column(0).to_data().validate_full().unwrap();
    assert!(rows.column(0).null_count() == 0 || nullable);
}

fn column(data: &[u8]) -> (u32, bool, Result<RecordBatch, String>) {
    let mut bytes = Bytes(data);
    let place = usize::from(bytes.byte()) % ALL.fields().len();
    let (count, length) = (u32::from(bytes.byte() % 16), u32::from(bytes.byte() % 16));
    let null_count = u32::from(bytes.byte() % 16);
    let buffers = usize::from(bytes.byte() % 8);
    let buffer = |_| {
        let length = usize::from(bytes.byte());
        bytes.piece(length)
    };
    let buffers = (0..buffers).map(buffer).collect();
    let schema = Arc::new(Schema::new(vec![Arc::clone(&ALL.fields()[place])]));
    let raw = Raw { length, null_count, buffers };
    let nullable = schema.field(0).is_nullable();
    (count, nullable, assemble(&schema, count, vec![raw], &[], &mut 4_096))
}

/// Seeds are right as they are: what is nearly right is made from them.
pub fn check_seeds() {
    for seed in seeds_of_columns() {
        column(&seed).2.unwrap_or_else(|error| panic!("{error}: {seed:?}"));
    }
    for seed in jobs() {
        let text = String::from_utf8(seed).unwrap();
        let outside = Outside::NOTHING;
        let read = Job::parse(text.as_bytes(), "job.toml", PathBuf::from("/jobs"), &outside);
        assert!(read.is_ok(), "{:?}", read.unwrap_err().problems);
        assert!(formatted(&text).is_ok(), "{text}");
    }
    for seed in names_of_types() {
        types::parse(std::str::from_utf8(&seed).unwrap()).unwrap();
    }
    let far = |seeds: Vec<Vec<u8>>, decoder: &dyn Fn() -> Box<dyn Decode>| {
        for seed in seeds {
            assert!(decoded(&[&seed], decoder).is_some(), "{}", String::from_utf8_lossy(&seed));
        }
    };
    far(lines_of_csv(), &csv_decoder);
    far(lines_of_json(), &json_decoder);
}

fn seeds_of_columns() -> Vec<Vec<u8>> {
    vec![
        vec![0, 8, 8, 0, 2, 0, 1, 0xa5],
        vec![2, 2, 2, 1, 2, 1, 1, 16, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0],
        vec![4, 2, 2, 0, 3, 0, 12, 0, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 3, b'a', b'b', b'c'],
        vec![8, 1, 1, 0, 2, 0, 16, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        vec![9, 1, 1, 0, 5, 0, 8, 0, 0, 0, 0, 1, 0, 0, 0, 0, 8, 0, 0, 0, 0, 1, 0, 0, 0, 1, b'x'],
        vec![10, 1, 1, 0, 7, 0, 0, 8, 9, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ]
}

/// A job: it is read, or everything that is wrong has a place in its text.
fn job(data: &[u8]) {
    let outside = Outside {
        variable: &|name| Some(format!("value of {name}")),
        secret_file: &|path| Ok(format!("secret of {path}")),
        ..Outside::NOTHING
    };
    let read = || Job::parse(data, "job.toml", PathBuf::from("/jobs"), &outside);
    match (read(), read()) {
        (Ok((one, _)), Ok((other, _))) => assert_eq!(format!("{one:?}"), format!("{other:?}")),
        (Err(error), Err(_)) => check_places(&error),
        _ => panic!("the same text is a job and is none"),
    }
}

fn check_places(error: &JobError) {
    assert!(!error.problems.is_empty());
    for problem in &error.problems {
        assert!(problem.code.starts_with("WEIR-JOB-") && !problem.message.is_empty());
        for mark in &problem.marks {
            assert!(error.text.text.get(mark.span.clone()).is_some(), "{problem:?}");
        }
    }
}

/// A job in another layout says the same, and is laid out for good.
fn layout(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(once) = formatted(text) {
        assert_eq!(formatted(&once).as_deref(), Ok(once.as_str()));
    }
}

fn jobs() -> Vec<Vec<u8>> {
    let whole = "version = 1\nname = \"x\"\n[vars]\na = { env = \"A\", default = \"b\" }\n[job]\n\
        batch = \"1s\"\n[[source]]\nid = \"s\"\ntype = \"file\"\npath = \"${a}/*.json\"\n\
        format = \"json\"\nschema = { n = \"int64!\", at = \"timestamp\" }\n[[op]]\nid = \"o\"\n\
        wasm = \"p\"\ncall = \"f\"\nkey = [\"n\"]\nlimits = { memory = \"64MiB\", time = \"5s\" }\n\
        on_error = \"skip\"\nallow = { env = [\"TZ\"], read = [\"t\"] }\n[[sink]]\nid = \"k\"\n\
        type = \"console\"\n[[test]]\nname = \"t\"\nto = \"o\"\n\
        feed.s = [{ n = 1 }]\nexpect = []\n";
    let socket = "version = 1\nname = \"y\"\n[[source]]\nid = \"s\"\ntype = \"socket\"\n\
        address = [\"h:1\", \"[::1]:2\"]\nblock_interval = \"200ms\"\n[[source]]\nid = \"r\"\n\
        type = \"rate\"\n[[op]]\nid = \"u\"\nnative = \"union\"\nfrom = [\"s\", \"r\"]\n[[op]]\n\
        id = \"q\"\nsql = '''SELECT * FROM u'''\n[[sink]]\nid = \"f\"\ntype = \"file\"\n\
        path = \"out\"\nformat = \"csv\" # csv\n";
    vec![whole.into(), socket.into()]
}

/// The name of a type: written down and read again it is the same type.
fn type_names(data: &[u8]) {
    let Ok(name) = std::str::from_utf8(data) else { return };
    if let Ok(data_type) = types::parse(name) {
        assert_eq!(types::parse(&types::describe(&data_type)), Ok(data_type));
    }
}

fn names_of_types() -> Vec<Vec<u8>> {
    let names = ["int64", "decimal(38,10)", "list<list<string>>", "struct{a: bool, b-c: date}"];
    names.iter().map(|name| name.as_bytes().to_vec()).collect()
}

fn csv_lines(data: &[u8]) {
    check_lines(data, &csv_decoder);
}

fn csv_decoder() -> Box<dyn Decode> {
    let layout = csv::Layout { header: false, delimiter: b',' };
    Box::new(csv::Decoder::new(Arc::clone(&FLAT), layout).unwrap())
}

fn lines_of_csv() -> Vec<Vec<u8>> {
    let plain = "1,a,1.5,true,2026-11-21,2026-11-21T10:00:00Z,1.25\n-2,,,,,,\r\n";
    let quoted = "3,\"a \"\"b\"\"\nc\",1e3,false,1969-12-31,1969-12-31 23:59:59.999999,-999.99\n";
    vec![plain.into(), quoted.into(), format!("{quoted}{plain}").into()]
}

fn json_lines(data: &[u8]) {
    check_lines(data, &json_decoder);
}

fn json_decoder() -> Box<dyn Decode> {
    Box::new(json::Decoder::new(Arc::clone(&FLAT), json::Origin::Given).unwrap())
}

fn lines_of_json() -> Vec<Vec<u8>> {
    let whole = "{\"c0\":1,\"c1\":\"a\\u00e9\\n\",\"c2\":1.5e3,\"c3\":true,\"c4\":\"2026-11-21\",\
        \"c5\":\"2026-11-21T10:00:00+02:00\",\"c6\":12.5}\n";
    let sparse = "{\"c1\":null,\"other\":[{\"x\":[1,2,{}]}],\"c6\":\"-0.01\"}\n\n{}\n";
    vec![whole.into(), sparse.into(), format!("{whole}{sparse}").into()]
}

fn text_lines(data: &[u8]) {
    check_lines(data, &|| Box::new(text::Decoder::new(text::schema()).unwrap()));
}

fn lines_of_text() -> Vec<Vec<u8>> {
    vec![b"to be\nor not\r\n\n to be".to_vec(), "\u{feff}\u{e9}\u{1f600}\n".into()]
}

/// Reads lines at once, and in two halves; both give the same rows, valid in full, or both fail.
fn check_lines(data: &[u8], decoder: &dyn Fn() -> Box<dyn Decode>) {
    let once = decoded(&[data], decoder);
    let half = data[..data.len() / 2].iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
    let (front, back) = data.split_at(half.unwrap_or(0));
    let twice = decoded(&[front, back], decoder);
    if let Some(rows) = &once {
        rows.columns().iter().for_each(|column| column.to_data().validate_full().unwrap());
    }
    assert_eq!(once, twice, "{}", String::from_utf8_lossy(data));
}

/// All rows of some lines; none where a line is none. A record may go on behind the end of a piece.
fn decoded(pieces: &[&[u8]], decoder: &dyn Fn() -> Box<dyn Decode>) -> Option<RecordBatch> {
    let mut decoder = decoder();
    let (mut chunks, mut held) = (Vec::new(), Vec::new());
    for (number, piece) in pieces.iter().enumerate() {
        let last = number + 1 == pieces.len();
        held.extend_from_slice(piece);
        let mut at = 0;
        while at < held.len() {
            let took = decoder.feed_some(&held[at..], last).ok()?;
            at += took;
            if decoder.is_full() {
                chunks.extend(decoder.take_rows().ok()?);
            } else if took == 0 {
                assert!(!last, "the decoder stands still");
                break;
            }
        }
        held.drain(..at);
    }
    chunks.extend(decoder.take_rows().ok()?);
    let schema = chunks.first().map_or_else(text::schema, |chunk| chunk.schema());
    Some(concat_batches(&schema, &chunks).unwrap())
}
