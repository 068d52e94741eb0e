//! States that an op begins with: `initial`.

use serde_json::{Value, json};

use crate::host::{Job, Ran, command, host};

const JOB: &str = r#"
version = 1
name = "begin"
[job]
batch = "0s"
[[source]]
id = "values"
type = "file"
path = "in"
format = "json"
schema = { user = "string!", n = "int64!" }
files_per_batch = 1
[[op]]
id = "it"
wasm = "{root}/tests/plugins/keyed"
call = "track"
key = ["user"]
initial = "states.jsonl"
[[sink]]
id = "out"
type = "file"
path = "out"
"#;

const STATES: &str = "{\"user\":\"a\",\"sum\":10,\"count\":2,\"last\":\"a\"}\n\
                      {\"user\":\"b\",\"sum\":20,\"count\":3,\"last\":null,\"_due\":null}\n";

/// A job with two batches to come.
fn job(states: &str) -> Job {
    let job = Job::new(JOB).file("states.jsonl", states);
    let job = job.file("in/1", "{\"user\":\"a\",\"n\":1}\n{\"user\":\"c\",\"n\":5}\n");
    job.file("in/2", "{\"user\":\"b\",\"n\":1}\n")
}

fn run(job: &Job, more: &[&str]) -> Ran {
    host(job.path(), &[&["run", "job.toml", "--once"], more].concat())
}

/// Users and sums of a batch.
fn sums(job: &Job, batch: u64) -> Vec<(String, i64)> {
    let row = |line: String| {
        let row: Value = serde_json::from_str(&line).unwrap();
        (row["user"].as_str().unwrap().to_owned(), row["sum"].as_i64().unwrap())
    };
    let mut rows: Vec<_> = job.written("out", batch).into_iter().map(row).collect();
    rows.sort();
    rows
}

fn of(rows: &[(&str, i64)]) -> Vec<(String, i64)> {
    rows.iter().map(|(user, sum)| ((*user).to_owned(), *sum)).collect()
}

/// Everything that is kept, by user.
fn kept(job: &Job) -> Vec<Value> {
    let query = "SELECT * FROM it ORDER BY user";
    let ran = host(job.path(), &["state", "sql", "job.toml", query, "--format", "json"]).fine();
    ran.events()
}

#[test]
fn an_op_begins_with_the_states_of_a_file_in_any_number_of_lanes() {
    for lanes in ["1", "2", "4"] {
        let job = job(STATES);
        let ran = run(&job, &["--verify", "--set", &format!("job.parallelism={lanes}")]).fine();
        assert!(ran.err.contains("stopped after 2 batches"), "{}", ran.err);
        assert_eq!(sums(&job, 1), of(&[("a", 11), ("c", 5)]), "{lanes} lanes");
        assert_eq!(sums(&job, 2), of(&[("b", 21)]), "{lanes} lanes");
        // What is kept is in the checkpoint from now on: the file is of no use any more.
        std::fs::remove_file(job.path().join("states.jsonl")).unwrap();
        let job = job.file("in/3", "{\"user\":\"a\",\"n\":4}\n");
        run(&job, &["--set", "job.parallelism=3"]).fine();
        assert_eq!(sums(&job, 3), of(&[("a", 15)]));
        let state = |user: &str, sum: i64, count: i64| {
            let due = Value::Null;
            json!({ "user": user, "sum": sum, "count": count, "last": user, "_due": due })
        };
        assert_eq!(kept(&job), [state("a", 15, 4), state("b", 21, 4), state("c", 5, 1)]);
    }
}

#[test]
fn it_is_read_again_if_the_first_batch_was_not_done() {
    for point in ["intent-durable", "run-done", "sink-committed", "commit-begins"] {
        let job = job(STATES);
        let ran = command(job.path())
            .args(["run", "job.toml", "--once"])
            .env("WEIR_CRASH_AT", point)
            .output()
            .unwrap();
        assert!(!ran.status.success(), "{point}");
        // Another file would make another batch of it.
        let whole = std::fs::metadata(job.path().join("states.jsonl")).unwrap().modified().unwrap();
        job.write("states.jsonl", &STATES.replace("10", "99"));
        let refused = run(&job, &[]);
        assert!(refused.err.contains("WEIR-SOURCE-004"), "{point}: {}", refused.err);
        assert!(refused.err.contains("op `it` begins with"), "{point}: {}", refused.err);
        job.write("states.jsonl", STATES);
        let states = job.path().join("states.jsonl");
        let file = std::fs::File::options().write(true).open(states).unwrap();
        file.set_modified(whole).unwrap();
        run(&job, &[]).fine();
        assert_eq!(sums(&job, 1), of(&[("a", 11), ("c", 5)]), "{point}");
        assert_eq!(sums(&job, 2), of(&[("b", 21)]), "{point}");
    }
}

