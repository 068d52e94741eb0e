//! States by key through the binary: what a job says of them, and rows and keys that can't be
//! taken. What they leave is held against a model in tests/plan/keyed.rs.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::host::{Job, Ran, host};

const PLUGIN: &str = "{root}/tests/plugins/keyed";

/// A job over batches of users and numbers.
fn job(batches: &str, op: &str, lanes: usize) -> Job {
    Job::new(&format!(
        r#"
version = 1
name = "keyed"
[job]
batch = "0s"
parallelism = {lanes}
[dead_letters]
path = "letters"
[[source]]
id = "values"
type = "rows"
schema = {{ user = "string!", n = "int64!" }}
batches = {batches}
[[op]]
id = "it"
wasm = "{PLUGIN}"
call = "track"
key = ["user"]
{op}
[[sink]]
id = "out"
type = "file"
path = "out"
"#
    ))
}

/// The rows of a batch, ordered by user.
fn rows(job: &Job, batch: u64) -> Vec<Value> {
    let parsed = |line: String| serde_json::from_str(&line).unwrap();
    let mut rows: Vec<Value> = job.written("out", batch).into_iter().map(parsed).collect();
    rows.sort_by_key(|row| row["user"].to_string());
    rows
}

fn told(user: &str, sum: Option<i64>, values: i64, timed_out: bool) -> Value {
    json!({ "user": user, "sum": sum, "values": values, "timed_out": timed_out })
}

/// The dead letters of a batch.
fn letters(job: &Job, batch: u64) -> Vec<Value> {
    let run = std::fs::read_dir(job.path().join("letters")).unwrap().next().unwrap().unwrap();
    let lines = job.written(&format!("letters/{}", run.file_name().to_str().unwrap()), batch);
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const THREE: &str = r#"[
  [{ user = "a", n = 1 }, { user = "b", n = 2 }, { user = "a", n = 3 }, { user = "c", n = 4 }],
  [{ user = "b", n = 5 }, { user = "d", n = 6 }, { user = "c", n = 0 }],
  [{ user = "a", n = 7 }, { user = "c", n = 8 }],
]"#;

#[test]
fn totals_run_over_batches_whatever_the_number_of_lanes() {
    for lanes in [1, 2, 4] {
        let job = job(THREE, "", lanes);
        job.once(&[]).fine();
        let first = [told("a", Some(4), 2, false), told("b", Some(2), 1, false)];
        assert_eq!(rows(&job, 1)[..2], first, "{lanes} lanes");
        let second =
            [told("b", Some(7), 1, false), told("c", None, 1, false), told("d", Some(6), 1, false)];
        assert_eq!(rows(&job, 2), second, "{lanes} lanes");
        let third = [told("a", Some(11), 1, false), told("c", Some(8), 1, false)];
        assert_eq!(rows(&job, 3), third, "{lanes} lanes");
    }
}

