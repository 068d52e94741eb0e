//! Whole jobs: what is read of them, and that no text at all makes the room fall over.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use super::*;

const WHOLE: &str = r#"
version = 1
name = "3-words"
job = { batch = "1m 30s", parallelism = 3, memory = "64 MiB", grace = "0s" }

[[source]]
id = "lines"
type = "file"
path = "in/*.json"
format = "json"
schema = { user = "string", amount = "decimal(10,2)!", at = "timestamp?" }
files_per_batch = 7

[[function]]
id = "clean"
wasm = "plugins/text"
call = "clean"

[[op]]
id = "words"
wasm = "plugins/text"
call = "split"
keep = ["user"]
columns = { line = "user" }
config = { at = 1, deep = { list = [1, 2.5, 2026-01-01] } }
limits = { memory = "1GB", time = "2s", result = 65536 }
across = "batch"

[[source]]
id = "more"
type = "rows"
batches = [[{ word = "to" }], []]

[[op]]
id = "both"
native = "union"
from = ["words.late", "more"]

[[op]]
id = "counts"
native = "count"
key = "word"

[[op]]
id = "top"
sql = "SELECT * FROM counts"

[[sink]]
id = "out"
type = "console"
rows = 0

[[sink]]
id = "kept"
type = "file"
path = "/data/out"
format = "text"
mode = "append"
from = "counts"
"#;

fn parse_with(
    text: &[u8],
    set: &[&str],
    environment: &[(&str, &str)],
) -> Result<(Job, Vec<Problem>), JobError> {
    let set: Vec<String> = set.iter().map(|option| (*option).to_owned()).collect();
    let environment: Vec<(String, String)> =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let outside = Outside { set: &set, overrides: &environment, ..Outside::NOTHING };
    Job::parse(text, "job.toml", PathBuf::new(), &outside)
}

/// What is wrong with a text, as codes and messages.
fn wrong(text: &[u8]) -> Vec<String> {
    let error = parse_with(text, &[], &[]).map(drop).unwrap_err();
    error.problems.iter().map(|problem| format!("{} {}", problem.code, problem.message)).collect()
}

/// A job of these entries behind a source `a` and a sink that reads it.
fn around(entries: &str) -> String {
    format!(
        "version = 1\nname = \"x\"\n[[source]]\nid = \"a\"\ntype = \"file\"\npath = \"in\"\n\
         {entries}\n[[sink]]\nid = \"out\"\ntype = \"console\"\nfrom = \"a\"\n"
    )
}

#[test]
fn a_job_is_read_as_it_was_written() {
    let (job, warnings) = parse_with(WHOLE.as_bytes(), &[], &[]).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(job.name.as_str(), "3-words");
    assert_eq!(job.settings.batch, Duration::from_secs(90));
    assert_eq!((job.settings.parallelism, job.settings.memory), (Some(3), 64 << 20));
    assert_eq!(job.settings.grace, Duration::ZERO);
    let schema = job.sources[0].schema.as_ref().unwrap();
    let columns: Vec<_> =
        schema.fields().iter().map(|f| (f.name().as_str(), f.is_nullable())).collect();
    assert_eq!(columns, [("user", true), ("amount", false), ("at", true)]);
    let SourceKind::Rows(rows) = &job.sources[1].kind else { panic!() };
    assert_eq!(rows.batches.iter().map(Vec::len).collect::<Vec<_>>(), [1, 0]);
    let OpBody::Wasm(words) = &job.ops[0].body else { panic!() };
    assert_eq!(
        words.limits,
        Limits {
            memory: 1_000_000_000,
            time: Duration::from_secs(2),
            result: 65_536,
            ..Limits::default()
        }
    );
    assert_eq!(
        serde_json::to_string(&words.config).unwrap(),
        r#"{"at":1,"deep":{"list":[1,2.5,"2026-01-01"]}}"#
    );
    assert_eq!(&WHOLE[words.call_span.clone()], "\"split\"");
    assert_eq!(&WHOLE[words.config_spans[0].1.clone()], "1");
    assert_eq!(words.columns, [("line".to_owned(), "user".to_owned())]);
}

