//! A job that goes on from its checkpoint, and one that can't.

use serde_json::Value;

use crate::host::{Job, host};

const JOB: &str = r#"
version = 1
name = "kept"
[job]
batch = "0s"
[[source]]
id = "lines"
type = "file"
path = "in"
files_per_batch = 1
[[op]]
id = "totals"
native = "count"
key = ["line"]
across = "run"
[[sink]]
id = "out"
type = "file"
path = "out"
"#;

fn count(job: &Job, batch: u64) -> Vec<(String, i64)> {
    let row = |line: String| {
        let row: Value = serde_json::from_str(&line).unwrap();
        (row["line"].as_str().unwrap().to_owned(), row["count"].as_i64().unwrap())
    };
    let mut rows: Vec<_> = job.written("out", batch).into_iter().map(row).collect();
    rows.sort();
    rows
}

fn of(rows: &[(&str, i64)]) -> Vec<(String, i64)> {
    rows.iter().map(|(line, count)| ((*line).to_owned(), *count)).collect()
}

/// Two batches are done.
fn begun() -> Job {
    let job = Job::new(JOB).file("in/1", "a\nb\n").file("in/2", "a\n");
    host(job.path(), &["run", "job.toml", "--once"]).fine();
    job
}

fn run(job: &Job, more: &[&str]) -> crate::host::Ran {
    host(job.path(), &[&["run", "job.toml", "--once"], more].concat())
}

#[test]
fn it_goes_on_where_it_was_with_its_state() {
    let job = begun();
    let again = run(&job, &[]).fine();
    assert!(again.err.contains("goes on after batch 2"), "{}", again.err);
    let job = job.file("in/3", "a\nc\n");
    let ran = run(&job, &["--set", "job.parallelism=5", "--verify"]).fine();
    assert!(ran.err.contains("batch 3"), "{}", ran.err);
    assert_eq!(count(&job, 1), of(&[("a", 1), ("b", 1)]));
    assert_eq!(count(&job, 2), of(&[("a", 2)]));
    assert_eq!(count(&job, 3), of(&[("a", 3), ("c", 1)]));
    let listed = host(job.path(), &["checkpoint", "ls", "job.toml", "--format", "json"]).fine();
    let batches: Vec<_> = listed.events().iter().map(|line| line["batch"].clone()).collect();
    assert_eq!(batches, [1, 2, 3]);
    let got =
        host(job.path(), &["state", "get", "job.toml", "totals", "a", "--format=json"]).fine();
    assert_eq!(got.events()[0]["count"], 3);
    let got = ["state", "get", "job.toml", "totals", "a", "--batch", "1", "--format=json"];
    assert_eq!(host(job.path(), &got).fine().events()[0]["count"], 1);
}

#[test]
fn an_older_batch_can_be_gone_back_to_unless_a_sink_is_ahead() {
    let job = begun();
    let refused = run(&job, &["--from", "1"]);
    assert_eq!(refused.code, 1, "{refused:#?}");
    assert!(refused.err.contains("WEIR-CHECKPOINT-010"), "{}", refused.err);
    let unknown = run(&job, &["--from", "7"]);
    assert!(unknown.err.contains("WEIR-CHECKPOINT-016"), "{}", unknown.err);
    let ran = run(&job, &["--from", "1", "--adopt-sinks"]).fine();
    assert!(ran.err.contains("batch 2"), "{}", ran.err);
    let job = job.file("in/3", "a\n");
    run(&job, &[]).fine();
    assert_eq!(count(&job, 3), of(&[("a", 3)]));
    let neither = run(&job, &["--from", "yesterday"]);
    assert_eq!(neither.code, 2, "{neither:#?}");
}