#[test]
fn every_key_with_a_state_is_visited_if_the_job_says_so() {
    let job = job(THREE, "visit = \"all\"", 2);
    job.once(&[]).fine();
    let users = |batch| -> String {
        rows(&job, batch).iter().map(|row| row["user"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((users(1), users(2), users(3)), ("abc".into(), "abcd".into(), "abcd".into()));
    assert_eq!(rows(&job, 2)[0], told("a", Some(4), 0, false));
}

#[test]
fn a_key_times_out_in_the_batch_after_its_time() {
    // Batches are a millisecond apart at least.
    let job = job(THREE, "timeout = \"1ms\"\nconfig = { keep = true }", 2);
    job.once(&[]).fine();
    let second = rows(&job, 2);
    assert_eq!(second[0], told("a", Some(4), 0, true));
    assert_eq!(second[1], told("b", Some(7), 1, true));
    // The timer of a key went off once, and is gone; the others were set anew.
    let third = rows(&job, 3);
    assert_eq!(third[0], told("a", Some(11), 1, false));
    assert_eq!(third[1], told("b", Some(7), 0, true));
    // Its state was removed, so there is no timer.
    assert_eq!(third[2], told("c", Some(8), 1, false));
    assert_eq!(third[3], told("d", Some(6), 0, true));
}

#[test]
fn a_state_is_dropped_after_its_time_without_a_call() {
    let job = job(THREE, "ttl = \"1ms\"", 2);
    job.once(&[]).fine();
    assert_eq!(rows(&job, 2)[0], told("b", Some(5), 1, false));
    let third = [told("a", Some(7), 1, false), told("c", Some(8), 1, false)];
    assert_eq!(rows(&job, 3), third);
}

#[test]
fn states_are_changed_by_all_of_a_batch_however_much_of_what_comes_out_is_read() {
    let batch: String = (0..3_000).fold(String::new(), |mut rows, user| {
        let _ = write!(rows, "{{ user = \"u{user}\", n = 1 }},");
        rows
    });
    let last = "[{ user = \"u2999\", n = 1 }]";
    let op = "[[op]]\nid = \"few\"\nsql = \"SELECT user, sum FROM it LIMIT 1\"";
    let job = job(&format!("[[{batch}], {last}]"), op, 1);
    job.once(&[]).fine();
    assert_eq!(rows(&job, 1).len(), 1);
    assert_eq!(rows(&job, 2), [json!({ "user": "u2999", "sum": 2 })]);
}

#[test]
fn ports_are_read_apart_and_every_key_is_visited_once() {
    let op = "timeout = \"1ms\"\n[[op]]\nid = \"both\"\nnative = \"count\"\nfrom = \"it\"\n\
              [[sink]]\nid = \"gone\"\ntype = \"file\"\npath = \"gone\"\nfrom = \"it.gone\"\n\
              [[op]]\nid = \"last\"\nnative = \"union\"\nfrom = [\"both\", \"both\"]\n";
    let job = job(THREE, op, 2);
    let ran = job.once(&["--format", "json"]).fine();
    let batches = ran.of_kind("batch");
    assert_eq!(job.written("out", 1), ["{\"count\":3}", "{\"count\":3}"]);
    assert!(!job.path().join("gone/batch=00000000000000000001").exists());
    let mut gone = job.written("gone", 2);
    gone.sort();
    let lines = ["a\",\"count\":2", "b\",\"count\":1", "c\",\"count\":1"];
    assert_eq!(gone, lines.map(|line| format!("{{\"user\":\"{line}}}")));
    assert_eq!(batches[0]["ops"][0]["guest_rows_in"], 4, "each value crosses once");
}

const BAD: &str = r#"[
  [
    { user = "a", n = 1 }, { user = "b", n = 700 }, { user = "b", n = 2 }, { user = "c", n = 3 },
    { user = "c", n = 801 }, { user = "d", n = 901 }, { user = "d", n = 4 }, { user = "e", n = 5 },
  ],
  [
    { user = "a", n = 1 }, { user = "b", n = 1 }, { user = "c", n = 1 }, { user = "d", n = 1 },
  ],
]"#;

#[test]
fn values_and_keys_that_cant_be_taken_are_put_aside_and_the_others_go_on() {
    let job = job(BAD, "on_error = \"dead-letter\"", 2);
    job.once(&[]).fine();
    let first =
        [told("a", Some(1), 1, false), told("b", Some(2), 2, false), told("e", Some(5), 1, false)];
    assert_eq!(rows(&job, 1), first);
    let second = [
        told("a", Some(2), 1, false),
        told("b", Some(3), 1, false),
        told("c", Some(1), 1, false),
        told("d", Some(1), 1, false),
    ];
    assert_eq!(rows(&job, 2), second);
    let mut told: Vec<(String, String, String, String)> = letters(&job, 1)
        .iter()
        .map(|letter| {
            let text = |name: &str| letter[name].as_str().unwrap().to_owned();
            (text("row"), text("code"), text("origin"), text("message"))
        })
        .collect();
    told.sort();
    let row = |user: &str, n: i64| format!("{{\"user\":\"{user}\",\"n\":{n}}}");
    let rows: Vec<&String> = told.iter().map(|(row, ..)| row).collect();
    let expected = [row("b", 700), row("c", 3), row("c", 801), row("d", 4), row("d", 901)];
    assert_eq!(rows, expected.iter().collect::<Vec<_>>());
    assert_eq!(told[0].1, "WEIR-PLUGIN-027");
    assert_eq!(
        (told[1].3.as_str(), told[1].2.as_str()),
        ("801 spoils its key", "values, batch 1, row 4")
    );
    assert_eq!(told[3].1, "WEIR-PLUGIN-020");
    assert!(told[3].3.contains("901 is too much"), "{told:?}");
}

#[test]
fn a_key_that_fails_is_named() {
    for (n, code) in [(801, "WEIR-PLUGIN-027"), (901, "WEIR-PLUGIN-020")] {
        let batches = format!("[[{{ user = \"ann\", n = 1 }}, {{ user = \"bob\", n = {n} }}]]");
        let job = job(&batches, "", 1);
        let ran = job.once(&[]);
        assert_eq!(ran.code, 1, "{ran:#?}");
        for part in [code, "{\"user\":\"bob\"}"] {
            assert!(ran.err.contains(part), "`{part}` is missing in\n{}", ran.err);
        }
        assert!(!ran.err.contains("ann"), "{}", ran.err);
    }
}

#[test]
fn a_key_without_values_that_fails_is_put_aside_itself() {
    let batches =
        "[[{ user = \"a\", n = 1 }], [{ user = \"b\", n = 2 }], [{ user = \"b\", n = -1 }],
                   [{ user = \"a\", n = 3 }]]";
    let op = "timeout = \"1ms\"\non_error = \"dead-letter\"\nconfig = { strict = true }";
    let job = job(batches, op, 1);
    job.once(&[]).fine();
    let letter = &letters(&job, 2)[0];
    assert_eq!(
        (&letter["row"], &letter["message"]),
        (&json!("{\"user\":\"a\"}"), &json!("nothing came"))
    );
    // The timer is used up, and the state is what it was.
    assert_eq!(rows(&job, 3), [told("b", None, 1, true)]);
    assert_eq!(rows(&job, 4), [told("a", Some(4), 1, false)]);
}

#[test]
fn a_key_that_never_ends_is_left_out_and_the_batch_runs_again_without_it() {
    let batches = "[[{ user = \"a\", n = 1 }, { user = \"b\", n = 950 }, { user = \"b\", n = 2 }, \
                   { user = \"c\", n = 3 }], [{ user = \"b\", n = 4 }]]";
    let op = "on_error = \"dead-letter\"\nlimits = { time = \"300ms\" }";
    let job = job(batches, op, 1);
    let ran = job.once(&["--format", "json"]).fine();
    assert_eq!(ran.of_kind("batch")[0]["reruns"], 1);
    assert_eq!(rows(&job, 1), [told("a", Some(1), 1, false), told("c", Some(3), 1, false)]);
    assert_eq!(rows(&job, 2), [told("b", Some(4), 1, false)]);
    let letters = letters(&job, 1);
    let rows: Vec<&str> = letters.iter().map(|letter| letter["row"].as_str().unwrap()).collect();
    assert_eq!(rows, ["{\"user\":\"b\",\"n\":950}", "{\"user\":\"b\",\"n\":2}"]);
    assert!(letters[0]["message"].as_str().unwrap().contains("its limit of 300ms"));
}

/// Texts of one key and of others, from a file.
fn texts(call: &str, limits: &str, rows: usize) -> Job {
    let job = Job::new(&format!(
        r#"
version = 1
name = "texts"
[job]
batch = "0s"
parallelism = 2
memory = "16MiB"
[[source]]
id = "texts"
type = "file"
path = "in"
format = "csv"
schema = {{ user = "string!", text = "string!" }}
[[op]]
id = "it"
wasm = "{PLUGIN}"
call = "{call}"
key = ["user"]
limits = {limits}
[[sink]]
id = "out"
type = "file"
path = "out"
"#
    ));
    let mut file = String::from("user,text\n");
    for row in 0..rows {
        let _ = writeln!(file, "hot,{}", "x".repeat(1_000));
        if row % 100 == 0 {
            let _ = writeln!(file, "cold-{row},a");
        }
    }
    job.file("in/texts.csv", &file)
}

fn sizes(job: &Job) -> Vec<(String, i64, i64)> {
    let size = |row: &Value| {
        let number = |name: &str| row[name].as_i64().unwrap();
        (row["user"].as_str().unwrap().to_owned(), number("texts"), number("at_once"))
    };
    rows(job, 1).iter().map(size).collect()
}

#[test]
fn a_hot_key_comes_whole_as_long_as_it_fits_and_else_piece_by_piece() {
    let job = texts("count", "{}", 4_000);
    job.once(&[]).fine();
    let whole = sizes(&job);
    assert_eq!(whole.len(), 41);
    assert_eq!(whole[40], ("hot".to_owned(), 4_000, 4_000));
    // A sixteenth of the memory is one MiB: 1,004 bytes a row.
    let job = texts("count", "{ memory = \"16MiB\" }", 4_000);
    job.once(&[]).fine();
    let pieces: Vec<_> = sizes(&job).split_off(40);
    let expected = [1_044, 2_088, 3_132, 4_000]
        .map(|count| ("hot".to_owned(), count, if count == 4_000 { 868 } else { 1_044 }));
    assert_eq!(pieces, expected);
    let job = texts("pile", "{ memory = \"64MiB\" }", 4_000);
    job.once(&[]).fine();
    assert_eq!(sizes(&job)[40], ("hot".to_owned(), 4_000, 4_000));
}

#[test]
fn values_that_take_more_memory_than_the_job_may_have_are_an_error() {
    let job = texts("count", "{}", 20_000);
    let ran = job.once(&[]);
    assert_eq!(ran.code, 1, "{ran:#?}");
    for part in ["WEIR-RUN-002", "values and states of op it", "memory"] {
        assert!(ran.err.contains(part), "`{part}` is missing in\n{}", ran.err);
    }
}

#[test]
fn a_job_with_states_is_tested_planned_and_shown() {
    let test = r#"
timeout = { processing_time = "30m" }
ttl = "48h"
[[test]]
name = "totals"
to = "it"
feed.values = [{ user = "a", n = 1 }, { user = "a", n = 2 }, { user = "b", n = 0 }]
expect = [
  { user = "a", sum = 3, values = 2, timed_out = false },
  { user = "b", values = 1, timed_out = false },
]
"#;
    let job = job("[[]]", test, 2);
    let ran = host(job.path(), &["test", "job.toml"]).fine();
    assert!(ran.out.contains("ok   totals"), "{}", ran.out);
    let planned = |format: &str| -> Ran {
        host(job.path(), &["plan", "job.toml", "--format", format]).fine()
    };
    let text = planned("text").out;
    let parts = [
        "UpdateExec: op=it, call=track",
        "key=[user], state version=2, visit=touched, timeout=1800s, ttl=172800s",
        "it: user: string -> sum: int64, count: int64, last: string? (version 2)",
    ];
    for part in parts {
        assert!(text.contains(part), "`{part}` is missing in\n{text}");
    }
    let json: Value = serde_json::from_str(&planned("json").out).unwrap();
    assert_eq!(json["states"][0]["op"], "it");
    assert_eq!(json["states"][0]["key"][0]["name"], "user");
    assert_eq!(json["states"][0]["state"].as_array().unwrap().len(), 3);
    assert_eq!(json["states"][0]["version"], 2);
    let shown = host(
        job.path(),
        &["inspect", &PLUGIN.replace("{root}", crate::host::root().to_str().unwrap())],
    )
    .fine();
    assert!(shown.out.contains("track (updater, free)"), "{}", shown.out);
    let line = "state     sum: int64, count: int64, last: string? (version 2)";
    assert!(shown.out.contains(line), "{}", shown.out);
}