#[test]
fn without_from_an_entry_reads_the_one_above() {
    let (job, _) = parse_with(WHOLE.as_bytes(), &[], &[]).unwrap();
    let from: Vec<String> = job
        .ops
        .iter()
        .map(|op| {
            let inputs = op.from.iter().map(|input| match &input.port {
                Some(port) => format!("{}.{port}", input.node),
                None => input.node.to_string(),
            });
            format!("{}: {}", op.id, inputs.collect::<Vec<_>>().join(" "))
        })
        .collect();
    assert_eq!(from, ["words: lines", "both: words.late more", "counts: both", "top: "]);
    assert_eq!(job.sinks[0].from.node.as_str(), "top");
}

#[test]
fn defaults_are_those_of_the_documents() {
    let job =
        parse_with(around("[[op]]\nid = \"b\"\nwasm = \"x\"").as_bytes(), &[], &[]).unwrap().0;
    assert_eq!(job.settings.batch, Duration::from_secs(1));
    assert_eq!((job.settings.parallelism, job.settings.memory), (None, 1 << 30));
    assert_eq!(job.settings.grace, Duration::from_secs(30));
    let OpBody::Wasm(call) = &job.ops[0].body else { panic!() };
    let (memory, time, result) = (256 << 20, Duration::from_secs(10), 64 << 20);
    assert_eq!(call.limits, Limits { memory, time, result, ..Limits::default() });
    assert!(matches!(job.sinks[0].kind, SinkKind::Console { rows: 10 }));
}

#[test]
fn what_is_no_text_is_said() {
    let many = around(&"[[op]]\nid = \"b\"\n".repeat(1_001));
    let deep = format!("a = {}{}", "[".repeat(60_000), "]".repeat(60_000));
    let headers = format!("[{}x]", "x.".repeat(100_000));
    for (bytes, message) in [
        (&vec![b' '; (1 << 20) + 1][..], "has 1048577 bytes, more than 1 MiB"),
        (b"\xef\xbb\xbfversion = 1", "begins with a byte order mark"),
        (b"\xff\xfev\0", "is UTF-16, not UTF-8"),
        (b"name = \"\xe9\"", "is not UTF-8 text"),
        (b"version = 1\n\0", "has a zero byte"),
        (many.as_bytes(), "1003 entries are more than 1000"),
        (deep.as_bytes(), "nest more than 32 deep"),
        (headers.as_bytes(), "nest more than 32 deep"),
    ] {
        let wrong = wrong(bytes);
        assert!(wrong[0].starts_with("WEIR-JOB-002"), "{wrong:?}");
        assert!(wrong[0].contains(message), "{wrong:?}");
    }
    assert_eq!(wrong(b"").len(), 4, "version, name, source, sink");
}

#[test]
fn lines_may_end_as_on_windows() {
    parse_with(WHOLE.replace('\n', "\r\n").as_bytes(), &[], &[]).unwrap();
}

#[test]
fn one_broken_entry_hides_no_other_problem() {
    let wrong = wrong(
        b"version = 1\nname = \"x\"\n[[source]]\nid = \"a\"\ntype = \"fil\"\n\
          [[op]]\nid = \"b\"\nnative = \"count\"\nfrom = \"a\"\n\
          [[op]]\nid = \"B\"\nnative = \"count\"\nfrom = \"c\"\n",
    );
    let codes: Vec<&str> = wrong.iter().map(|problem| &problem[..12]).collect();
    let expected = ["WEIR-JOB-006", "WEIR-JOB-010", "WEIR-JOB-011", "WEIR-JOB-015"];
    assert_eq!(codes, expected, "{wrong:#?}");
}