#[test]
fn nothing_is_kept_without_a_checkpoint_and_one_is_left_alone() {
    let job = begun();
    let ran = run(&job, &["--from", "none", "--set", "sink.out.path=other"]).fine();
    assert!(ran.err.contains("batch 2"), "{}", ran.err);
    let ran = run(&job, &[]).fine();
    assert!(ran.err.contains("goes on after batch 2"), "{}", ran.err);
    host(job.path(), &["checkpoint", "rm", "job.toml"]).fine();
    assert!(job.path().join(".weir/kept/checkpoint/weir-checkpoint").exists());
    host(job.path(), &["checkpoint", "rm", "job.toml", "--yes"]).fine();
    assert!(!job.path().join(".weir/kept/checkpoint").exists());
    // Another job would write into its output.
    let refused = run(&job, &[]);
    assert!(refused.err.contains("WEIR-SINK-003"), "{}", refused.err);
}

#[test]
fn a_job_that_lost_what_is_kept_is_refused_with_a_list() {
    let job = begun();
    for (from, to, said) in [
        ("id = \"totals\"", "id = \"other\"", "op `totals` has a state"),
        ("across = \"run\"", "", "op `totals` has a state"),
        ("id = \"lines\"", "id = \"rows\"", "source `lines` was read"),
    ] {
        job.write("job.toml", &JOB.replace(from, to));
        job.write("in/new", "a\n");
        let refused = run(&job, &[]);
        assert_eq!(refused.code, 78, "{refused:#?}");
        assert!(refused.err.contains("WEIR-RUN-014") && refused.err.contains(said), "{refused:#?}");
    }
    // What is new, or has no state, may come and go.
    let more = "[[op]]\nid = \"long\"\nfrom = \"lines\"\nsql = \"SELECT line FROM lines\"\n\
                [[sink]]\nid = \"long-out\"\ntype = \"console\"\n";
    job.write("job.toml", &format!("{JOB}{more}"));
    let ran = run(&job, &["--set", "job.batch=1s"]).fine();
    assert!(ran.err.contains("batch 3"), "{}", ran.err);
    assert_eq!(count(&job, 3), of(&[("a", 3)]));
}

#[test]
fn a_checkpoint_that_is_damaged_or_taken_is_named() {
    let job = begun();
    let identity = job.path().join(".weir/kept/checkpoint/weir-checkpoint");
    let whole = std::fs::read(&identity).unwrap();
    let mut bytes = whole.clone();
    bytes[40] ^= 1;
    std::fs::write(&identity, &bytes).unwrap();
    for arguments in [vec!["run", "job.toml", "--once"], vec!["checkpoint", "verify", "job.toml"]] {
        let refused = host(job.path(), &arguments);
        assert_eq!(refused.code, 1, "{refused:#?}");
        let said = format!("{}{}", refused.out, refused.err);
        assert!(said.contains("WEIR-CHECKPOINT-002") && said.contains("weir-checkpoint"), "{said}");
    }
    std::fs::remove_file(&identity).unwrap();
    let refused = run(&job, &[]);
    assert!(refused.err.contains("WEIR-CHECKPOINT-001"), "{}", refused.err);
    std::fs::write(&identity, &whole).unwrap();
    run(&job, &[]).fine();
    let verified = host(job.path(), &["checkpoint", "verify", "job.toml"]).fine();
    assert!(verified.out.ends_with("everything is whole\n"), "{}", verified.out);
}

/// A job of one batch of three files, killed while a sink had it or not; one file goes, one is
/// another one afterwards.
fn lost(point: &str, policy: &str) -> Job {
    let text = JOB.replace("files_per_batch = 1", policy);
    let job = Job::new(&text).file("in/1", "a\nb\n").file("in/2", "a\n").file("in/3", "c\n");
    let mut killed = crate::host::command(job.path());
    let killed = killed.args(["run", "job.toml", "--once"]).env("WEIR_CRASH_AT", point);
    assert!(!killed.status().unwrap().success(), "{point}");
    std::fs::remove_file(job.path().join("in/1")).unwrap();
    job.write("in/3", "c\nc\nc\n");
    job
}