#[test]
fn an_op_that_is_new_in_a_job_that_goes_on_begins_with_them_too() {
    let job = job(STATES);
    let text = std::fs::read_to_string(job.path().join("job.toml")).unwrap();
    let (before, op) = text.split_once("[[op]]").unwrap();
    let sink = op.split_once("[[sink]]").unwrap().1;
    job.write("job.toml", &format!("{before}[[sink]]{sink}"));
    run(&job, &[]).fine();
    let renamed = op.replace("\"out\"", "\"told\"");
    job.write("job.toml", &format!("{before}[[sink]]{sink}from = \"values\"\n[[op]]{renamed}"));
    let job = job.file("in/3", "{\"user\":\"b\",\"n\":4}\n");
    run(&job, &[]).fine();
    let row: Value = serde_json::from_str(&job.written("told", 3)[0]).unwrap();
    assert_eq!(row["sum"], 24);
    assert_eq!(kept(&job).len(), 2);
    // An op that had a batch does not begin again.
    job.write("states.jsonl", "nonsense");
    let job = job.file("in/4", "{\"user\":\"d\",\"n\":4}\n");
    run(&job, &[]).fine();
    assert_eq!(kept(&job).len(), 3);
}

#[test]
fn states_that_were_exported_are_states_to_begin_with() {
    let first = job(STATES);
    run(&first, &[]).fine();
    for end in ["jsonl", "csv", "parquet"] {
        let file = first.path().join(format!("export.{end}"));
        let file = file.to_str().unwrap();
        host(first.path(), &["state", "export", "job.toml", "it", "--output", file]).fine();
        let job = Job::new(&JOB.replace("states.jsonl", file));
        let job = job.file("in/1", "{\"user\":\"b\",\"n\":100}\n");
        run(&job, &[]).fine();
        assert_eq!(sums(&job, 1), of(&[("b", 121)]), "{end}");
        assert_eq!(kept(&job).len(), 3, "{end}");
    }
}

#[test]
fn a_timeout_and_a_ttl_run_from_the_first_batch_on() {
    let settings = "clock = \"batches\"\n[[source]]";
    let text = JOB.replace("batch = \"0s\"", "batch = \"10m\"").replacen("[[source]]", settings, 1);
    let text = text.replace("initial", "timeout = \"20m\"\nttl = \"20m\"\ninitial");
    let job = Job::new(&text).file("states.jsonl", STATES);
    for number in 1..=3 {
        job.write(&format!("in/{number}"), "{\"user\":\"c\",\"n\":1}\n");
    }
    run(&job, &[]).fine();
    let users = |batch| sums(&job, batch).into_iter().map(|(user, _)| user).collect::<String>();
    assert_eq!((users(1), users(2)), ("c".into(), "c".into()));
    // Timed out: the function lets go of them, and tells of no sum.
    let told = job.written("out", 3);
    assert_eq!(
        told.iter().filter(|line| line.contains("\"timed_out\":true")).count(),
        2,
        "{told:?}"
    );
}

#[test]
fn a_file_that_can_t_be_states_is_refused_with_its_line() {
    for (states, said) in [
        (
            "{\"user\":\"a\",\"sum\":1,\"count\":1}\n{\"user\":\"b\",\"sum\":\"x\",\"count\":1}\n",
            ["states.jsonl:2", "`sum`", "WEIR-FORMAT-0"],
        ),
        ("{\"user\":\"a\",\"sum\":1}\n", ["states.jsonl:1", "`count`", "WEIR-FORMAT-0"]),
        (
            "{\"user\":\"a\",\"sum\":1,\"count\":1}\n\n{\"user\":\"a\",\"sum\":2,\"count\":1}\n",
            ["states.jsonl:3` has the key of `", "states.jsonl:1` again", "WEIR-RUN-019"],
        ),
    ] {
        let job = job(states);
        let ran = run(&job, &[]);
        assert_ne!(ran.code, 0, "{ran:#?}");
        assert!(said.iter().all(|said| ran.err.contains(said)), "{said:?}: {}", ran.err);
        assert!(
            ran.err.contains("op `it` begins with") && ran.err.contains("help:"),
            "{}",
            ran.err
        );
        // Nothing was begun: with another file the job begins.
        job.write("states.jsonl", STATES);
        run(&job, &[]).fine();
        assert_eq!(sums(&job, 1), of(&[("a", 11), ("c", 5)]));
    }
    let job = job("");
    std::fs::remove_file(job.path().join("states.jsonl")).unwrap();
    let ran = run(&job, &[]);
    assert!(ran.err.contains("WEIR-RUN-018") && ran.err.contains("states.jsonl"), "{}", ran.err);
}