#[test]
fn rules_name_what_breaks_them() {
    for (entries, message) in [
        ("[[op]]\nid = \"b\"\nnative = \"union\"", "`b` has 1 input, it needs two or more"),
        ("[[op]]\nid = \"b\"\nnative = \"count\"\nfrom = []", "`b` has no input, it needs one"),
        (
            "[[op]]\nid = \"b\"\nwasm = \"x\"\nfrom = [\"a\", \"a\"]",
            "`b` has 2 inputs, it needs one",
        ),
        ("[[op]]\nid = \"b\"\nwasm = \"x\"\nfrom = \"a.b.c\"", "`from` can't be \"a.b.c\""),
        ("[[op]]\nid = \"b\"\nwasm = \"x\"\nfrom = \"out\"", "there is no source or op `out`"),
        ("[[op]]\nid = \"b\"\nwasm = \"oci://x\"", "`oci://` is not available in this version"),
        ("[[op]]\nid = \"b\"\nwasm = \" \"", "`wasm` is empty"),
        ("[[op]]\nid = \"b\"\nnative = \"count\"\nkey = [\"x\", \"x\"]", "`key` has `x` twice"),
        ("[[op]]\nid = \"b\"\nnative = \"repartition\"", "`key` is missing"),
        ("[[op]]\nid = \"b\"\nnative = \"repartition\"\nkey = []", "`key` is empty"),
        ("[[op]]\nid = \"b\"\nsql = \"x\"\nkey = \"k\"", "an op with `sql` has no `key`"),
        (
            "[[op]]\nid = \"b\"\nnative = \"union\"\nfrom = [\"a\", 1]",
            "`from` has a whole number in it",
        ),
        ("[[function]]\nid = \"A\"\nwasm = \"x\"", "`a` and `A` differ in case only"),
        ("[[function]]\nid = \"f\"\nwasm = \"x\"\nkey = \"k\"", "a function of SQL has no `key`"),
        (
            "[[sink]]\nid = \"o\"\ntype = \"console\"\nfrom = []",
            "a sink reads from one entry, this one from none",
        ),
        ("[[sink]]\nid = \"o\"\ntype = \"console\"\nrows = -1", "`rows` can't be -1"),
        (
            "[[source]]\nid = \"s\"\ntype = \"kafka\"",
            "`type = \"kafka\"` is not available in this version",
        ),
        (
            "[[source]]\nid = \"s\"\ntype = \"rows\"\nrows = [1]",
            "a whole number stands where a row is expected",
        ),
        (
            "[[source]]\nid = \"s\"\ntype = \"rows\"\nrows = []\nbatches = []",
            "`rows` and `batches` are both given",
        ),
        (
            "[[source]]\nid = \"s\"\ntype = \"rows\"\nrows = [{ n = 99999999999999999999 }]",
            "the number is larger than 64 bits hold",
        ),
        (
            "[[source]]\nid = \"s\"\ntype = \"rows\"\nrows = [{ n = 1e999 }]",
            "the number is larger than 64 bits hold",
        ),
    ] {
        let wrong = wrong(around(entries).as_bytes());
        assert_eq!(wrong.len(), 1, "{entries}\n{wrong:#?}");
        assert!(wrong[0].ends_with(message), "{entries}\n{wrong:#?}");
    }
}

#[test]
fn a_circle_is_told_once_and_what_stands_below_too() {
    let op =
        |id: &str, from: &str| format!("[[op]]\nid = \"{id}\"\nsql = \"x\"\nfrom = [{from}]\n");
    let entries = op("b", "\"d\"")
        + &op("c", "\"b\", \"a\"")
        + &op("d", "\"c\"")
        + &op("e", "\"f\"")
        + &op("f", "\"a\"");
    let wrong = wrong(around(&entries).as_bytes());
    assert_eq!(
        wrong,
        [
            "WEIR-JOB-012 ops read from each other in a circle: `b` ← `d` ← `c` ← `b`",
            "WEIR-JOB-012 `e` reads from `f`, which stands below it",
        ]
    );
    // Everyone reads from everyone: many circles, few messages, no time.
    let all: Vec<String> = (0..150).map(|n| format!("\"o{n}\"")).collect();
    let entries: String = (0..150).map(|n| op(&format!("o{n}"), &all.join(", "))).collect();
    assert!(parse_with(around(&entries).as_bytes(), &[], &[]).is_err());
}