#[test]
fn a_file_that_is_gone_ends_the_job_unless_it_goes_on_without_it() {
    let job = lost("run-done", "");
    let refused = run(&job, &[]);
    let said = ["WEIR-CHECKPOINT-014", "in/1", "on_data_loss = \"go-on\""];
    assert!(said.iter().all(|said| refused.err.contains(said)), "{}", refused.err);
    let job = lost("run-done", "on_data_loss = \"go-on\"");
    let ran = run(&job, &["--format", "json"]).fine();
    let notes = ran.of_kind("resumed")[0]["notes"].to_string();
    assert!(notes.contains("in/1") && notes.contains("in/3") && !notes.contains("in/2"), "{notes}");
    assert_eq!(ran.of_kind("batch")[0]["files_lost"], 2);
    assert_eq!(count(&job, 1), of(&[("a", 1)]));
    // They are not taken later either.
    let job = job.file("in/1", "a\nb\n").file("in/4", "d\n");
    run(&job, &[]).fine();
    assert_eq!(count(&job, 2), of(&[("d", 1)]));
}

#[test]
fn a_sink_keeps_what_it_has_of_files_that_are_gone() {
    let job = lost("sink-committed", "on_data_loss = \"go-on\"");
    let ran = run(&job, &[]).fine();
    assert!(ran.err.contains("without 2 files that are gone"), "{}", ran.err);
    assert_eq!(count(&job, 1), of(&[("a", 2), ("b", 1), ("c", 1)]));
    let job = job.file("in/4", "a\n");
    run(&job, &[]).fine();
    assert_eq!(count(&job, 2), of(&[("a", 2)]), "the state has only what was there");
}

#[test]
fn a_damaged_checkpoint_is_repaired_back_to_what_is_whole() {
    let job = Job::new(JOB);
    for number in 1..=9 {
        job.write(&format!("in/{number}"), "a\n");
        run(&job, &[]).fine();
    }
    let repair =
        |more: &[&str]| host(job.path(), &[&["checkpoint", "repair", "job.toml"], more].concat());
    assert!(repair(&["--yes"]).fine().out.contains("nothing to repair"));
    // A bit of the records of the sixth batch.
    let log = job.path().join(".weir/kept/checkpoint/log");
    let damaged = log.join("g6-1.wlog");
    let mut bytes = std::fs::read(&damaged).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[used / 2] ^= 1;
    std::fs::write(&damaged, &bytes).unwrap();
    let refused = run(&job, &[]);
    assert!(refused.err.contains("WEIR-CHECKPOINT-002"), "{}", refused.err);
    let said = repair(&[]).fine().out;
    assert!(said.contains("batches 6 to 9 would be forgotten"), "{said}");
    assert!(said.contains("`--yes` does it"), "{said}");
    assert!(run(&job, &[]).err.contains("WEIR-CHECKPOINT-002"), "nothing was done yet");
    let done = repair(&["--yes", "--format", "json"]).fine().events().remove(0);
    assert_eq!((&done["after"], &done["lost_to"]), (&5.into(), &9.into()), "{done}");
    let aside = std::path::Path::new(done["folder"].as_str().unwrap()).join("log/g6-1.wlog");
    assert_eq!(std::fs::read(job.path().join(aside)).unwrap(), bytes, "kept as it was");
    host(job.path(), &["checkpoint", "verify", "job.toml"]).fine();
    let ahead = run(&job, &[]);
    assert!(ahead.err.contains("WEIR-CHECKPOINT-010"), "{}", ahead.err);
    let ran = run(&job, &["--adopt-sinks"]).fine();
    assert!(ran.err.contains("batch 6 ") && ran.err.contains("batch 9 "), "{}", ran.err);
    let job = job.file("in/x", "a\n");
    run(&job, &[]).fine();
    assert_eq!(count(&job, 10), of(&[("a", 10)]));
}