#[test]
fn warnings_do_not_stop_a_job() {
    let entries =
        "[[op]]\nid = \"b\"\nsql = \"SELECT 1 FROM c\"\n[[op]]\nid = \"OUT\"\nnative = \"count\"";
    let (_, warnings) = parse_with(around(entries).as_bytes(), &[], &[]).unwrap();
    let told: Vec<_> = warnings.iter().map(|warning| (warning.code, &*warning.message)).collect();
    assert_eq!(
        told,
        [
            ("WEIR-JOB-017", "nobody reads `OUT`, so it is not run"),
            ("WEIR-JOB-019", "the sink `out` is not alone"),
        ]
    );
    // A name inside a longer one is not that name.
    let entries =
        "[[op]]\nid = \"b\"\nnative = \"count\"\n[[op]]\nid = \"c\"\nsql = \"SELECT ab FROM a\"";
    let (_, warnings) = parse_with(around(entries).as_bytes(), &[], &[]).unwrap();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
}

#[test]
fn settings_are_changed_from_outside() {
    let (job, _) = parse_with(
        WHOLE.as_bytes(),
        &["job.batch=5s", "op.words.limits.time = 3s", "op.words.config.new=[1, 2]", "name=other"],
        &[
            ("HOST__JOB__BATCH", "7s"),
            ("HOST__SINK__OUT__ROWS", "5"),
            ("HOST__SOURCE__LINES__PATH", "else=where"),
            ("HOSTNAME", "box"),
        ],
    )
    .unwrap();
    assert_eq!(job.settings.batch, Duration::from_secs(5), "--set wins");
    assert_eq!(job.settings.parallelism, Some(3));
    assert_eq!(job.name.as_str(), "other");
    let OpBody::Wasm(words) = &job.ops[0].body else { panic!() };
    assert_eq!(words.limits.time, Duration::from_secs(3));
    assert_eq!(words.config["new"], serde_json::json!([1, 2]));
    assert!(matches!(job.sinks[0].kind, SinkKind::Console { rows: 5 }));
    let SourceKind::File(lines) = &job.sources[0].kind else { panic!() };
    assert_eq!(lines.path, "else=where");
    let changed = job.text.override_at(&lines.path_span).unwrap();
    assert_eq!(changed.origin, "HOST__SOURCE__LINES__PATH");
    assert_eq!(job.text.override_at(&words.call_span), None);
}

#[test]
fn a_variable_finds_names_that_a_shell_can_not_write() {
    let text = around("[[source]]\nid = \"My-Rows\"\ntype = \"file\"\npath = \"b\"");
    let variable = [("HOST__SOURCE__MY_ROWS__PATH", "c")];
    let (job, _) = parse_with(text.as_bytes(), &[], &variable).unwrap();
    let SourceKind::File(file) = &job.sources[1].kind else { panic!() };
    assert_eq!(file.path, "c");
}

#[test]
fn a_wrong_override_is_named() {
    for (set, message) in [
        ("job.batch=soon", "`batch` is not a length of time: \"soon\""),
        ("job.batch=5", "`batch` is a whole number, expected a length of time such as \"5s\""),
        ("job.bach=5s", "there is no setting `bach` here"),
        ("job.batch", "`--set job.batch`: there is no `=`"),
        ("job=5s", "`--set job`: there is no such setting"),
        ("=5s", "`--set `: there is no such setting"),
        (
            "source.line.path=x",
            "`--set source.line.path`: there is no source `line`; did you mean `lines`?",
        ),
        ("source.lines=x", "`--set source.lines`: there is no such setting"),
        ("source.lines.path.x=x", "`--set source.lines.path.x`: `path` is not a table"),
        ("source.lines.=x", "`--set source.lines.`: a part of its name is empty"),
        (
            "source.lines.files_per_batch=99999999999999999999",
            "the number is larger than 64 bits hold",
        ),
        ("backpressure.uri=x", "`--set backpressure.uri`: there is no such setting"),
    ] {
        let error = parse_with(WHOLE.as_bytes(), &[set], &[]).map(drop).unwrap_err();
        assert_eq!(error.problems[0].message, message, "{set}");
        assert!(error.problems.iter().all(|problem| {
            problem.marks.iter().all(|mark| error.text.override_at(&mark.span).is_some())
        }));
    }
}

#[test]
fn every_code_is_listed_and_every_listed_one_is_used() {
    let mut used = BTreeSet::new();
    let mut folders = vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/job"))];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("codes.rs") && !path.ends_with("tests.rs") {
                let text = std::fs::read_to_string(path).unwrap();
                let starts = text.match_indices("\"WEIR-JOB-").map(|(at, _)| at + 1);
                used.extend(starts.map(|at| text[at..at + 12].to_owned()));
            }
        }
    }
    let listed: Vec<&str> = codes::CODES.iter().map(|code| code.code).collect();
    assert_eq!(used.iter().map(String::as_str).collect::<Vec<_>>(), listed);
    assert!(codes::CODES.iter().all(|code| !code.title.is_empty() && code.explain.ends_with('.')));
}

/// Pieces that a mutation puts in: what TOML and the room give a meaning to.
const PIECES: [&str; 32] = [
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "\"",
    "'",
    "\"\"\"",
    "=",
    ",",
    ".",
    "\n",
    "\r",
    "\t",
    "#",
    "\0",
    "é",
    "\u{202e}",
    "-",
    "1e999",
    "99999999999999999999",
    "inf",
    "2026-01-01",
    "true",
    "[[op]]",
    "id = \"lines\"",
    "from = \"top\"",
    "../",
    "**",
    "oci://",
    "0x",
];

/// Changes a text at a few places.
fn mutate(text: &str, random: &mut impl FnMut(usize) -> usize) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=random(4) {
        let at = random(bytes.len() + 1);
        let length = random(40).min(bytes.len() - at);
        match random(6) {
            0 => drop(bytes.drain(at..at + length)),
            1 => {
                let piece = PIECES[random(PIECES.len())].bytes();
                drop(bytes.splice(at..at, piece));
            }
            2 => {
                let copy = bytes[at..at + length].to_vec();
                let to = random(bytes.len() + 1);
                drop(bytes.splice(to..to, copy));
            }
            3 if at < bytes.len() => bytes[at] = u8::try_from(random(256)).unwrap(),
            4 => {
                let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
                let line = lines[random(lines.len())].to_vec();
                let start =
                    bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |n| n + 1);
                drop(bytes.splice(start..start, line.into_iter().chain([b'\n'])));
            }
            _ => {
                let piece = PIECES[random(PIECES.len())].bytes();
                drop(bytes.splice(at..at + length, piece));
            }
        }
    }
    bytes
}

/// What must hold of every text: it is a job, or there are problems, in order, each in the text.
fn hold_promises(bytes: &[u8], set: &[&str]) -> bool {
    let error = match parse_with(bytes, set, &[]) {
        Ok((job, warnings)) => {
            assert!(!job.sources.is_empty() && !job.sinks.is_empty());
            if warnings.is_empty() {
                return true;
            }
            JobError { text: job.text, problems: warnings }
        }
        Err(error) => error,
    };
    assert!(!error.problems.is_empty());
    let start =
        |problem: &Problem| problem.marks.first().map_or(usize::MAX, |mark| mark.span.start);
    assert!(error.problems.is_sorted_by_key(start));
    for (nth, problem) in error.problems.iter().enumerate() {
        assert!(!error.problems[..nth].contains(problem), "{problem:?}");
        for mark in &problem.marks {
            let inside = match error.text.override_at(&mark.span) {
                Some(changed) => {
                    let start = changed.start;
                    changed.value.get(mark.span.start - start..mark.span.end - start)
                }
                None => error.text.text.get(mark.span.clone()),
            };
            assert!(inside.is_some(), "{problem:?}");
        }
    }
    false
}

#[test]
fn no_text_at_all_makes_it_fall_over() {
    // SplitMix64, so that a failure can be had again by its number.
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % below.max(1) as u64).unwrap()
    };
    let mut fine = 0;
    for _ in 0..20_000 {
        let text = mutate(WHOLE, &mut random);
        let value =
            String::from_utf8_lossy(&mutate("op.words.limits.time=[1, \"a\"]", &mut random))
                .into_owned();
        let set = if random(4) == 0 { vec![value.as_str()] } else { Vec::new() };
        fine += usize::from(hold_promises(&text, &set));
    }
    // Mutations that change nothing of importance show that the others reach the rules too.
    assert!(fine > 100, "{fine}");
}

fn with_vars(text: &str) -> Result<(Job, Vec<Problem>), JobError> {
    let outside = Outside {
        variable: &|name| (name == "HOME_OF_INPUT").then(|| "from-env".to_owned()),
        secret_file: &|path| match path {
            "key" => Ok("s3cret-of-file\n".to_owned()),
            _ => Err("there is no such file".to_owned()),
        },
        ..Outside::NOTHING
    };
    Job::parse(text.as_bytes(), "job.toml", PathBuf::new(), &outside)
}

fn path_of(job: &Job) -> &str {
    match &job.sources[0].kind {
        SourceKind::File(file) => &file.path,
        other => panic!("{other:?}"),
    }
}

#[test]
fn values_of_vars_stand_in_texts() {
    let job = |vars: &str, path: &str| {
        let text = around("").replace("path = \"in\"", &format!("path = \"{path}\""));
        with_vars(&format!("{text}\n[vars]\n{vars}\n"))
    };
    let path = |vars: &str, path: &str| path_of(&job(vars, path).unwrap().0).to_owned();
    assert_eq!(path("a = \"x\"\nb-2 = \"y\"", "${a}/${b-2}/${a}"), "x/y/x");
    assert_eq!(path("a = { env = \"HOME_OF_INPUT\", default = \"d\" }", "${a}"), "from-env");
    assert_eq!(path("a = { env = \"NOT_THERE\", default = \"\" }", "in${a}"), "in");
    assert_eq!(path("a = { secret = \"file:key\" }", "${a}"), "s3cret-of-file");
    assert_eq!(path("a = { secret = \"env:HOME_OF_INPUT\" }", "${a}"), "from-env");
    assert_eq!(path("a = \"1\"", "${a}$${a}"), "1${a}");
    // What a value looks like does not matter: it is text.
    assert_eq!(path("a = \"\\\" ${b}\"".replace(" ${b}", "").as_str(), "${a}"), "\"");
}

#[test]
fn values_that_are_wrong_or_missing_are_told() {
    let wrong = |vars: &str, path: &str| {
        let text = around("").replace("path = \"in\"", &format!("path = \"{path}\""));
        let error = with_vars(&format!("{text}\n[vars]\n{vars}\n")).map(drop).unwrap_err();
        let problems = error.problems.iter();
        problems.map(|problem| format!("{} {}", problem.code, problem.message)).collect::<Vec<_>>()
    };
    let missing = ["WEIR-JOB-021 [vars] has no value `b`"];
    assert_eq!(wrong("a = \"x\"", "${b}"), missing);
    assert_eq!(
        wrong("a = { env = \"NOT_THERE\" }", "${a}/${a}"),
        ["WEIR-JOB-020 the variable `NOT_THERE` is not set"]
    );
    assert_eq!(
        wrong("a = { secret = \"file:other\" }", "${a}"),
        ["WEIR-JOB-020 the secret in `other` can't be had: there is no such file"]
    );
    assert_eq!(wrong("a = 1", "${a}").first().unwrap(), "WEIR-JOB-021 [vars] has no value `a`");
    for path in ["${", "${}", "${a", "${ a }", "x${a b}"] {
        assert_eq!(
            wrong("a = \"x\"", path),
            ["WEIR-JOB-021 `${` is not followed by a name and `}`"],
            "{path}"
        );
    }
}

#[test]
fn a_value_that_nobody_uses_is_a_warning_and_is_not_looked_up() {
    let text = format!("{}\n[vars]\na = {{ env = \"NOT_THERE\" }}\n", around(""));
    let (_, warnings) = with_vars(&text).unwrap();
    assert!(warnings.iter().any(|problem| problem.code == "WEIR-JOB-023"), "{warnings:?}");
}
